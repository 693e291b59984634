package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

// TestRotation goes through a whole rotation: everything that the old epoch holds is in the new one, under the new key,
// with its version and its time, and the old epoch is removed in the end.
func TestRotation(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		const numbers = 24
		r := newRigOn(t, rdb)
		s := r.server(nil)
		s.put(0, 18, 7)
		s.put(18, 20, 0) // versions assigned
		s.hide(1, 8)
		s.hide(20, 3)
		s.delete(2, 9)
		s.delete(21, 1<<53-1)

		id := s.stage(true, time.Millisecond)
		s.drive(id, PhaseSettled)
		snapshot := s.reload()
		before, after := snapshot.Epoch(1), snapshot.Epoch(id)
		if before.State != keyring.StateDraining || after.State != keyring.StateActive {
			t.Fatalf("the old epoch is %s and the new one %s", before.State, after.State)
		}
		all := r.wantSame(before, after, numbers)
		if all[0] != visible(0, 7) || all[1].format != directory.Hidden || all[1].version != 8 || all[2].version != 9 ||
			all[21].format != directory.Deleted || all[21].since == 0 || all[22] != (stored{}) {
			t.Errorf("got %+v", all)
		}

		for _, i := range []int{1, 2, 20, 21} {
			if got := r.find(after, i); got != all[i] {
				t.Errorf("number %d: got %+v, want %+v, the time of the tombstone as well", i, got, all[i])
			}
		}

		s.drive(1, PhaseDone)
		if e := s.reload().Epoch(1); e.State != keyring.StateRetired || e.Key != nil || e.Swept != 2 {
			t.Errorf("the old epoch is %s, swept %d times, its key there: %t", e.State, e.Swept, e.Key != nil)
		}
		for i := range numbers {
			if got := r.find(s.reload().Epoch(id), i); got != all[i] {
				t.Errorf("number %d: got %+v, want %+v", i, got, all[i])
			}
		}
		if n := r.keysOf(1); n != 0 {
			t.Errorf("%d keys are left of the old epoch", n)
		}
		if _, errs := s.step(context.Background()); len(errs) > 0 || len(s.errors) > 0 {
			t.Errorf("got errors %v, %v", errs, s.errors)
		}
	})
}
