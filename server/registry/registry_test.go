package registry_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
	"github.com/kith-project/kith/server/registry"
)

const (
	number     = "+14155552671"
	generation = 5
)

// keys is a keyring that the test changes: each Reload takes the next of the snapshots that are to come.
type keys struct {
	mu       sync.Mutex
	snapshot *keyring.Snapshot
	next     []*keyring.Snapshot
	reloads  int
	err      error // of Current and Reload
}

func (k *keys) Current() (*keyring.Snapshot, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return nil, k.err
	}
	return k.snapshot, nil
}

func (k *keys) Reload(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reloads++
	if len(k.next) > 0 {
		k.snapshot, k.next = k.next[0], k.next[1:]
	}
	return k.err
}

// world is a registry over a real directory with an epoch in each state: 1 retired, 2 draining, 3 active, 4 staged, 5
// aborted.
type world struct {
	*registry.Registry
	redis *redistest.Server
	rdb   *redis.Client
	store *directory.Store
	keys  *keys
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{redis: redistest.Start(t, redistest.AppendFsync("no")), keys: new(keys)}
	options := w.redis.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	w.rdb = redis.NewClient(options)
	t.Cleanup(func() { _ = w.rdb.Close() })
	w.store = directory.New(w.rdb, directory.Config{})
	s := &keyring.Snapshot{Generation: generation}
	for i, state := range []keyring.State{
		keyring.StateRetired, keyring.StateDraining, keyring.StateActive, keyring.StateStaged, keyring.StateAborted,
	} {
		e := newEpoch(t, uint32(i+1), state)
		if err := w.store.Prepare(context.Background(), e.Layout, generation); err != nil {
			t.Fatal(err)
		}
		s.Epochs = append(s.Epochs, e)
	}
	w.keys.snapshot = s
	w.Registry = registry.New(w.keys, w.store)
	return w
}

func newEpoch(t *testing.T, id uint32, state keyring.State) *keyring.Epoch {
	t.Helper()
	key, err := voprf.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var storage secret.Value
	_, _ = rand.Read(storage[:])
	return &keyring.Epoch{
		ID: id, State: state, Prepared: true, Key: key, Storage: crypto.StorageKey{Value: storage},
		Layout: directory.Layout{Epoch: id, PartitionBits: 1, BucketBits: 2},
	}
}

// epoch returns an epoch by its id.
func (w *world) epoch(id uint32) *keyring.Epoch { return w.keys.snapshot.Epoch(id) }

// tagOf returns what a device would derive of a number in an epoch.
func tagOf(t *testing.T, e *keyring.Epoch, number string) (voprf.UnblindedElement, crypto.Tag, crypto.LabelKey) {
	t.Helper()
	n, err := e.Key.Evaluate([][]byte{normalize.Input(number)})
	if err != nil {
		t.Fatal(err)
	}
	tag, key := crypto.Derive(n[0])
	return n[0], tag, key
}

// found is what is stored of a number in one epoch. The zero value is nothing.
type found struct {
	format  directory.Format
	version uint64
	label   string
}

// find reads what is stored of the number in an epoch, and checks that it belongs to that epoch's keys.
func (w *world) find(t *testing.T, id uint32) found {
	t.Helper()
	return w.findOf(t, id, number)
}

