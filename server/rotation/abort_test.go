package rotation

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// TestAbort aborts a rotation in each of its phases, in the middle of it where it has one: the old epoch is as it was,
// registrations go to it alone, nothing is left of the new one, and another rotation goes through.
func TestAbort(t *testing.T) {
	const numbers = 8
	for _, c := range []struct {
		phase  Phase
		inside string // an operation of the phase before which it is aborted, "" for at its beginning
	}{
		{PhasePrepare, ""}, {PhaseCopy, ""}, {PhaseCopy, "Apply"}, {PhaseCopy, "SaveMoves"}, {PhaseVerify, ""}, {PhaseVerify, "GetAll"},
		{PhaseReady, ""},
	} {
		t.Run(fmt.Sprint(c.phase, " ", c.inside), func(t *testing.T) {
			ctx := context.Background()
			r := newRig(t)
			other := r.server(nil)
			id := uint32(2)
			abort := false // before the next operation c.inside
			s := r.spiedServer(func(operation string) {
				if abort && operation == c.inside {
					abort = false
					if err := other.keys.Abort(ctx, id); err != nil {
						t.Errorf("Abort: %v", err)
					}
				}
			}, nil)
			s.put(0, numbers-2, 5)
			s.hide(0, 6)
			s.delete(1, 6)
			want := make([]stored, numbers)
			for i := range want {
				want[i] = r.find(s.reload().Epoch(1), i)
			}

			if c.phase == PhasePrepare {
				unprepared := keyring.StageOptions{Plan: keyring.Plan{Layout: newLayout, Slots: 96}}
				if _, _, err := s.keys.Stage(ctx, unprepared, failing{}); !errors.Is(err, directory.ErrUnavailable) {
					t.Fatalf("Stage: got %v", err)
				}
			} else {
				s.stage(false, 0)
			}
			s.drive(id, c.phase)
			if c.inside == "" {
				if err := other.keys.Abort(ctx, id); err != nil {
					t.Fatal(err)
				}
			} else {
				abort = true
				s.reload()
			}
			s.drive(id, PhaseDone)
			if err := s.Activate(ctx, id, -1); !errors.Is(err, keyring.ErrState) {
				t.Errorf("Activate: got %v, want ErrState", err)
			}

			snapshot := s.reload()
			if e := snapshot.Epoch(id); e.State != keyring.StateAborted || snapshot.Active().ID != 1 {
				t.Errorf("epoch %d is %s, and epoch %d active", id, e.State, snapshot.Active().ID)
			}
			if n := r.keysOf(id); n != 0 {
				t.Errorf("%d keys are left of the aborted epoch", n)
			}
			if n := len(r.rdb.Keys(ctx, "kith:{e1.*moves").Val()); n != 0 {
				t.Errorf("%d proofs of the move are left", n)
			}
			for i := range want {
				if got := r.find(snapshot.Epoch(1), i); got != want[i] {
					t.Errorf("number %d: got %+v, want %+v", i, got, want[i])
				}
			}
			s.put(6, 7, 3)

			s.settle(s.stage(false, 0))
			snapshot = s.reload()
			all := r.wantSame(snapshot.Epoch(1), snapshot.Epoch(3), numbers)
			if all[6] != visible(6, 3) || all[5] != want[5] {
				t.Errorf("after another rotation: got %+v", all)
			}
		})
	}
}

// failing is a directory that does not answer.
type failing struct{}

func (failing) Prepare(context.Context, directory.Layout, uint64) error {
	return directory.ErrUnavailable
}

// TestStageOfAKilledServerIsFinished has an epoch whose server ended before its partitions were made.
func TestStageOfAKilledServerIsFinished(t *testing.T) {
	r := newRig(t)
	s := r.server(nil)
	s.put(0, 2, 1)
	options := keyring.StageOptions{Plan: keyring.Plan{Layout: newLayout, Slots: 96}, Auto: true}
	if _, _, err := s.keys.Stage(context.Background(), options, failing{}); err == nil {
		t.Fatal("Stage: no error")
	}
	if e := s.reload().Epoch(2); e == nil || e.Prepared {
		t.Fatalf("got %+v, want a staged epoch that is not prepared", e)
	}
	s.drive(2, PhaseSettled)
	snapshot := s.reload()
	r.wantSame(snapshot.Epoch(1), snapshot.Epoch(2), 2)
}

