package rotation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

// run runs servers, each following the keyring, until done or for some minutes.
func run(t *testing.T, done func() bool, servers ...*server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(func() { s.keys.Follow(ctx) })
		wg.Go(func() { s.Run(ctx) })
	}
	for range 20_000 {
		if done() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	wg.Wait()
	if !done() {
		t.Error("not done")
	}
}

// TestServersShareTheWork runs two servers with two workers each: every record is copied, verified and settled once.
func TestServersShareTheWork(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	leaks := goleak.IgnoreCurrent()
	configure := func(c *Config) { c.Workers, c.Lease = 2, time.Minute }
	one, other := r.server(configure), r.server(configure)
	const numbers = 24
	one.put(0, numbers, 5)
	id := one.stage(true, time.Millisecond)
	one.Wake()
	watch := r.server(nil)
	run(t, func() bool { return phaseOf(watch.reload().Epoch(id)) == PhaseSettled }, one, other)
	snapshot := watch.reload()
	if e := snapshot.Epoch(1); !e.Over() {
		r.wantSame(e, snapshot.Epoch(id), numbers)
	}
	for _, c := range []struct {
		phase   Phase
		written int64
	}{{PhaseCopy, numbers}, {PhaseVerify, 0}, {PhaseSettle, 0}} {
		p, err := watch.queueOf(c.phase, id).read(ctx)
		if err != nil || p.done != 4 || p.records != numbers || p.written != c.written || p.unreadable != 0 {
			t.Errorf("%s: got %+v, %v, want %d records in 4 items, each once, and %d written", c.phase, p, err, numbers, c.written)
		}
	}
	for _, s := range []*server{one, other} {
		for _, err := range s.errors {
			t.Errorf("got %v", err)
		}
	}
	// Connections outlive the servers here.
	goleak.VerifyNone(t, leaks, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).checkMinIdleConns"))
}

// TestRotationOverRedisRestarts kills Redis twice while servers rotate: they tell of it and go on when it is back.
func TestRotationOverRedisRestarts(t *testing.T) {
	redisServer := redistest.Start(t) // which syncs each write to disk
	options := redisServer.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	r := newRigOn(t, client)
	const numbers = 8
	setup := r.server(nil)
	setup.put(0, numbers, 5)

	kills := 2
	var mu sync.Mutex
	var told []error
	s := r.spiedServer(nil, func(operation string) {
		if operation == "SaveMoves" && kills > 0 {
			kills--
			redisServer.Kill()
			go func() {
				time.Sleep(50 * time.Millisecond)
				redisServer.Restart()
			}()
		}
	})
	s.config.OnError = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err)
	}
	id := setup.stage(true, time.Hour)
	run(t, func() bool {
		e, _, err := setup.keys.Epoch(context.Background(), id)
		return err == nil && setup.keys.Reload(context.Background()) == nil && phaseOf(e) == PhaseSettled
	}, s)
	snapshot := setup.reload()
	r.wantSame(snapshot.Epoch(1), snapshot.Epoch(id), numbers)
	if len(told) == 0 {
		t.Error("nobody was told that Redis was away")
	}
	for _, err := range told {
		if !errors.Is(err, ErrUnavailable) && !errors.Is(err, directory.ErrUnavailable) && !errors.Is(err, keyring.ErrUnavailable) {
			t.Errorf("got %v, want an error that says Redis was away", err)
		}
	}
}

// broken is a directory whose reading of buckets fails so many times.
type broken struct {
	*directory.Store
	mu    sync.Mutex
	err   error
	times int
	tries int
}

func (b *broken) ScanBuckets(ctx context.Context, l directory.Layout, buckets []uint32) ([][]directory.Scanned, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if b.times > 0 {
		b.times--
		return nil, b.err
	}
	return b.Store.ScanBuckets(ctx, l, buckets)
}

// TestWorkOnErrorsIsBounded has every item fail: each step tries one item for each worker and then ends, and an item that
// failed is left alone for a while.
func TestWorkOnErrorsIsBounded(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	dir := &broken{Store: r.store, err: directory.ErrUnavailable, times: 4}
	s := r.server(func(c *Config) { c.Directory = dir })
	s.put(0, 4, 5)
	id := s.stage(false, 0)
	for i := 1; i <= 4; i++ {
		worked, errs := s.step(ctx)
		if worked || len(errs) != 1 || !errors.Is(errs[0], directory.ErrUnavailable) || dir.tries != i {
			t.Errorf("step %d: worked %t, %v, after %d tries", i, worked, errs, dir.tries)
		}
	}
	// All four items failed, and none is to be had before a while has passed.
	if worked, errs := s.step(ctx); worked || len(errs) != 0 || dir.tries != 4 {
		t.Errorf("got %t, %v after %d tries, want nothing tried", worked, errs, dir.tries)
	}
	for i := range uint64(4) {
		expire(r.rdb, s.queueOf(PhaseCopy, id), i)
	}
	s.drive(id, PhaseReady)
}

