package registry_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

// with returns a keyring of the next generation in which epochs have other states. One that is not named stays as it is.
func (w *world) with(states map[uint32]keyring.State) *keyring.Snapshot {
	next := &keyring.Snapshot{Generation: w.keys.snapshot.Generation + 1}
	for _, e := range w.keys.snapshot.Epochs {
		changed := *e
		if state, ok := states[e.ID]; ok {
			changed.State = state
		}
		next.Epochs = append(next.Epochs, &changed)
	}
	return next
}

// sweep removes an epoch's partitions, as a rotation does with one that is over.
func (w *world) sweep(t *testing.T, id uint32) {
	t.Helper()
	layout := w.epoch(id).Layout
	for p := range layout.Partitions() {
		if err := w.store.Sweep(context.Background(), layout, uint32(p)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestZombieOfRemovedEpochs has a server write by a keyring in which an epoch is used that was retired, or aborted, and
// removed since: what it writes is where the present keyring wants it, and nothing comes back in the removed one.
func TestZombieOfRemovedEpochs(t *testing.T) {
	for _, c := range []struct {
		name     string
		removed  uint32
		states   map[uint32]keyring.State
		deletion bool // with a label, which is read first
	}{
		{"draining, retired", 2, map[uint32]keyring.State{2: keyring.StateRetired}, false},
		{"staged, aborted", 4, map[uint32]keyring.State{4: keyring.StateAborted}, false},
		{"active, retired", 3, map[uint32]keyring.State{3: keyring.StateRetired, 4: keyring.StateActive}, false},
		{"active, retired, deletion", 3, map[uint32]keyring.State{3: keyring.StateRetired, 4: keyring.StateActive}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			w := newWorld(t)
			next := w.with(c.states)
			w.keys.next = []*keyring.Snapshot{next}
			w.sweep(t, c.removed)

			applied, err := false, error(nil)
			want := directory.Visible
			if c.deletion {
				applied, err = w.Delete(ctx, registry.Deletion{Number: number, Label: new("a")})
				want = directory.Deleted
			} else {
				applied, err = w.Put(ctx, registry.Registration{Number: number, Label: "a"})
			}
			if !applied || err != nil || w.keys.reloads != 1 {
				t.Errorf("got %t, %v after %d reloads, want it applied after 1", applied, err, w.keys.reloads)
			}
			active := w.find(t, next.Active().ID)
			if active.format != want {
				t.Errorf("the active epoch has %+v, want format %d", active, want)
			}
			for _, e := range next.Epochs {
				switch {
				case e.ID == c.removed:
					_, tag, _ := tagOf(t, e, number)
					if _, _, err := w.store.Get(ctx, e.Layout, tag); !errors.Is(err, directory.ErrIncomplete) {
						t.Errorf("the removed epoch: got %v, want ErrIncomplete", err)
					}
				case e.Written():
					if got := w.find(t, e.ID); got != active {
						t.Errorf("epoch %d has %+v, the active one %+v", e.ID, got, active)
					}
				}
			}
		})
	}
}

// TestLostEpochIsNotDecidedAnewForever has an epoch that is written to lose its data: with the keyring as it was, that is
// an error, after one look at the keyring.
func TestLostEpochIsNotDecidedAnewForever(t *testing.T) {
	w := newWorld(t)
	w.sweep(t, 3)
	for _, label := range []*string{nil, new("a")} {
		w.keys.reloads = 0
		applied, err := w.Delete(context.Background(), registry.Deletion{Number: number, Label: label})
		if applied || !errors.Is(err, directory.ErrIncomplete) || w.keys.reloads != 1 {
			t.Errorf("got %t, %v after %d reloads, want ErrIncomplete after 1", applied, err, w.keys.reloads)
		}
	}
	failing := registry.New(reloadFails{w.keys}, w.store)
	if applied, err := failing.Put(context.Background(), registry.Registration{Number: number}); applied || err != keyring.ErrUnavailable {
		t.Errorf("got %t, %v, want the error of Reload", applied, err)
	}
}

// paused is a store that lets something happen before a server's first write arrives.
type paused struct {
	*directory.Store
	meanwhile func()
}

func (p *paused) Apply(ctx context.Context, l directory.Layout, generation uint64, writes []directory.Write) ([]directory.Outcome, error) {
	if meanwhile := p.meanwhile; meanwhile != nil {
		p.meanwhile = nil
		meanwhile()
	}
	return p.Store.Apply(ctx, l, generation, writes)
}

// TestServerPausedAcrossStaging is the promise that a server which missed the beginning of a rotation loses no write: it
// has decided where to write by a keyring without the staged epoch, and is stopped until a copier has raised the fence.
func TestServerPausedAcrossStaging(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(r *registry.Registry) (bool, error)
		want  directory.Format
	}{
		{"registration", func(r *registry.Registry) (bool, error) {
			return r.Put(context.Background(), registry.Registration{Number: number, Label: "a"})
		}, directory.Visible},
		{"with a version", func(r *registry.Registry) (bool, error) {
			return r.Put(context.Background(), registry.Registration{Number: number, Label: "a", Version: 9})
		}, directory.Visible},
		{"deletion", func(r *registry.Registry) (bool, error) {
			return r.Delete(context.Background(), registry.Deletion{Number: number, Label: new("a")})
		}, directory.Deleted},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			staged := newEpoch(t, 6, keyring.StateStaged)
			meanwhile := func() {
				next := w.with(map[uint32]keyring.State{4: keyring.StateAborted})
				next.Epochs = append(next.Epochs, staged)
				w.keys.next = []*keyring.Snapshot{next} // for who reloads
				if err := w.store.Prepare(context.Background(), staged.Layout, next.Generation); err != nil {
					t.Fatal(err)
				}
				w.fence(t, 3, next.Generation)
			}
			applied, err := c.write(registry.New(w.keys, &paused{w.store, meanwhile}))
			if !applied || err != nil {
				t.Errorf("got %t, %v, want it applied", applied, err)
			}
			for _, id := range []uint32{2, 3, 6} {
				if got := w.find(t, id); got != w.find(t, 3) || got.format != c.want {
					t.Errorf("epoch %d has %+v, want format %d as in the active one", id, got, c.want)
				}
			}
			if got := w.find(t, 4); got != (found{}) {
				t.Errorf("the aborted epoch has %+v", got)
			}
		})
	}
}

var _ registry.Store = (*paused)(nil)
