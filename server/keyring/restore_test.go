package keyring_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/server/keyring"
)

// sweep removes the partitions of an epoch, as servers do with one that is over.
func (r *rig) sweep(t *testing.T, e *keyring.Epoch) {
	t.Helper()
	for p := range e.Layout.Partitions() {
		step(t, "Sweep", r.store.Sweep(context.Background(), e.Layout, uint32(p)))
	}
}

// loseKeyring removes the keyring from the store.
func (r *rig) loseKeyring(t *testing.T) {
	t.Helper()
	step(t, "removing the keyring", r.rdb.Del(context.Background(), redisKey).Err())
}

// TestRestoreOfABackupWhoseEpochIsGone: the active epoch of the backup was retired and removed since. Restored without a
// word, it refused everything from then on.
func TestRestoreOfABackupWhoseEpochIsGone(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	data := r.backUp(t)
	first := r.snapshot(t).Active()
	r.stage(t)
	step(t, "MarkVerified", r.MarkVerified(ctx, 2))
	step(t, "Activate", r.Activate(ctx, 2))
	step(t, "MarkSettled", r.MarkSettled(ctx, 2))
	step(t, "Retire", r.Retire(ctx, 1))
	for _, removed := range []string{"in part", "all of it"} {
		if removed == "in part" {
			step(t, "Sweep", r.store.Sweep(ctx, first.Layout, 3))
		} else {
			r.sweep(t, first)
		}
		r.loseKeyring(t)
		_, err := r.restore(data)
		missing, ok := errors.AsType[*keyring.MissingError](err)
		if !ok || missing.Epoch != 1 || !slices.Equal(missing.Orphans, []uint32{2}) {
			t.Errorf("%s: got %v, want that partitions of epoch 1 are missing and epoch 2 is there", removed, err)
		}
		if exists, err := keyring.Exists(ctx, r.rdb); err != nil || exists {
			t.Errorf("%s: a keyring was made all the same: %t, %v", removed, exists, err)
		}
	}
	o := keyring.RestoreOptions{Masters: []keyring.MasterKey{r.master}, Directory: r.store, Rand: rand.Reader, Empty: true}
	if restored, err := keyring.Restore(ctx, r.rdb, data, o); err != nil || !slices.Equal(restored.Orphans, []uint32{2}) {
		t.Errorf("with the registrations given up: got %+v, %v", restored, err)
	}
	s := r.snapshot(t)
	step(t, "Prepare", r.store.Prepare(ctx, first.Layout, s.Generation))
	step(t, "writing", r.write(t, r.open(t), 1))
}

// TestRestoreDoesNotBringBackADrainingEpoch that was removed since: registrations go to draining epochs too, and would be
// refused there. The backup is from before the registrations were settled, which they were when the epoch was retired.
func TestRestoreDoesNotBringBackADrainingEpoch(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	r.stage(t)
	step(t, "MarkVerified", r.MarkVerified(ctx, 2))
	step(t, "Activate", r.Activate(ctx, 2))
	data := r.backUp(t)
	step(t, "MarkSettled", r.MarkSettled(ctx, 2))
	step(t, "Retire", r.Retire(ctx, 1))
	r.sweep(t, r.snapshot(t).Epoch(1))
	r.loseKeyring(t)
	restored, err := r.restore(data)
	if err != nil || !slices.Equal(restored.Retired, []uint32{1}) || restored.Aborted != nil || restored.Orphans != nil {
		t.Fatalf("got %+v, %v, want epoch 1 retired", restored, err)
	}
	s := r.snapshot(t)
	if e := s.Epoch(1); e.State != keyring.StateRetired || e.Key != nil || e.Ended.IsZero() || s.Active().Settled.IsZero() {
		t.Errorf("got %+v and %+v, want epoch 1 retired without keys, and epoch 2 settled", e, s.Active())
	}
	k := r.open(t)
	step(t, "writing", r.write(t, k, 1))
	if _, _, err := k.Stage(ctx, stage, r.store); err != nil {
		t.Errorf("the next rotation: %v", err)
	}
}

// TestRestoreDoesNotBringBackAStagedEpoch that was aborted and removed since.
func TestRestoreDoesNotBringBackAStagedEpoch(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	r.stage(t)
	before := view(t, r.snapshot(t), nil)
	data := r.backUp(t)
	step(t, "Abort", r.Abort(ctx, 2))
	r.sweep(t, r.snapshot(t).Epoch(2))
	r.loseKeyring(t)
	restored, err := r.restore(data)
	if err != nil || !slices.Equal(restored.Aborted, []uint32{2}) || restored.Retired != nil {
		t.Fatalf("got %+v, %v, want epoch 2 aborted", restored, err)
	}
	s := r.snapshot(t)
	if e := s.Epoch(2); e.State != keyring.StateAborted || e.Key != nil {
		t.Errorf("got %+v, want epoch 2 aborted without keys", e)
	}
	if entries := view(t, s, &before.Checkpoint).Entries; entries[len(entries)-1].Event != keylog.EventAborted {
		t.Errorf("the log ends with %+v, want that epoch 2 is aborted", entries[len(entries)-1])
	}
	if e, _, err := r.open(t).Stage(ctx, stage, r.store); err != nil || e.ID <= 2 {
		t.Errorf("the next rotation: got %+v, %v", e, err)
	}
}
