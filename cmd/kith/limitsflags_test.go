package main

import (
	"io"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/quota"
)

// parsed returns the commands as they are after a command line.
func parsed(t *testing.T, args ...string) *commands {
	t.Helper()
	c := new(commands)
	parser, err := kong.New(c, kong.Name("kith"), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDefaultLimits holds the defaults that are written in flags to those of the packages: of kith serve, of kith demo, and of
// kith attack-cost, whose answer would otherwise be about another server.
func TestDefaultLimits(t *testing.T) {
	want := defaultLimits
	if got := parsed(t, "serve", "--ephemeral").Serve.limitsFlags; got != want {
		t.Errorf("kith serve has %+v, want %+v", got, want)
	}
	if err := want.check(); err != nil {
		t.Error(err)
	}
	if got := want.batch().MaxElements; got != server.DefaultLimits.MaxElements {
		t.Errorf("batches of %d, want %d", got, server.DefaultLimits.MaxElements)
	}
	ledger, err := quota.New(nil, quota.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	limits := ledger.Limits()
	attack := parsed(t, "attack-cost", "--region", "US").AttackCost
	if attack.Burst != int64(limits.Burst) || attack.RefillPerDay != int64(limits.RefillPerDay) ||
		attack.YoungPerDay != int64(limits.YoungPerDay) || attack.YoungAge != limits.YoungAge {
		t.Errorf("kith attack-cost has %d, %d, %d, %v; servers have %+v", attack.Burst, attack.RefillPerDay, attack.YoungPerDay, attack.YoungAge, limits)
	}
}

// TestBatchesFitTheLimits: devices are told of no larger batch than an account can ever pay for.
func TestBatchesFitTheLimits(t *testing.T) {
	for _, tt := range []struct{ burst, young, want int }{
		{10_000, 0, 1024}, {1024, 0, 1024}, {500, 0, 500}, {1, 0, 1}, {10_000, 100, 100}, {50, 100, 50},
	} {
		f := limitsFlags{Burst: tt.burst, YoungPerDay: tt.young}
		if got := f.batch().MaxElements; got != tt.want {
			t.Errorf("burst %d, young %d: batches of %d, want %d", tt.burst, tt.young, got, tt.want)
		}
	}
}