// findOf is find of any number.
func (w *world) findOf(t *testing.T, id uint32, number string) found {
	t.Helper()
	e := w.epoch(id)
	n, tag, key := tagOf(t, e, number)
	record, _, err := w.store.Get(context.Background(), e.Layout, tag)
	if errors.Is(err, directory.ErrNotFound) {
		return found{}
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Storage.Unwrap(tag, record.Wrapped); err != nil || !got.Equal(n.Value) {
		t.Errorf("epoch %d: the element does not unwrap: %v", id, err)
	}
	f := found{record.Format, record.Version, ""}
	if record.Format == directory.Visible {
		if f.label, err = key.Open(tag, record.Label); err != nil {
			t.Errorf("epoch %d: the label does not open: %v", id, err)
		}
	}
	return f
}

// wantEverywhere checks that the number is stored alike in every epoch that is written to, and not in the others. It
// returns what is stored.
func (w *world) wantEverywhere(t *testing.T) found {
	t.Helper()
	return w.everywhere(t, number)
}

// everywhere is wantEverywhere of any number.
func (w *world) everywhere(t *testing.T, number string) found {
	t.Helper()
	active := w.findOf(t, 3, number)
	for _, id := range []uint32{2, 4} {
		if got := w.findOf(t, id, number); got != active {
			t.Errorf("epoch %d has %+v, the active one %+v", id, got, active)
		}
	}
	for _, id := range []uint32{1, 5} {
		if got := w.findOf(t, id, number); got != (found{}) {
			t.Errorf("epoch %d, which is not written to, has %+v", id, got)
		}
	}
	return active
}

func TestWrites(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	put := func(label string, hidden bool, version uint64) func() (bool, error) {
		return func() (bool, error) {
			return w.Put(ctx, registry.Registration{Number: number, Label: label, Hidden: hidden, Version: version})
		}
	}
	remove := func(label *string, version uint64) func() (bool, error) {
		return func() (bool, error) {
			return w.Delete(ctx, registry.Deletion{Number: number, Label: label, Version: version})
		}
	}
	steps := []struct {
		name    string
		write   func() (bool, error)
		applied bool
		err     error
		want    found
	}{
		{"deletion of what is not there", remove(nil, 1), true, nil, found{directory.Deleted, 1, ""}},
		{"registered", put("a", false, 2), true, nil, found{directory.Visible, 2, "a"}},
		{"older", put("b", false, 1), false, nil, found{directory.Visible, 2, "a"}},
		{"repeated", put("a", false, 2), true, nil, found{directory.Visible, 2, "a"}},
		{"hidden", put("b", true, 3), true, nil, found{directory.Hidden, 3, ""}},
		{"shown at the same version", put("b", false, 3), false, nil, found{directory.Hidden, 3, ""}},
		{"shown", put("b", false, 4), true, nil, found{directory.Visible, 4, "b"}},
		{"deleted under another label", remove(new("a"), 5), false, registry.ErrLabelMismatch, found{directory.Visible, 4, "b"}},
		{"older deletion under its label", remove(new("b"), 3), false, nil, found{directory.Visible, 4, "b"}},
		{"deleted under its label", remove(new("b"), 5), true, nil, found{directory.Deleted, 5, ""}},
		{"deleted again", remove(new("b"), 5), true, nil, found{directory.Deleted, 5, ""}},
		{"deleted under another label when gone", remove(new("x"), 6), true, nil, found{directory.Deleted, 6, ""}},
		{"hidden again", put("", true, 7), true, nil, found{directory.Hidden, 7, ""}},
		{"deleted with a label when hidden", remove(new("x"), 8), true, nil, found{directory.Deleted, 8, ""}},
		{"without a label", put("", false, 9), true, nil, found{directory.Visible, 9, ""}},
		{"deleted under the empty label", remove(new(""), 10), true, nil, found{directory.Deleted, 10, ""}},
		{"the last version", put("z", false, directory.VersionEnd-1), true, nil, found{directory.Visible, directory.VersionEnd - 1, "z"}},
		{"none after the last", put("y", false, 0), false, nil, found{directory.Visible, directory.VersionEnd - 1, "z"}},
	}
	for _, step := range steps {
		applied, err := step.write()
		if applied != step.applied || !errors.Is(err, step.err) {
			t.Errorf("%s: got %t, %v, want %t, %v", step.name, applied, err, step.applied, step.err)
		}
		if got := w.wantEverywhere(t); got != step.want {
			t.Errorf("%s: got %+v, want %+v", step.name, got, step.want)
		}
	}
}

func TestInvalidWritesReachNothing(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	tests := []struct {
		name string
		reg  registry.Registration
		want error
	}{
		{"label too long", registry.Registration{Number: number, Label: strings.Repeat("x", 48)}, crypto.ErrLabel},
		{"label not UTF-8", registry.Registration{Number: number, Label: "\xff"}, crypto.ErrLabel},
		{"label of a hidden one", registry.Registration{Number: number, Label: "\xff", Hidden: true}, crypto.ErrLabel},
		{"version 2^53", registry.Registration{Number: number, Label: "a", Version: 1 << 53}, directory.ErrRecord},
		{"number too long to hash", registry.Registration{Number: strings.Repeat("1", voprf.MaxInput), Label: "a"}, voprf.ErrInput},
	}
	for _, test := range tests {
		if applied, err := w.Put(ctx, test.reg); applied || !errors.Is(err, test.want) {
			t.Errorf("%s: got %t, %v, want %v", test.name, applied, err, test.want)
		}
	}
	if got := w.wantEverywhere(t); got != (found{}) {
		t.Errorf("got %+v, want nothing", got)
	}
}

// TestVersionsAreAssignedUpwards writes without versions, from a stored one that is ahead of the clock too.
func TestVersionsAreAssignedUpwards(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	last := uint64(time.Now().Add(-time.Minute).UnixMilli())
	ahead := uint64(time.Now().Add(time.Hour).UnixMilli()) &^ 1 // versions are even in this epoch
	for i := range 12 {
		r := registry.Registration{Number: number, Label: fmt.Sprint(i)}
		if i == 6 {
			r.Version = ahead
		}
		if applied, err := w.Put(ctx, r); !applied || err != nil {
			t.Fatalf("got %t, %v, want it applied", applied, err)
		}
		got := w.wantEverywhere(t)
		if got.version <= last || got.label != r.Label {
			t.Errorf("write %d: got %+v after version %d", i, got, last)
		}
		last = got.version
	}
	if last != ahead+10 {
		t.Errorf("got version %d, want %d", last, ahead+10)
	}
	if applied, err := w.Delete(ctx, registry.Deletion{Number: number, Label: new("11")}); !applied || err != nil {
		t.Errorf("Delete: got %t, %v, want it applied", applied, err)
	}
	if got := w.wantEverywhere(t); got != (found{directory.Deleted, ahead + 12, ""}) {
		t.Errorf("got %+v, want it deleted at %d", got, ahead+12)
	}
}

// TestConcurrentWritesEndAlike has writers without versions race: whichever wins, it wins in every epoch.
func TestConcurrentWritesEndAlike(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for i := range 8 {
		other := registry.New(w.keys, w.store)
		wg.Go(func() {
			for j := range 4 {
				r := registry.Registration{Number: number, Label: fmt.Sprint(i, j), Hidden: (i+j)%3 == 0}
				if _, err := other.Put(context.Background(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	w.wantEverywhere(t)
}

// fence raises the fence of the number's partition in an epoch.
func (w *world) fence(t *testing.T, id uint32, generation uint64) {
	t.Helper()
	e := w.epoch(id)
	_, tag, _ := tagOf(t, e, number)
	if err := w.store.RaiseFence(context.Background(), e.Layout, e.Layout.Partition(tag), generation); err != nil {
		t.Fatal(err)
	}
}

// TestStaleGenerationIsReloaded has the keyring move on to another active epoch without the registry's knowledge: what
// it writes in the end is where the new keyring wants it.
func TestStaleGenerationIsReloaded(t *testing.T) {
	for _, fenced := range []uint32{2, 3, 4} {
		t.Run(fmt.Sprint("epoch ", fenced), func(t *testing.T) {
			w := newWorld(t)
			next := &keyring.Snapshot{Generation: generation + 1}
			for _, e := range w.keys.snapshot.Epochs {
				moved := *e
				switch e.State {
				case keyring.StateActive:
					moved.State = keyring.StateDraining
				case keyring.StateStaged:
					moved.State = keyring.StateActive
				}
				next.Epochs = append(next.Epochs, &moved)
			}
			added := newEpoch(t, 6, keyring.StateStaged)
			if err := w.store.Prepare(context.Background(), added.Layout, generation+1); err != nil {
				t.Fatal(err)
			}
			next.Epochs = append(next.Epochs, added)
			w.keys.next = []*keyring.Snapshot{next}
			w.fence(t, fenced, generation+1)

			applied, err := w.Put(context.Background(), registry.Registration{Number: number, Label: "a"})
			if !applied || err != nil || w.keys.reloads != 1 {
				t.Errorf("got %t, %v after %d reloads, want it applied after 1", applied, err, w.keys.reloads)
			}
			got := w.wantEverywhere(t)
			if got.label != "a" || w.find(t, 6) != got {
				t.Errorf("got %+v and %+v in the epoch that was added, want the same", got, w.find(t, 6))
			}
		})
	}
}

func TestStaleGenerationEnds(t *testing.T) {
	w := newWorld(t)
	w.fence(t, 3, generation+1) // by a keyring that Reload does not find
	if applied, err := w.Put(context.Background(), registry.Registration{Number: number, Label: "a"}); applied || err != registry.ErrContended {
		t.Errorf("got %t, %v, want ErrContended", applied, err)
	}
	if got := w.wantEverywhere(t); got != (found{}) {
		t.Errorf("got %+v, want nothing", got)
	}
	failing := registry.New(reloadFails{w.keys}, w.store)
	if applied, err := failing.Put(context.Background(), registry.Registration{Number: number, Label: "a"}); applied || err != keyring.ErrUnavailable {
		t.Errorf("got %t, %v, want the error of Reload", applied, err)
	}
}

// reloadFails is a keyring that can not be read again.
type reloadFails struct{ *keys }

func (reloadFails) Reload(context.Context) error { return keyring.ErrUnavailable }

// meddling is a store in which something happens between the reading and the writing of a deletion.
type meddling struct {
	*directory.Store
	times  int
	meddle func()
}

func (m *meddling) Get(ctx context.Context, l directory.Layout, tag crypto.Tag) (directory.Record, []byte, error) {
	record, raw, err := m.Store.Get(ctx, l, tag)
	if m.times > 0 {
		m.times--
		m.meddle()
	}
	return record, raw, err
}

func TestDeletionIsDecidedAnewAfterAConflict(t *testing.T) {
	tests := []struct {
		name    string
		label   string // registered meanwhile
		times   int
		applied bool
		err     error
		want    found
	}{
		{"the same label", "a", 1, true, nil, found{directory.Deleted, 1, ""}},
		{"another label", "b", 1, false, registry.ErrLabelMismatch, found{directory.Visible, 1, "b"}},
		{"changing all the time", "a", 100, false, registry.ErrContended, found{directory.Visible, 1, "a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx := context.Background()
			w := newWorld(t)
			register := func(label string) {
				if applied, err := w.Put(ctx, registry.Registration{Number: number, Label: label}); !applied || err != nil {
					t.Fatalf("Put: %t, %v", applied, err)
				}
			}
			register("a")
			store := &meddling{w.store, test.times, func() { register(test.label) }}
			applied, err := registry.New(w.keys, store).Delete(ctx, registry.Deletion{Number: number, Label: new("a")})
			if applied != test.applied || err != test.err {
				t.Errorf("got %t, %v, want %t, %v", applied, err, test.applied, test.err)
			}
			got := w.wantEverywhere(t)
			got.version = 1
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestLabelOfAnotherIsNotTakenForNone has a label stored that does not open.
func TestLabelOfAnotherIsNotTakenForNone(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	e := w.epoch(3)
	_, tag, _ := tagOf(t, e, number)
	write := directory.Write{Tag: tag, Format: directory.Visible, Version: 1}
	if _, err := w.store.Apply(ctx, e.Layout, generation, []directory.Write{write}); err != nil {
		t.Fatal(err)
	}
	if applied, err := w.Delete(ctx, registry.Deletion{Number: number, Label: new("a")}); applied || !errors.Is(err, directory.ErrRecord) {
		t.Errorf("got %t, %v, want ErrRecord", applied, err)
	}
}

func TestKeyringErrors(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.keys.err = keyring.ErrNone
	if applied, err := w.Put(ctx, registry.Registration{Number: number}); applied || err != keyring.ErrNone {
		t.Errorf("got %t, %v, want ErrNone", applied, err)
	}
	w.keys.err = nil
	w.keys.snapshot = &keyring.Snapshot{Generation: 1, Epochs: []*keyring.Epoch{newEpoch(t, 1, keyring.StateStaged)}}
	if applied, err := w.Delete(ctx, registry.Deletion{Number: number}); applied || err != registry.ErrNoEpoch {
		t.Errorf("got %t, %v, want ErrNoEpoch", applied, err)
	}
}

// TestStoreTroubleIsAnError shows that a write that did not reach every epoch is not said to be applied.
func TestStoreTroubleIsAnError(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	wantError := func(when string, want error) {
		t.Helper()
		if applied, err := w.Put(ctx, registry.Registration{Number: number, Label: "a"}); applied || !errors.Is(err, want) {
			t.Errorf("%s: Put: got %t, %v, want %v", when, applied, err, want)
		}
		for _, label := range []*string{nil, new("a")} {
			if applied, err := w.Delete(ctx, registry.Deletion{Number: number, Label: label}); applied || !errors.Is(err, want) {
				t.Errorf("%s: Delete: got %t, %v, want %v", when, applied, err, want)
			}
		}
	}
	w.redis.Kill()
	wantError("away", directory.ErrUnavailable)
	w.redis.Restart()
	if applied, err := w.Put(ctx, registry.Registration{Number: number, Label: "a"}); !applied || err != nil {
		t.Errorf("back: got %t, %v", applied, err)
	}
	staged := w.epoch(4).Layout
	for p := range staged.Partitions() {
		if err := w.store.Sweep(ctx, staged, uint32(p)); err != nil {
			t.Fatal(err)
		}
	}
	wantError("one epoch lost", directory.ErrIncomplete)
	if err := w.rdb.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	wantError("flushed", directory.ErrIncomplete)
}
