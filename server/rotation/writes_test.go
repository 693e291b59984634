package rotation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

// pinned is a keyring that a server has stopped reading: what it knows changes only when the store makes it reload.
type pinned struct {
	keys *keyring.Keyring

	mu       sync.Mutex // guards what follows
	snapshot *keyring.Snapshot
	reloads  int
}

func (p *pinned) Current() (*keyring.Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snapshot, nil
}

func (p *pinned) Reload(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.keys.Reload(ctx); err != nil {
		return err
	}
	p.reloads++
	var err error
	p.snapshot, err = p.keys.Current()
	return err
}

// pin returns a server's keyring as it now is.
func (s *server) pin() *pinned { return &pinned{keys: s.keys, snapshot: s.reload()} }

// spied is a directory that calls before and after each of its operations that a mover makes.
type spied struct {
	*directory.Store
	before, after func(operation string)
}

func (s *spied) RaiseFence(ctx context.Context, l directory.Layout, partition uint32, generation uint64) error {
	s.before("RaiseFence")
	defer s.after("RaiseFence")
	return s.Store.RaiseFence(ctx, l, partition, generation)
}

func (s *spied) ScanBuckets(ctx context.Context, l directory.Layout, buckets []uint32) ([][]directory.Scanned, error) {
	s.before("ScanBuckets")
	defer s.after("ScanBuckets")
	return s.Store.ScanBuckets(ctx, l, buckets)
}

func (s *spied) GetAll(ctx context.Context, l directory.Layout, tags []crypto.Tag) ([]directory.Found, error) {
	s.before("GetAll")
	defer s.after("GetAll")
	return s.Store.GetAll(ctx, l, tags)
}

func (s *spied) Apply(ctx context.Context, l directory.Layout, generation uint64, writes []directory.Write) ([]directory.Outcome, error) {
	s.before("Apply")
	defer s.after("Apply")
	return s.Store.Apply(ctx, l, generation, writes)
}

func (s *spied) SaveMoves(ctx context.Context, l directory.Layout, generation uint64, partition, target uint32, moves []directory.Move) error {
	s.before("SaveMoves")
	defer s.after("SaveMoves")
	return s.Store.SaveMoves(ctx, l, generation, partition, target, moves)
}

// spiedServer adds a server whose directory calls before and after its operations, nil for nothing.
func (r *rig) spiedServer(before, after func(operation string)) *server {
	r.t.Helper()
	nothing := func(string) {}
	if before == nil {
		before = nothing
	}
	if after == nil {
		after = nothing
	}
	return r.server(func(c *Config) { c.Directory = &spied{r.store, before, after} })
}

// TestWritesDuringARotation writes all through a rotation: before and after each operation of the mover, by a server that
// reads the keyring only when it is made to. In the end both epochs hold the last write of every number.
func TestWritesDuringARotation(t *testing.T) {
	const numbers, seed = 8, 11
	ctx := context.Background()
	for _, versioned := range []bool{true, false} {
		t.Run(fmt.Sprint("versions ", versioned), func(t *testing.T) {
			r := newRig(t)
			other := r.server(nil)
			writer := registry.New(other.pin(), r.store)
			random := rand.New(rand.NewPCG(seed, 0))
			want := make([]stored, numbers)
			version := uint64(100)
			writes := 0
			write := func() {
				i := random.IntN(numbers)
				version++
				w := stored{format: directory.Format(1 + random.IntN(3)), label: label(i, version)}
				given := uint64(0)
				if versioned {
					given, w.version = version, version
				}
				var applied bool
				var err error
				if w.format == directory.Deleted {
					applied, err = writer.Delete(ctx, registry.Deletion{Number: number(i), Version: given})
				} else {
					applied, err = writer.Put(ctx, registry.Registration{Number: number(i), Label: w.label, Hidden: w.format == directory.Hidden, Version: given})
				}
				if err != nil || !applied {
					t.Errorf("write %d: applied %t, %v", writes, applied, err)
				}
				if w.format != directory.Visible {
					w.label = ""
				}
				want[i] = w
				writes++
			}
			for range numbers {
				write()
			}
			sometimes := func(string) {
				if random.IntN(3) == 0 {
					write()
				}
			}
			s := r.spiedServer(sometimes, sometimes)
			id := s.stage(true, time.Millisecond)
			s.drive(id, PhaseSettled)
			write()
			snapshot := s.reload()
			wantStored(t, r.wantSame(snapshot.Epoch(1), snapshot.Epoch(id), numbers), want)

			// The writer does not know that the old epoch has gone.
			s.drive(1, PhaseDone)
			for range numbers {
				write()
			}
			all := make([]stored, numbers)
			for i := range all {
				all[i] = r.find(s.reload().Epoch(id), i)
			}
			wantStored(t, all, want)
			if n := r.keysOf(1); n != 0 {
				t.Errorf("%d keys of the old epoch are there again", n)
			}
			if writes < 30 {
				t.Errorf("only %d writes were made", writes)
			}
		})
	}
}

