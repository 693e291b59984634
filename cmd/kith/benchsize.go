package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kith-project/kith/bench/size"
	"github.com/kith-project/kith/server/bucket"
)

// benchSizeCommand is kith bench size.
type benchSizeCommand struct {
	Users         string  `default:"1M" placeholder:"N" help:"Registered users: 500M, 2G, 1e6 (default ${default}). With --check as many are imported, several sizes after commas."`
	ExpectedUsers string  `placeholder:"N" help:"What the directory is laid out for, as in kith serve. By default the users."`
	Active        float64 `group:"Use" default:"0.3" placeholder:"SHARE" help:"Share of the users whose device syncs on a day (default ${default})."`
	Syncs         float64 `group:"Use" default:"1" placeholder:"N" help:"Syncs of such a device on that day (default ${default})."`
	Contacts      int     `group:"Use" default:"500" placeholder:"N" help:"Numbers of an address book, mean (default ${default})."`
	Hits          float64 `group:"Use" default:"0.3" placeholder:"SHARE" help:"Share of them that are registered (default ${default})."`
	NewContacts   float64 `group:"Use" default:"0.2" placeholder:"N" help:"Contacts that an active device meets on a day (default ${default}), up to 1."`
	FirstSyncs    float64 `group:"Use" default:"0.002" placeholder:"SHARE" help:"Share of all users who begin anew on a day: new ones, new devices (default ${default})."`
	Churn         float64 `group:"Use" default:"0.001" placeholder:"SHARE" help:"Share of all users who register or leave on a day (default ${default})."`
	Exact         float64 `group:"Use" default:"0" placeholder:"SHARE" help:"Share of devices in mode exact (default ${default}). What is neither exact nor snapshot is bucket."`
	Snapshot      float64 `group:"Use" default:"0" placeholder:"SHARE" help:"Share of devices in mode snapshot (default ${default})."`
	Labels        string  `group:"Use" default:"by-bucket" placeholder:"HOW" help:"How labels are fetched: by-bucket (default), by-tag, none."`
	Tombstones    float64 `group:"Use" default:"0.02" placeholder:"SHARE" help:"Hidden and deleted registrations that are kept, by users (default ${default})."`
	Peak          float64 `group:"Use" default:"3" placeholder:"N" help:"The busiest moment by the mean of a day (default ${default})."`
	Rotations     float64 `group:"Use" default:"1" placeholder:"N" help:"Rotations of the key a year (default ${default})."`
	Window        float64 `group:"Use" default:"168" placeholder:"HOURS" help:"How long devices have to move after one: kith epoch rotate --window (default ${default} here, a week; 24 there)."`

	Replicas     int     `group:"Machines" default:"1" placeholder:"N" help:"Replicas of each Redis master (default ${default})."`
	ServerCores  int     `group:"Machines" default:"16" placeholder:"N" help:"Cores of a server (default ${default})."`
	MasterMemory float64 `group:"Machines" default:"64" placeholder:"GB" help:"Memory of a Redis, GB (default ${default})."`
	Fill         float64 `group:"Machines" default:"0.6" placeholder:"SHARE" help:"How much of cores and memory may be in use at the peak (default ${default})."`
	CoreHour     float64 `group:"Machines" default:"0.04" placeholder:"USD" help:"Price of a core for an hour (default ${default}): an assumption."`
	GBHour       float64 `group:"Machines" name:"gb-hour" default:"0.005" placeholder:"USD" help:"Price of a GB of memory for an hour (default ${default}): an assumption."`
	EgressGB     float64 `group:"Machines" name:"egress-gb" default:"0.05" placeholder:"USD" help:"Price of a GB sent to devices (default ${default}): an assumption."`

	Constants     string `placeholder:"FILE" help:"Constants of your own machine, a JSON object of names and values, as --save-constants writes it."`
	Check         bool   `help:"Import users into a Redis of this machine, measure, and compare with the model: fails if it is off by more than 20 %."`
	SaveConstants string `placeholder:"FILE" help:"With --check: write the constants that were measured."`
	Table         bool   `help:"Print the table of docs/sizing.md: 1M to 2G users, the rest by the flags."`
	JSON          bool   `name:"json" help:"Print one JSON object."`
}

// Help is shown below the flags.
func (*benchSizeCommand) Help() string {
	return `The model is arithmetic: what devices ask for on a day, counted by the client's own planner, times what each operation was
measured to take on one core (docs/sizing.md lists the constants). Machines are counted for the peak of a day on which all devices
move to a new key within the window, with a share of them kept free; money for the mean of a year. Redis has room for two epochs
if there are rotations. Load balancers, storage, monitoring and people are left out.

--check begins with a million users, from which it takes the constants of this machine, and compares each of --users with what the
model then says. All of them are measured in turns. It takes five minutes for --users 1M, and nine for --users 1M,5M.`
}

// sizeLayout is how the server lays a directory for so many users out.
func sizeLayout(users int64) size.Layout {
	p := planFor(int(users), 1000)
	return size.Layout{
		PartitionBits: int(p.Layout.PartitionBits), BucketBits: int(p.Layout.BucketBits),
		Slots: p.Slots, TagBytes: bucket.TagBytesFor(int(p.Layout.BucketBits), p.Slots),
	}
}

// Run computes, or measures and compares.
func (cmd *benchSizeCommand) Run(ctx context.Context, t *terminal) error {
	k, err := cmd.constants()
	if err != nil {
		return err
	}
	if cmd.Check {
		return cmd.check(ctx, t, k)
	}
	if cmd.SaveConstants != "" {
		return withHint(errors.New("--save-constants: nothing is measured"), "it goes with --check")
	}
	if cmd.Table {
		return cmd.table(t, k)
	}
	r, in, err := cmd.size(cmd.Users, k)
	if err != nil {
		return err
	}
	if cmd.JSON {
		return json.NewEncoder(t.stdout).Encode(struct {
			size.Inputs
			*size.Result
		}{in, r})
	}
	_, err = fmt.Fprint(t.stdout, r.Report(in))
	return err
}

