package keyring_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// loseChanges puts an older state of the keyring into the store, as a replica has it that was behind.
func (r *rig) loseChanges(t *testing.T, older map[string]string) {
	t.Helper()
	ctx := context.Background()
	r.rdb.Del(ctx, redisKey)
	if err := r.rdb.HSet(ctx, redisKey, older).Err(); err != nil {
		t.Fatal(err)
	}
}

// fields returns the keyring as stored.
func (r *rig) fields(t *testing.T) map[string]string {
	t.Helper()
	fields, err := r.rdb.HGetAll(context.Background(), redisKey).Result()
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

// write writes a registration by what a keyring knows.
func (r *rig) write(t *testing.T, k *keyring.Keyring, version uint64) error {
	t.Helper()
	s, err := k.Current()
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.store.Apply(context.Background(), s.Active().Layout, s.Generation, []directory.Write{{Format: directory.Visible, Version: version}})
	return err
}

// wantBehind checks what Behind returns.
func (r *rig) wantBehind(t *testing.T, when string, k *keyring.Keyring, want bool) {
	t.Helper()
	if got, err := k.Behind(context.Background(), r.store); got != want || err != nil {
		t.Errorf("%s: Behind: got %t, %v, want %t", when, got, err, want)
	}
}

// newLoser returns a rig whose store has lost two changes of the keyring, with which the partitions were written to, and
// the fields with them. Its own keyring does not know them, and knower's does.
func newLoser(t *testing.T) (r *rig, newer map[string]string, knower *keyring.Keyring) {
	t.Helper()
	ctx := context.Background()
	r = newRig(t)
	older := r.fields(t)
	knower = r.open(t)
	for _, slots := range []int{200, 300} {
		step(t, "RaiseSlots", knower.RaiseSlots(ctx, 1, slots))
	}
	step(t, "writing", r.write(t, knower, 1))
	newer = r.fields(t)
	r.loseChanges(t, older)
	return r, newer, knower
}

// TestHealRaisesTheGenerationAboveTheFences: without it every registration is refused until something changes the keyring
// as often as it takes.
func TestHealRaisesTheGenerationAboveTheFences(t *testing.T) {
	ctx := context.Background()
	r, _, _ := newLoser(t)
	before := r.snapshot(t)
	r.wantBehind(t, "with changes lost", r.Keyring, true)
	if err := r.write(t, r.Keyring, 2); !errors.Is(err, directory.ErrStale) {
		t.Errorf("writing before: got %v, want ErrStale", err)
	}
	h, err := r.Heal(ctx, r.store)
	if want := (keyring.Healed{From: before.Generation, To: before.Generation + 3}); err != nil || h.From != want.From || h.To != want.To || h.Orphans != nil {
		t.Errorf("Heal: got %+v, %v, want %+v", h, err, want)
	}
	step(t, "writing after", r.write(t, r.Keyring, 2))
	r.wantBehind(t, "healed", r.Keyring, false)
	wantSame(t, before, r.snapshot(t))
	if h, err := r.Heal(ctx, r.store); err != nil || h.To != 0 {
		t.Errorf("Heal again: got %+v, %v, want nothing done", h, err)
	}
}

// TestServersHealOnce has several servers heal at once: one of them does.
func TestServersHealOnce(t *testing.T) {
	r, _, _ := newLoser(t)
	before := r.snapshot(t).Generation
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		times int
	)
	for range 8 {
		k := r.open(t)
		wg.Go(func() {
			h, err := k.Heal(context.Background(), r.store)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if h.To != 0 {
				times++
			}
		})
	}
	wg.Wait()
	if got := r.snapshot(t).Generation; times != 1 || got != before+3 {
		t.Errorf("%d healed, to generation %d; want 1, to %d", times, got, before+3)
	}
}

// TestWhoKnowsTheLostChangesWritesThemBack instead of healing, and does not count as behind.
func TestWhoKnowsTheLostChangesWritesThemBack(t *testing.T) {
	r, newer, knower := newLoser(t)
	r.wantBehind(t, "who knows the changes", knower, false)
	h, err := knower.Heal(context.Background(), r.store)
	if err != nil || h.To != 0 {
		t.Errorf("Heal: got %+v, %v, want nothing done", h, err)
	}
	if got := r.fields(t); !maps.Equal(got, newer) {
		t.Error("the lost changes were not written back as they were")
	}
	r.wantBehind(t, "after that", r.Keyring, false)
}

// TestWhatAServerHasNotHeardOfIsNotLost: a partition may be told of a change before every server is.
func TestWhatAServerHasNotHeardOfIsNotLost(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	other := r.open(t)
	step(t, "RaiseSlots", other.RaiseSlots(ctx, 1, 200))
	step(t, "writing", r.write(t, other, 1))
	r.wantBehind(t, "a change by another", r.Keyring, false)
	third := r.open(t)
	if _, _, err := other.Stage(ctx, stage, r.store); err != nil {
		t.Fatal(err)
	}
	r.wantBehind(t, "an epoch of another", third, false)
}

// TestHealSkipsLostEpochs: an epoch that the keyring has lost has partitions, with records that no key opens. The next
// epoch must not begin with them.
func TestHealSkipsLostEpochs(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	older := r.fields(t)
	lost := r.stage(t)
	r.loseChanges(t, older)
	k := r.open(t)
	r.wantBehind(t, "with an epoch lost", k, true)
	h, err := k.Heal(ctx, r.store)
	if err != nil || !slices.Equal(h.Orphans, []uint32{lost.ID}) {
		t.Fatalf("Heal: got %+v, %v, want epoch %d orphaned", h, err, lost.ID)
	}
	r.wantBehind(t, "healed", k, false)
	next, _, err := k.Stage(ctx, stage, r.store)
	if err != nil || next.ID <= lost.ID {
		t.Fatalf("the next epoch: got %+v, %v, want an id that none had", next, err)
	}
	if _, err := r.store.Match(ctx, next.Layout, make([]crypto.Tag, 1)); err != nil {
		t.Errorf("its partitions: %v", err)
	}
}

// TestHealDoesNotFollowDamage: generations are below 2^53, and a damaged fence must not make the keyring unreadable.
func TestHealDoesNotFollowDamage(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	before := r.snapshot(t).Generation
	r.rdb.HSet(ctx, "kith:{e1.p0}:meta", "fence", "9007199254740991")
	r.wantBehind(t, "with a damaged fence", r.Keyring, true)
	if h, err := r.Heal(ctx, r.store); !errors.Is(err, keyring.ErrFence) || h.To != 0 {
		t.Errorf("Heal: got %+v, %v, want ErrFence", h, err)
	}
	if got := r.snapshot(t).Generation; got != before {
		t.Errorf("the generation went from %d to %d", before, got)
	}
}
