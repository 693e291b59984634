package rotation

import (
	"fmt"
	"testing"
	"time"

	"github.com/kith-project/kith/server/keyring"
)

// TestTasks says for keyrings in each state of a rotation what is to be done at a time, which is Redis's.
func TestTasks(t *testing.T) {
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const staged, active, draining, retired, aborted = keyring.StateStaged, keyring.StateActive, keyring.StateDraining,
		keyring.StateRetired, keyring.StateAborted
	first := &keyring.Epoch{ID: 1, State: active, Prepared: true}
	old := func(e keyring.Epoch) *keyring.Epoch {
		e.ID, e.Prepared = 1, true
		return &e
	}
	next := func(e keyring.Epoch) *keyring.Epoch {
		e.ID, e.From = 2, 1
		return &e
	}
	r := &Rotator{config: Config{SweepAfter: 10 * time.Second, SecondSweep: 10 * time.Minute}}
	for _, c := range []struct {
		name   string
		epochs []*keyring.Epoch
		want   string
	}{
		{"nothing", nil, "[]"},
		{"the first epoch", []*keyring.Epoch{first}, "[]"},
		{"the first epoch, being made", []*keyring.Epoch{{ID: 1, State: staged}}, "[]"},
		{"staged", []*keyring.Epoch{first, next(keyring.Epoch{State: staged})}, "[prepare 2]"},
		{"prepared", []*keyring.Epoch{first, next(keyring.Epoch{State: staged, Prepared: true})}, "[copy 2]"},
		{"copied", []*keyring.Epoch{first, next(keyring.Epoch{State: staged, Prepared: true, Copied: now})}, "[verify 2]"},
		{"verified, by hand", []*keyring.Epoch{first, next(keyring.Epoch{State: staged, Prepared: true, Copied: now, Verified: now})}, "[]"},
		{"verified", []*keyring.Epoch{first, next(keyring.Epoch{State: staged, Prepared: true, Copied: now, Verified: now, Auto: true})}, "[activate 2]"},
		{"active", []*keyring.Epoch{old(keyring.Epoch{State: draining, RetireAt: ago(time.Hour)}), next(keyring.Epoch{State: active, Activated: ago(2 * time.Hour), Auto: true})}, "[settle 2]"},
		{"settled, not due", []*keyring.Epoch{old(keyring.Epoch{State: draining, RetireAt: now.Add(1)}), next(keyring.Epoch{State: active, Activated: now, Settled: now, Auto: true})}, "[]"},
		{"settled, due", []*keyring.Epoch{old(keyring.Epoch{State: draining, RetireAt: now}), next(keyring.Epoch{State: active, Activated: now, Settled: now, Auto: true})}, "[retire 1]"},
		{"settled, due, by hand", []*keyring.Epoch{old(keyring.Epoch{State: draining, RetireAt: now}), next(keyring.Epoch{State: active, Activated: now, Settled: now})}, "[]"},
		{"retired a moment ago", []*keyring.Epoch{old(keyring.Epoch{State: retired, Ended: ago(10*time.Second - 1)})}, "[]"},
		{"retired", []*keyring.Epoch{old(keyring.Epoch{State: retired, Ended: ago(10 * time.Second)})}, "[sweep 1]"},
		{"removed", []*keyring.Epoch{old(keyring.Epoch{State: retired, Ended: ago(time.Hour), Swept: 1, LastSwept: ago(10*time.Minute - 1)})}, "[]"},
		{"removed a while ago", []*keyring.Epoch{old(keyring.Epoch{State: retired, Ended: ago(time.Hour), Swept: 1, LastSwept: ago(10 * time.Minute)})}, "[sweep 1]"},
		{"removed twice", []*keyring.Epoch{old(keyring.Epoch{State: retired, Ended: ago(time.Hour), Swept: 2, LastSwept: ago(time.Hour)})}, "[]"},
		{"aborted, and another staged", []*keyring.Epoch{first, {ID: 2, From: 1, State: aborted, Ended: ago(time.Minute)}, {ID: 3, From: 1, State: staged, Prepared: true}}, "[sweep 2 copy 3]"},
		{"copied from one that is gone", []*keyring.Epoch{old(keyring.Epoch{State: retired, Swept: 2}), next(keyring.Epoch{State: active})}, "[]"},
	} {
		text := []string{}
		for _, task := range r.tasks(&keyring.Snapshot{Epochs: c.epochs}, now) {
			text = append(text, fmt.Sprint(task.what, " ", task.epoch.ID))
		}
		if got := fmt.Sprint(text); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	r := newRig(t)
	good := Config{Redis: r.rdb, Directory: r.store, Keyring: r.server(nil).keys}
	for _, c := range []struct {
		name   string
		change func(c *Config)
		want   error
	}{
		{"as it is", func(*Config) {}, nil},
		{"all of the machine", func(c *Config) { c.Share = 1 }, nil},
		{"no Redis", func(c *Config) { c.Redis = nil }, ErrConfig},
		{"no directory", func(c *Config) { c.Directory = nil }, ErrConfig},
		{"no keyring", func(c *Config) { c.Keyring = nil }, ErrConfig},
		{"less than nothing", func(c *Config) { c.Share = -0.1 }, ErrConfig},
		{"more than all", func(c *Config) { c.Share = 1.01 }, ErrConfig},
		{"workers below none", func(c *Config) { c.Workers = -1 }, ErrConfig},
		{"a lease of 2 ms", func(c *Config) { c.Lease = 2 * time.Millisecond }, ErrConfig},
		{"a lease of hours", func(c *Config) { c.Lease = time.Hour }, ErrConfig},
		{"removed at once", func(c *Config) { c.SweepAfter = -1 }, ErrConfig},
		{"removed at once again", func(c *Config) { c.SecondSweep = -1 }, ErrConfig},
	} {
		config := good
		c.change(&config)
		if _, err := New(config); err != c.want {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

// TestDuty divides a share of some cores among workers.
func TestDuty(t *testing.T) {
	r := newRig(t)
	for _, share := range []float64{0.01, 0.25, 0.5, 0.75, 1} {
		c, err := Config{Redis: r.rdb, Directory: r.store, Keyring: r.server(nil).keys, Share: share}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		cores := c.duty() * float64(c.Workers)
		if want := share * float64(maxProcs()); cores > want+1e-9 || cores < want-1e-9 {
			t.Errorf("a share of %g: got %d workers that work %g of their time, want %g cores together", share, c.Workers, c.duty(), want)
		}
	}
}
