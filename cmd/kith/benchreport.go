package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kith-project/kith/bench/compare"
	"github.com/kith-project/kith/bench/engine"
	benchreport "github.com/kith-project/kith/bench/report"
	"github.com/kith-project/kith/crypto/ristretto"
)

// benchReportCommand is kith bench report.
type benchReportCommand struct {
	Into       string        `placeholder:"FILE" help:"Write the report into this document, between its lines <!-- kith bench report … -->, and not to standard output."`
	Plot       string        `placeholder:"FILE" help:"Write the plot there, in SVG."`
	EngineTime time.Duration `default:"25s" placeholder:"TIME" help:"How long kith bench engine measures, once for each engine (default ${default})."`
	Rounds     int           `default:"10" placeholder:"N" help:"Rounds of kith bench compare (default ${default})."`
	Turn       time.Duration `default:"500ms" placeholder:"TIME" help:"A turn of kith bench compare (default ${default})."`
}

// Run measures by the other commands, each in a process of its own as a user would, and writes the report.
func (cmd *benchReportCommand) Run(ctx context.Context, t *terminal) error {
	var document []byte
	if cmd.Into != "" {
		var err error
		if document, err = os.ReadFile(cmd.Into); err != nil {
			return fileError("document", err)
		}
		if _, err := benchreport.Into(document, nil); err != nil {
			return withHint(fmt.Errorf("%s has no place for the report", cmd.Into), "a document that has one is docs/performance.md")
		}
	}
	sources, err := cmd.measure(ctx, t)
	if err != nil {
		return err
	}
	if cmd.Plot != "" {
		svg, err := sources.Plot()
		if err != nil {
			return err
		}
		if err := os.WriteFile(cmd.Plot, svg, 0o644); err != nil {
			return fileError("plot", err)
		}
	}
	if cmd.Into == "" {
		_, err := t.stdout.Write(sources.Markdown(cmd.Plot))
		return err
	}
	if document, err = benchreport.Into(document, sources.Markdown(cmd.plotFrom(cmd.Into))); err != nil {
		return err
	}
	return os.WriteFile(cmd.Into, document, 0o644)
}

// plotFrom returns where the plot is, seen from a document.
func (cmd *benchReportCommand) plotFrom(document string) string {
	if cmd.Plot == "" {
		return ""
	}
	relative, err := filepath.Rel(filepath.Dir(document), cmd.Plot)
	if err != nil {
		return cmd.Plot
	}
	return filepath.ToSlash(relative)
}

// measure runs the other commands.
func (cmd *benchReportCommand) measure(ctx context.Context, t *terminal) (*benchreport.Sources, error) {
	s := &benchreport.Sources{Date: time.Now().UTC(), Compare: new(compare.Result)}
	t.say("comparing servers, about %s", time.Duration(18*cmd.Rounds)*cmd.Turn)
	err := runSelf(ctx, s.Compare, "bench", "compare", "--json", "--rounds", fmt.Sprint(cmd.Rounds), "--turn", cmd.Turn.String())
	if err != nil {
		return nil, err
	}
	for _, name := range ristretto.Engines() {
		t.say("comparing the engine %s with circl, %s", name, cmd.EngineTime)
		r := new(engine.Result)
		if err := runSelf(ctx, r, "bench", "engine", "--json", "--engine", name, "--time", cmd.EngineTime.String()); err != nil {
			return nil, err
		}
		s.Engines = append(s.Engines, r)
	}
	return s, nil
}

// runSelf runs this program with arguments, and decodes the JSON that it prints.
func runSelf(ctx context.Context, to any, args ...string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		message, hint, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(stderr.String()), "kith: "), "\nhint: ")
		if hint != "" {
			return withHint(errors.New(message), "%s", hint)
		}
		return errors.New(message)
	}
	return json.Unmarshal(out, to)
}
