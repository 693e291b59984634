package snapshot

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// TestOneOfManyBuilds runs several builders until a set is there and changes have come through.
func TestOneOfManyBuilds(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 32)...)
		var built atomic.Int32
		first := make(chan struct{})
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		for range 4 {
			b := r.builder(nil, nil, Config{ChangesEvery: 3 * time.Millisecond, OnBuilt: func(Manifest) {
				if built.Add(1) == 1 {
					close(first)
				}
			}, OnError: func(err error) { t.Errorf("OnError: %v", err) }})
			running.Go(func() { b.Run(ctx) })
		}
		<-first
		d := r.download()
		r.write(directory.Hidden, 1)
		for d.has(tag(1)) {
			if err := r.follow(d); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		running.Wait()
		if built.Load() != 1 {
			t.Errorf("got %d sets, want 1", built.Load())
		}
		r.wantMembers(d)
		if n := rdb.Exists(context.Background(), newKeys(r.layout.Epoch).lease).Val(); n != 0 {
			t.Error("the lease was not given back")
		}
	})
}

// TestSecondBuilderWaits asks while another builds.
func TestSecondBuilderWaits(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		other := r.builder(nil, nil, Config{OnBuilt: func(Manifest) { t.Error("the second builder built") }})
		r.turn(r.builder(nil, r.calling(func(uint32) error {
			wantError(t, "second turn", turn(ctx, other), ErrLease)
			wantError(t, "second lead", other.lead(ctx), errHeld)
			return nil
		}), Config{}))
		r.turn(other)
	})
}

// TestRunTriggeredAndRetried fails the first builds, and asks for another one after the first success.
func TestRunTriggeredAndRetried(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		fail := 3
		var failures []error
		built := make(chan Manifest)
		ctx, cancel := context.WithCancel(context.Background())
		b := r.builder(nil, r.calling(func(uint32) error {
			if fail--; fail >= 0 {
				return directory.ErrUnavailable
			}
			return nil
		}), Config{
			ChangesEvery: 3 * time.Millisecond,
			OnBuilt:      func(m Manifest) { built <- m },
			OnError:      func(err error) { failures = append(failures, err) },
		})
		var running sync.WaitGroup
		running.Go(func() { b.Run(ctx) })
		first := <-built
		r.sleep(time.Minute)
		if err := b.Trigger(ctx); err != nil {
			t.Fatal(err)
		}
		if second := <-built; second.Created <= first.Created {
			t.Errorf("got a set of %d after one of %d", second.Created, first.Created)
		}
		cancel()
		running.Wait()
		if len(failures) != 3 {
			t.Errorf("got %d failures %v, want 3", len(failures), failures)
		}
		for _, err := range failures {
			wantError(t, "OnError", err, directory.ErrUnavailable)
		}
	})
}

// TestLostLeaseEndsTheWork waits for the renewal to notice.
func TestLostLeaseEndsTheWork(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		k := newKeys(r.layout.Epoch)
		l, err := acquire(ctx, rdb, k.lease, 30*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		held, stop := l.keep(ctx)
		defer stop()
		rdb.Set(ctx, k.lease, "somebody else", 0)
		<-held.Done()
		if cause := context.Cause(held); !errors.Is(cause, ErrLease) {
			t.Errorf("got cause %v, want ErrLease", cause)
		}
		l.release(ctx)
		if owner := rdb.Get(ctx, k.lease).Val(); owner != "somebody else" {
			t.Error("a lost lease was given back for its new owner")
		}
	})
}

// TestLeaseLastsWhileItIsKept holds it for longer than its length.
func TestLeaseLastsWhileItIsKept(t *testing.T) {
	ctx := context.Background()
	rdb := redistest.Start(t, redistest.AppendFsync("no")).Client()
	l, err := acquire(ctx, rdb, "kith:{e1.snapshot}:lease", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	// As if nearly all of it had passed.
	rdb.PExpire(ctx, l.key, 10*time.Minute)
	l.length = time.Hour
	if err := l.call(ctx, l.length, "0"); err != nil {
		t.Fatal(err)
	}
	if left := rdb.PTTL(ctx, l.key).Val(); left <= 10*time.Minute {
		t.Errorf("got %v left, want it renewed", left)
	}
	if _, err := acquire(ctx, rdb, l.key, time.Minute); !errors.Is(err, ErrLease) {
		t.Errorf("a second owner: got %v, want ErrLease", err)
	}
	l.release(ctx)
	if _, err := acquire(ctx, rdb, l.key, time.Minute); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
}

// TestRunEndsWithoutGoroutines ends a builder in the middle of a build.
func TestRunEndsWithoutGoroutines(t *testing.T) {
	r := newRig(t, redistest.Start(t, redistest.AppendFsync("no")).Client())
	ignore := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(context.Background())
	b := r.builder(nil, r.calling(func(uint32) error { cancel(); return nil }), Config{
		OnError: func(err error) { t.Errorf("the end was reported as %v", err) },
	})
	b.Run(ctx)
	goleak.VerifyNone(t, ignore)
}

// TestCluster builds over three masters, where keys of different slots cannot meet in one script.
func TestCluster(t *testing.T) {
	ctx := context.Background()
	cluster := redistest.StartCluster(t, 3, 0, redistest.AppendFsync("no"))
	r := newRig(t, cluster.Client())
	r.write(directory.Visible, count(0, 32)...)
	b := r.builder(nil, nil, Config{})
	r.turn(b)
	d := r.download()
	r.wantMembers(d)
	r.write(directory.Hidden, 1, 2, 3)
	r.turn(b)
	if err := r.follow(d); err != nil {
		t.Fatal(err)
	}
	r.wantMembers(d)
	if err := Sweep(ctx, cluster.Client(), r.layout.Epoch); err != nil {
		t.Error(err)
	}
}