// constants returns the built-in constants, or those of the file.
func (cmd *benchSizeCommand) constants() (size.Constants, error) {
	if cmd.Constants == "" {
		return size.DefaultConstants(), nil
	}
	text, err := os.ReadFile(cmd.Constants)
	if err != nil {
		return nil, fileError("constants", err)
	}
	k, err := size.ReadConstants(text)
	if err != nil {
		return nil, withHint(fmt.Errorf("--constants: %w", err), "kith bench size --check --save-constants FILE writes such a file")
	}
	return k, nil
}

// countFlag reads a number of users.
func countFlag(flag, text string) (int64, error) {
	n, ok := size.ParseCount(text)
	if !ok {
		return 0, withHint(fmt.Errorf("--%s: not a number of users from 1 to 10G", flag), "as in 500M, 2G or 1e6")
	}
	return n, nil
}

// size counts what so many users need.
func (cmd *benchSizeCommand) size(text string, k size.Constants) (*size.Result, size.Inputs, error) {
	in := size.Inputs{
		Active: cmd.Active, Syncs: cmd.Syncs, Contacts: cmd.Contacts, Hits: cmd.Hits, NewContacts: cmd.NewContacts, FirstSyncs: cmd.FirstSyncs,
		Churn: cmd.Churn, Exact: cmd.Exact, Snapshot: cmd.Snapshot, Labels: cmd.Labels, Tombstones: cmd.Tombstones, Peak: cmd.Peak,
		Rotations: cmd.Rotations, Window: cmd.Window, Replicas: cmd.Replicas, ServerCores: cmd.ServerCores, MasterMemory: cmd.MasterMemory,
		Fill: cmd.Fill, CoreHour: cmd.CoreHour, GBHour: cmd.GBHour, EgressGB: cmd.EgressGB,
	}
	var err error
	if in.Users, err = countFlag("users", text); err != nil {
		return nil, in, err
	}
	expected := in.Users
	if cmd.ExpectedUsers != "" {
		if expected, err = countFlag("expected-users", cmd.ExpectedUsers); err != nil {
			return nil, in, err
		}
	}
	r, err := size.Size(in, sizeLayout(expected), k)
	out, wrong := errors.AsType[*size.InputError](err)
	switch {
	case wrong:
		err = withHint(fmt.Errorf("--%s: %s", strings.ReplaceAll(out.Input, "_", "-"), out.Range), "kith bench size --help")
	case errors.Is(err, size.ErrServers):
		err = withHint(err, "a larger --server-cores or --fill")
	case errors.Is(err, size.ErrMasters):
		err = withHint(err, "a larger --master-memory or --window, or --labels by-tag or none")
	}
	return r, in, err
}

// tableUsers are the sizes of the table.
var tableUsers = []string{"1M", "10M", "100M", "500M", "2G"}

// table prints what each of them needs.
func (cmd *benchSizeCommand) table(t *terminal, k size.Constants) error {
	var results []*size.Result
	for _, users := range tableUsers {
		r, _, err := cmd.size(users, k)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	_, err := fmt.Fprint(t.stdout, size.Markdown(tableUsers, results))
	return err
}

const (
	// sizeCalibration is how many users the constants of a machine are taken from.
	sizeCalibration = 1_000_000
	// sizeLeast is as few as tell something, with clocks of 10 ms.
	sizeLeast = 250_000
	// sizeMost is as many as there are numbers to import.
	sizeMost = 5_000_000
)

// sizeCheckJSON is what --check --json prints.
type sizeCheckJSON struct {
	Constants size.Constants `json:"constants"`
	Checks    []sizeChecked  `json:"checks"`
}

type sizeChecked struct {
	Measured *size.Measured `json:"measured"`
	Rows     []size.Row     `json:"rows"`
}

// check takes the constants from one directory, and compares others with what the model says.
func (cmd *benchSizeCommand) check(ctx context.Context, t *terminal, k size.Constants) error {
	var sizes []int64
	for text := range strings.SplitSeq(cmd.Users, ",") {
		n, err := countFlag("users", text)
		if err != nil {
			return err
		}
		if n < sizeLeast || n > sizeMost {
			return withHint(errors.New("--check: from 250k to 5M users"), "--users 1M,5M")
		}
		sizes = append(sizes, n)
	}
	if err := checkEngine(); err != nil {
		return err
	}
	measured, err := measureSizes(ctx, t, append([]int64{sizeCalibration}, sizes...))
	if err != nil {
		return err
	}
	k = measured[0].Constants(k)
	if cmd.SaveConstants != "" {
		text, err := json.MarshalIndent(k, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(cmd.SaveConstants, append(text, '\n'), 0o644); err != nil {
			return fileError("constants", err)
		}
	}
	out, off := sizeCheckJSON{Constants: k}, 0
	for _, m := range measured[1:] {
		rows := m.Compare(k)
		out.Checks = append(out.Checks, sizeChecked{m, rows})
		for _, row := range rows {
			if row.Error() > size.MostError {
				off++
			}
		}
		if !cmd.JSON {
			if _, err := fmt.Fprintf(t.stdout, "%d users\n%s\n", m.Users, size.ReportRows(rows)); err != nil {
				return err
			}
		}
	}
	if cmd.JSON {
		if err := json.NewEncoder(t.stdout).Encode(out); err != nil {
			return err
		}
	}
	if off > 0 {
		return fmt.Errorf("%d figures are off by more than 20 %%", off)
	}
	return nil
}
