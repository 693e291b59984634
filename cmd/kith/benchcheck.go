package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/kith-project/kith/bench/compare"
	"github.com/kith-project/kith/bench/engine"
	"github.com/kith-project/kith/bench/guard"
	"github.com/kith-project/kith/crypto/ristretto"
)

// benchCheckCommand is kith bench check.
type benchCheckCommand struct {
	Figures    string        `default:"bench/figures.json" placeholder:"FILE" help:"The figures that are kept (default ${default})."`
	Update     bool          `help:"Write what is measured as the figures to keep, for the engines of this machine. Those of others stay."`
	EngineTime time.Duration `default:"15s" placeholder:"TIME" help:"How long kith bench engine measures, once for each engine (default ${default})."`
	Rounds     int           `default:"6" placeholder:"N" help:"Rounds of kith bench compare (default ${default}); 0 leaves the servers out."`
	Turn       time.Duration `default:"300ms" placeholder:"TIME" help:"A turn of kith bench compare (default ${default})."`
}

// Help is shown below the flags.
func (*benchCheckCommand) Help() string {
	return `Ratios to circl, and of Kith's server to its engine, are compared with those that are kept, never times. A ratio that is more than
a tenth below is measured a second time, and is lost if it is so again: then the exit status is 1. It wants a quiet machine.`
}

// Run measures, and compares with what is kept.
func (cmd *benchCheckCommand) Run(ctx context.Context, t *terminal) error {
	figures, err := cmd.read()
	if err != nil {
		return err
	}
	var lost []string
	for _, name := range ristretto.Engines() {
		kept, found := figures[name]
		if !found && !cmd.Update {
			return withHint(fmt.Errorf("%s has no figures of the engine %s", cmd.Figures, name), "--update measures and keeps them")
		}
		servers := name == ristretto.Engine() && cmd.Rounds > 0 // they compute with that one
		measured, result, err := cmd.measure(ctx, t, name, servers)
		if err != nil {
			return err
		}
		if cmd.Update {
			figures[name] = guard.Kept{CPU: result.CPU, Go: result.Go, Date: time.Now().UTC().Format(time.DateOnly), Ratios: measured}
			fmt.Fprintf(t.stdout, "engine %s\n%s\n", name, guard.Table(guard.Changes(kept.Ratios, measured)))
			continue
		}
		changes := guard.Changes(cmd.compared(kept.Ratios, servers), measured)
		if names := guard.Lost(changes); len(names) > 0 {
			t.say("engine %s: %s: measuring again", name, strings.Join(names, ", "))
			again, _, err := cmd.measure(ctx, t, name, servers)
			if err != nil {
				return err
			}
			changes = guard.Changes(cmd.compared(kept.Ratios, servers), guard.Best(measured, again))
		}
		fmt.Fprintf(t.stdout, "engine %s, kept %s on %s, %s\n%s\n", name, kept.Date, kept.CPU, kept.Go, guard.Table(changes))
		for _, ratio := range guard.Lost(changes) {
			lost = append(lost, name+" "+ratio)
		}
	}
	switch {
	case cmd.Update:
		return cmd.write(figures)
	case len(lost) > 0:
		return withHint(fmt.Errorf("slower than what is kept, by more than a tenth: %s", strings.Join(lost, ", ")),
			"go tool pprof finds where; where it is meant to be so, --update keeps what is measured now")
	default:
		return nil
	}
}

// compared leaves out what was not to be measured.
func (cmd *benchCheckCommand) compared(kept guard.Ratios, servers bool) guard.Ratios {
	out := make(guard.Ratios)
	for name, ratio := range kept {
		if servers || !strings.HasPrefix(name, "http_") {
			out[name] = ratio
		}
	}
	return out
}

// measure runs the other commands, each in a process of its own.
func (cmd *benchCheckCommand) measure(ctx context.Context, t *terminal, name string, servers bool) (guard.Ratios, *engine.Result, error) {
	var compared *compare.Result
	if servers {
		t.say("comparing servers, about %s", time.Duration(18*cmd.Rounds)*cmd.Turn)
		compared = new(compare.Result)
		if err := runSelf(ctx, compared, "bench", "compare", "--json", "--rounds", fmt.Sprint(cmd.Rounds), "--turn", cmd.Turn.String()); err != nil {
			return nil, nil, err
		}
	}
	t.say("comparing the engine %s with circl, %s", name, cmd.EngineTime)
	r := new(engine.Result)
	if err := runSelf(ctx, r, "bench", "engine", "--json", "--engine", name, "--time", cmd.EngineTime.String()); err != nil {
		return nil, nil, err
	}
	return guard.Of(r, compared), r, nil
}

// read reads the figures. There need not be any where they are to be written.
func (cmd *benchCheckCommand) read() (guard.Figures, error) {
	text, err := os.ReadFile(cmd.Figures)
	if cmd.Update && errors.Is(err, fs.ErrNotExist) {
		return guard.Figures{}, nil
	}
	if err != nil {
		return nil, fileError("--figures", err)
	}
	figures, err := guard.Parse(text)
	if err != nil {
		return nil, withHint(fmt.Errorf("--figures: %s has none", cmd.Figures), "kith bench check --update writes them")
	}
	return figures, nil
}

func (cmd *benchCheckCommand) write(figures guard.Figures) error {
	if err := os.WriteFile(cmd.Figures, figures.Marshal(), 0o644); err != nil {
		return fileError("--figures", err)
	}
	return nil
}
