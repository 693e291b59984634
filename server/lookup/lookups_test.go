package lookup_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/lookup"
	"github.com/kith-project/kith/server/redistest"
	"github.com/kith-project/kith/server/registry"
	"github.com/kith-project/kith/server/snapshot"
)

// rig is one server's lookups over a Redis of their own.
type rig struct {
	redis    *redistest.Server
	keys     *keyring.Keyring
	registry *registry.Registry
	lookups  *lookup.Lookups
	store    *directory.Store
}

// newRig starts a rig whose epoch has two buckets.
func newRig(t *testing.T) *rig {
	t.Helper()
	ctx := context.Background()
	r := &rig{redis: redistest.Start(t, redistest.AppendFsync("no"))}
	options := r.redis.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	store := directory.New(rdb, directory.Config{})
	r.store = store
	master, err := keyring.NewMasterKey(rand.Reader)
	must(t, err)
	plan := keyring.Plan{Layout: directory.Layout{PartitionBits: 1, BucketBits: 1}, Slots: 16}
	must(t, keyring.Create(ctx, rdb, keyring.CreateOptions{Masters: []keyring.MasterKey{master}, Rand: rand.Reader, Plan: plan}, store))
	r.keys, err = keyring.Open(ctx, rdb, master)
	must(t, err)
	// The feed is gathered so rarely that only the tail can tell of what has just happened.
	r.lookups = lookup.New(lookup.Config{
		Redis: rdb, Directory: store, Keyring: r.keys, Snapshot: snapshot.Config{ChangesEvery: time.Hour},
		OnError: func(err error) { t.Log(err) },
	})
	r.registry = registry.New(r.keys, store)
	r.registry.OnWrite = r.lookups.Wrote
	return r
}

// run keeps the rig current until the test ends.
func (r *rig) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.keys.Follow(ctx) })
	running.Go(func() { r.lookups.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// active returns the epoch that devices use.
func (r *rig) active(t *testing.T) *keyring.Epoch {
	t.Helper()
	s, err := r.keys.Current()
	must(t, err)
	return s.Active()
}

func (r *rig) put(t *testing.T, number string, hidden bool) crypto.Tag {
	t.Helper()
	_, err := r.registry.Put(context.Background(), registry.Registration{Number: number, Label: "user", Hidden: hidden})
	must(t, err)
	n, err := r.active(t).Key.Evaluate([][]byte{normalize.Input(number)})
	must(t, err)
	tag, _ := crypto.Derive(n[0])
	return tag
}

// found reports whether the bucket of a tag has its short tag.
func (r *rig) found(t *testing.T, tag crypto.Tag) bool {
	t.Helper()
	tags, f, err := r.lookups.Tags(context.Background(), r.active(t), []uint32{tag.Prefix(1)})
	must(t, err)
	if len(tags) != f.Size() {
		t.Fatalf("%d bytes, want %d", len(tags), f.Size())
	}
	for ; len(tags) > 0; tags = tags[f.TagBytes:] {
		if string(tags[:f.TagBytes]) == string(tag.AppendShort(nil, 1, f.TagBytes)) {
			return true
		}
	}
	return false
}

// manifest waits for the first snapshot.
func (r *rig) manifest(t *testing.T) (*snapshot.Store, snapshot.Manifest) {
	t.Helper()
	store, err := r.lookups.Snapshot(r.active(t))
	must(t, err)
	for {
		m, _, err := store.Manifest(context.Background())
		if err == nil {
			return store, m
		}
		if !errors.Is(err, snapshot.ErrNone) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func number(i int) string { return fmt.Sprintf("+1415555%04d", i) }

// TestWhoWritesFindsIt registers and hides, and asks the same server at once: by bucket, and by the changes behind the
// snapshot.
func TestWhoWritesFindsIt(t *testing.T) {
	r := newRig(t)
	r.run(t)
	store, m := r.manifest(t)
	ctx := context.Background()
	for i := range 40 {
		tag := r.put(t, number(i%10), i%2 == 1)
		if got := r.found(t, tag); got != (i%2 == 0) {
			t.Fatalf("step %d: found by bucket %t", i, got)
		}
	}
	if _, err := store.Changes(ctx, m.ChangesSince.String()); err != nil { // which is kept for 100 ms
		t.Fatal(err)
	}
	tag := r.put(t, number(100), false)
	segment, err := store.Changes(ctx, m.ChangesSince.String())
	must(t, err)
	if segment.Closed || segment.Next != m.ChangesSince.String() {
		t.Errorf("the end of the feed is told as a segment: closed %t, next %s", segment.Closed, segment.Next)
	}
	entries, err := filter.ParseChanges(segment.Entries)
	must(t, err)
	seen := false
	for _, e := range entries {
		seen = seen || e.Visible && e.Prefix == filter.Prefix(tag)
	}
	if !seen {
		t.Errorf("a registration of just now is not among the %d changes", len(entries))
	}
}

func TestFullBucketsRaiseTheSlotsInTheBackground(t *testing.T) {
	r := newRig(t)
	r.run(t)
	for i := range 60 { // about 30 in each of two buckets of 16 slots
		r.put(t, number(i), false)
	}
	for r.active(t).Slots < 24 {
		time.Sleep(20 * time.Millisecond)
	}
	tags, f, err := r.lookups.Tags(context.Background(), r.active(t), []uint32{0, 1})
	must(t, err)
	if len(tags) != 2*f.Size() || f.Slots < 24 {
		t.Errorf("%d bytes in a format of %d slots", len(tags), f.Slots)
	}
}

// TestWithoutRunTheStoreIsAsked has an epoch that the lookups have not heard of.
func TestWithoutRunTheStoreIsAsked(t *testing.T) {
	r := newRig(t)
	if tag := r.put(t, number(1), false); !r.found(t, tag) {
		t.Error("a registration is not found")
	}
	r.redis.Kill()
	if _, _, err := r.lookups.Tags(context.Background(), r.active(t), []uint32{0}); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("with the store away: got %v, want ErrUnavailable", err)
	}
	if _, _, _, err := r.lookups.Labels(context.Background(), r.active(t), []uint32{0}); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("labels with the store away: got %v, want ErrUnavailable", err)
	}
}

// TestTheNextEpochIsWarm stages an epoch and waits, before it is active, for its memory and its first snapshot, so that
// the first lookups in it find both.
func TestTheNextEpochIsWarm(t *testing.T) {
	r := newRig(t)
	r.run(t)
	ctx := context.Background()
	plan := keyring.Plan{Layout: directory.Layout{PartitionBits: 1, BucketBits: 1}, Slots: 16}
	staged, _, err := r.keys.Stage(ctx, keyring.StageOptions{Plan: plan}, r.store)
	must(t, err)
	must(t, r.keys.MarkCopied(ctx, staged.ID))
	store, err := r.lookups.Snapshot(staged)
	must(t, err)
	for {
		if _, _, err := store.Manifest(ctx); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	tag := r.put(t, number(1), false)
	must(t, r.keys.MarkVerified(ctx, staged.ID))
	must(t, r.keys.Activate(ctx, staged.ID))
	if next := r.put(t, number(1), false); next == tag || !r.found(t, next) {
		t.Error("a registration is not found in the next epoch, or has the same tag there")
	}
}
