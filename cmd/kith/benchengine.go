package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kith-project/kith/bench/engine"
	"github.com/kith-project/kith/crypto/ristretto"
)

// benchEngineCommand is kith bench engine.
type benchEngineCommand struct {
	Engine string        `placeholder:"NAME" help:"Which engine: ifma, which takes a processor with AVX-512 IFMA, or portable. By default what KITH_ENGINE names, or the fastest there is."`
	Time   time.Duration `default:"25s" help:"How long to measure, about (default ${default}); a second at least is needed for one turn each."`
	JSON   bool          `name:"json" help:"Print one JSON object: times in µs an element, and their ratios."`
}

// Run measures, and prints medians and ratios.
func (cmd *benchEngineCommand) Run(ctx context.Context, t *terminal) error {
	if cmd.Time <= 0 || cmd.Time > time.Hour {
		return errors.New("--time: above 0, and at most 1h")
	}
	if cmd.Engine == "" {
		if err := checkEngine(); err != nil {
			return err
		}
	} else if err := ristretto.UseEngine(cmd.Engine); err != nil {
		return withHint(errors.New("--engine: there is no such engine on this machine"), "--engine portable, which there is everywhere")
	}
	if t.interactive() {
		t.say("measuring for %s", cmd.Time)
	}
	r, err := engine.Run(ctx, cmd.Time)
	if err != nil {
		return err
	}
	if cmd.JSON {
		return json.NewEncoder(t.stdout).Encode(r)
	}
	_, err = fmt.Fprint(t.stdout, r.Report())
	return err
}