// TestStaleGenerationIsNoError has the keyring change after an item was claimed, so that a fence is ahead of its worker:
// the item is done under the new keyring, and nobody is told.
func TestStaleGenerationIsNoError(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	other := r.server(nil)
	id := uint32(2)
	changes := 0
	s := r.spiedServer(func(operation string) {
		if operation != "RaiseFence" || changes == 3 {
			return
		}
		changes++
		if err := other.keys.RaiseSlots(ctx, id, 96+changes); err != nil {
			t.Error(err)
		}
		generation := other.reload().Generation
		for p := range oldLayout.Partitions() {
			layout := other.reload().Epoch(1).Layout
			if err := r.store.RaiseFence(ctx, layout, uint32(p), generation); err != nil {
				t.Error(err)
			}
		}
	}, nil)
	s.put(0, 4, 5)
	s.stage(true, time.Hour)
	s.drive(id, PhaseSettled)
	snapshot := s.reload()
	r.wantSame(snapshot.Epoch(1), snapshot.Epoch(id), 4)
	if changes != 3 {
		t.Errorf("the keyring was changed %d times, want 3", changes)
	}

	// A fence ahead of every keyring there is would be another matter.
	third := s.stage(false, 0)
	for p := range newLayout.Partitions() {
		if err := r.store.RaiseFence(ctx, snapshot.Epoch(id).Layout, uint32(p), 1<<50); err != nil {
			t.Fatal(err)
		}
	}
	s.drive(third, PhaseCopy)
	if worked, errs := s.step(ctx); worked || len(errs) != 1 || !errors.Is(errs[0], directory.ErrStale) {
		t.Errorf("got %t, %v, want ErrStale", worked, errs)
	}
}

// TestLostPartitionOfTheNewEpoch is an error until the rotation is aborted.
func TestLostPartitionOfTheNewEpoch(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	s := r.server(nil)
	s.put(0, 6, 5)
	id := s.stage(false, 0)
	for p := range newLayout.Partitions() {
		if err := r.store.Sweep(ctx, s.reload().Epoch(id).Layout, uint32(p)); err != nil {
			t.Fatal(err)
		}
	}
	failed := 0
	for range 6 {
		_, errs := s.step(ctx)
		for _, err := range errs {
			failed++
			if !errors.Is(err, directory.ErrIncomplete) {
				t.Errorf("got %v, want ErrIncomplete", err)
			}
		}
	}
	if failed == 0 {
		t.Error("no error")
	}
	s.abort(id)
}

// TestContendedRecord has a malformed record of the new epoch change each time before it is replaced.
func TestContendedRecord(t *testing.T) {
	r := newRig(t)
	s := r.server(nil)
	s.put(0, 1, 5)
	id := s.stage(false, 0)
	s.drive(id, PhaseVerify)
	to := s.reload().Epoch(id)
	_, tag, _ := r.tagOf(to, 0)
	contend := func(times int) *server {
		n := 0
		spoiled := func(operation string) {
			if operation == "Apply" && n < times {
				n++
				r.damage(to, tag, fmt.Sprint("malformed ", n))
			}
		}
		r.damage(to, tag, "malformed")
		return r.spiedServer(spoiled, nil)
	}
	if _, errs := contend(100).step(context.Background()); len(errs) != 1 || !errors.Is(errs[0], errContended) {
		t.Errorf("changing all the time: got %v, want errContended", errs)
	}
	if err := s.queueOf(PhaseVerify, id).remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	contend(3).drive(id, PhaseReady)
	if got := r.find(to, 0); got != visible(0, 5) {
		t.Errorf("got %+v", got)
	}
}

// TestElementThatIsNone has a record whose element is in the store as it was sealed, and is not one of the group.
func TestElementThatIsNone(t *testing.T) {
	r := newRig(t)
	s := r.server(nil)
	s.put(0, rekeyBatch, 5)
	e := s.reload().Epoch(1)
	n, _, _ := r.tagOf(e, 0)
	for i := range n.Value {
		n.Value[i] = 0xFF
	}
	tag, _ := crypto.Derive(n)
	record := directory.Record{Format: directory.Hidden, Version: 1, Wrapped: e.Storage.Wrap(tag, n)}
	value, err := record.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	r.damage(e, tag, string(value))
	id := s.stage(true, time.Hour)
	s.driveErrors()
	if err := s.Activate(context.Background(), id, 1); err != nil {
		t.Fatalf("accepting one: %v", err)
	}
	s.drive(id, PhaseSettled)
	for i := range rekeyBatch {
		if got := r.find(s.reload().Epoch(id), i); got != visible(i, 5) {
			t.Errorf("number %d: got %+v", i, got)
		}
	}
}