// wantStored compares what is stored with what was written, versions only where they were given.
func wantStored(t *testing.T, got, want []stored) {
	t.Helper()
	for i := range want {
		got[i].since = 0
		if want[i].version == 0 {
			got[i].version = 0
		}
		if got[i] != want[i] {
			t.Errorf("number %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

// TestServerPausedAcrossStaging is the whole way of what the fence is for: a server that knows nothing of the staged epoch
// writes when everything has been copied.
func TestServerPausedAcrossStaging(t *testing.T) {
	for _, phase := range []Phase{PhaseCopy, PhaseVerify, PhaseReady, PhaseSettle, PhaseSettled} {
		t.Run(string(phase), func(t *testing.T) {
			r := newRig(t)
			paused := r.server(nil)
			keys := paused.pin()
			writer := &server{t: t, keys: paused.keys, Registry: registry.New(keys, r.store)}
			s := r.server(nil)
			s.put(0, 4, 5)
			id := s.stage(false, 0)
			if phase == PhaseSettle || phase == PhaseSettled {
				s.drive(id, PhaseReady)
				if err := s.Activate(context.Background(), id, -1); err != nil {
					t.Fatal(err)
				}
			}
			s.drive(id, phase)
			writer.put(0, 1, 6)
			writer.put(1, 2, 4) // too late
			writer.delete(2, 6)
			writer.put(4, 5, 1)
			if phase == PhaseCopy || phase == PhaseVerify || phase == PhaseReady {
				s.drive(id, PhaseReady)
				if err := s.Activate(context.Background(), id, -1); err != nil {
					t.Fatal(err)
				}
			}
			s.drive(id, PhaseSettled)
			snapshot := s.reload()
			all := r.wantSame(snapshot.Epoch(1), snapshot.Epoch(id), 6)
			all[2].since = 0
			for i, want := range []stored{
				visible(0, 6), visible(1, 5), {format: directory.Deleted, version: 6}, visible(3, 5), visible(4, 1), {},
			} {
				if all[i] != want {
					t.Errorf("number %d: got %+v, want %+v", i, all[i], want)
				}
			}
			if phase != PhaseCopy && keys.reloads == 0 {
				t.Error("the paused server was not made to read the keyring")
			}
		})
	}
}

// TestSettleRepairsWhatReachedOneEpoch has writes that stopped half-way, their server having been killed before it wrote to
// the second epoch. What reached the old one alone is in the new one once that is settled.
func TestSettleRepairsWhatReachedOneEpoch(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	s := r.server(nil)
	s.put(0, 4, 5)
	id := s.stage(false, 0)
	s.drive(id, PhaseReady)
	// half a write: the keyring of the server has the old epoch alone, and the generation of the present one
	snapshot := s.reload()
	half := registry.New(&pinned{keys: s.keys, snapshot: &keyring.Snapshot{
		Generation: snapshot.Generation, Epochs: []*keyring.Epoch{snapshot.Epoch(1)},
	}}, r.store)
	killed := &server{t: t, Registry: half}
	killed.put(0, 1, 6)
	killed.hide(1, 6)
	killed.delete(2, 6)
	killed.put(4, 5, 6)

	if err := s.Activate(ctx, id, -1); err != nil {
		t.Fatal(err)
	}
	if got := r.find(s.reload().Epoch(id), 4); got != (stored{}) {
		t.Fatalf("the new epoch has %+v already", got)
	}
	s.drive(id, PhaseSettled)
	snapshot = s.reload()
	all := r.wantSame(snapshot.Epoch(1), snapshot.Epoch(id), 5)
	if all[0] != visible(0, 6) || all[1].format != directory.Hidden || all[2].format != directory.Deleted || all[4] != visible(4, 6) {
		t.Errorf("got %+v", all)
	}
	status, err := s.Status(ctx)
	if err != nil || status.Epochs[1].Rotation.Repaired != 4 {
		t.Errorf("got %+v, %v, want 4 repaired", status.Epochs[1].Rotation, err)
	}
}