// TestRetireByTime retires an epoch when it is due by Redis's clock, and only if it may be.
func TestRetireByTime(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	s := r.server(nil)
	s.settleAuto(time.Hour)
	if worked, errs := s.step(ctx); worked || len(errs) > 0 {
		t.Errorf("before its time: worked %t, %v", worked, errs)
	}
	if e := s.reload().Epoch(1); e.State != keyring.StateDraining {
		t.Fatalf("the old epoch is %s", e.State)
	}

	// A clock that is two hours ahead is that of Redis here.
	ahead := r.server(func(c *Config) { c.Keyring = clocked{c.Keyring, 2 * time.Hour} })
	ahead.reload()
	if _, errs := ahead.step(ctx); len(errs) > 0 {
		t.Errorf("when it is due: %v", errs)
	}
	if e := s.reload().Epoch(1); e.State != keyring.StateRetired {
		t.Errorf("the old epoch is %s, want it retired", e.State)
	}
}

// settleAuto has a server rotate by itself, until the new epoch is settled.
func (s *server) settleAuto(drain time.Duration) {
	s.t.Helper()
	s.drive(s.stage(true, drain), PhaseSettled)
}

// clocked is a keyring whose Redis has another time.
type clocked struct {
	Keyring
	ahead time.Duration
}

func (c clocked) Time(ctx context.Context) (time.Time, error) {
	now, err := c.Keyring.Time(ctx)
	return now.Add(c.ahead), err
}

// TestSweptTwice brings keys back after the first removal, as a failover may: the second removes them, not before its time.
func TestSweptTwice(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	s := r.server(func(c *Config) { c.SecondSweep = time.Hour })
	s.put(0, 4, 1)
	s.settleAuto(0)
	e := s.reload().Epoch(1)
	for s.reload().Epoch(1).Swept == 0 {
		if _, errs := s.step(ctx); len(errs) > 0 {
			t.Fatal(errs)
		}
	}
	if n := len(r.rdb.Keys(ctx, "kith:{e1.*").Val()); n != 0 {
		t.Errorf("%d keys are left after the first removal", n)
	}
	if err := r.store.Prepare(ctx, e.Layout, 1); err != nil {
		t.Fatal(err)
	}
	_, tag, _ := r.tagOf(e, 0)
	r.damage(e, tag, "back again")
	for range 3 {
		if worked, errs := s.step(ctx); worked || len(errs) > 0 {
			t.Errorf("before its time: worked %t, %v", worked, errs)
		}
		s.reload()
	}
	later := r.server(func(c *Config) {
		c.SecondSweep = time.Hour
		c.Keyring = clocked{c.Keyring, 2 * time.Hour}
	})
	later.drive(1, PhaseDone)
	if n := r.keysOf(1); n != 0 {
		t.Errorf("%d keys are left after the second removal", n)
	}
	if worked, errs := later.step(ctx); worked || len(errs) > 0 {
		t.Errorf("when all is done: worked %t, %v", worked, errs)
	}
}

// TestSnapshotIsSwept tells who publishes sets that an epoch is over, each time.
func TestSnapshotIsSwept(t *testing.T) {
	var swept []uint32
	failures := 1
	r := newRig(t)
	s := r.server(func(c *Config) {
		c.SweepSnapshot = func(_ context.Context, epoch uint32) error {
			swept = append(swept, epoch)
			if failures > 0 {
				failures--
				return errors.New("away")
			}
			return nil
		}
	})
	id := s.stage(false, 0)
	if err := s.keys.Abort(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for phaseOf(s.reload().Epoch(id)) != PhaseDone {
		_, errs := s.step(context.Background())
		failed += len(errs)
	}
	if fmt.Sprint(swept) != "[2 2 2]" || failed != 1 {
		t.Errorf("removed the sets of %v, with %d errors; want epoch 2 three times, with one error", swept, failed)
	}
}
