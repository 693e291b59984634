package snapshot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

func TestManifestIsRememberedForASecond(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		s := NewStore(rdb, r.layout.Epoch, 0)
		s.now = r.now
		_, _, err := s.Manifest(ctx)
		wantError(t, "before the first build", err, ErrNone)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		_, _, err = s.Manifest(ctx)
		wantError(t, "within a second", err, ErrNone)
		r.sleep(time.Second)
		first, etag, err := s.Manifest(ctx)
		if err != nil || len(etag) != 24 || etag[0] != '"' || etag[23] != '"' {
			t.Fatalf("after a second: got tag %s, %v", etag, err)
		}

		r.sleep(DefaultInterval)
		r.turn(b)
		second, next, err := s.Manifest(ctx)
		if err != nil || next == etag || second.Created == first.Created {
			t.Errorf("after the next build: got tag %s, %v, first %s", next, err, etag)
		}
		rdb.Set(ctx, b.keys.manifest, "{}", 0)
		r.sleep(time.Second)
		_, _, err = s.Manifest(ctx)
		wantError(t, "malformed", err, ErrManifest)
		r.turn(b)
		r.sleep(time.Second)
		_, _, err = s.Manifest(ctx)
		wantError(t, "malformed and built again", err, nil)
	})
}

func TestCorruptShardIsRefused(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 5)...)
		r.turn(r.builder(nil, nil, Config{}))
		m, _, err := r.store.Manifest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		id := m.Shards[0].ID
		key := r.store.keys.shard(id)
		b := []byte(rdb.Get(ctx, key).Val())
		b[len(b)-1] ^= 1
		rdb.Set(ctx, key, b, 0)
		_, err = r.store.Shard(ctx, id)
		wantError(t, "one bit", err, ErrCorrupt)
		rdb.Set(ctx, key, "", 0)
		_, err = r.store.Shard(ctx, id)
		wantError(t, "empty", err, ErrCorrupt)
		_, err = r.store.Shard(ctx, ID{1})
		wantError(t, "unknown", err, ErrNotFound)
		_, err = NewStore(rdb, r.layout.Epoch+1000, 0).Shard(ctx, id)
		wantError(t, "epoch without a set", err, ErrNotFound)
	})
}

// TestShardsAreRemembered takes them away from Redis.
func TestShardsAreRemembered(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 5)...)
		r.turn(r.builder(nil, nil, Config{}))
		m := r.download().manifest
		forgetful := NewStore(rdb, r.layout.Epoch, -1)
		if _, err := forgetful.Shard(ctx, m.Shards[0].ID); err != nil {
			t.Fatal(err)
		}
		rdb.Del(ctx, r.store.keys.shard(m.Shards[0].ID))
		if _, err := r.store.Shard(ctx, m.Shards[0].ID); err != nil {
			t.Errorf("remembered: %v", err)
		}
		_, err := forgetful.Shard(ctx, m.Shards[0].ID)
		wantError(t, "without memory", err, ErrUnavailable)
	})
}

func TestShardCacheForgetsTheOldest(t *testing.T) {
	ctx := context.Background()
	c := newShardCache(30)
	reads := ""
	read := func(_ context.Context, id ID) ([]byte, error) {
		reads += fmt.Sprintf(" %d", id[0])
		return make([]byte, 10), nil
	}
	for _, n := range []byte{1, 2, 3, 1, 4, 1, 3, 2} {
		if _, err := c.get(ctx, ID{n}, read); err != nil {
			t.Fatal(err)
		}
	}
	if want := " 1 2 3 4 2"; reads != want {
		t.Errorf("read%s, want%s", reads, want)
	}
	if c.size != 30 || len(c.entries) != 3 || c.order.Len() != 3 || len(c.reads) != 0 {
		t.Errorf("got %d bytes, %d and %d entries, %d reads", c.size, len(c.entries), c.order.Len(), len(c.reads))
	}
	if _, err := c.get(ctx, ID{9}, func(context.Context, ID) ([]byte, error) { return make([]byte, 31), nil }); err != nil || c.size != 30 {
		t.Errorf("too large to remember: got %v, %d bytes", err, c.size)
	}
}

// TestCrowdReadsAShardOnce has callers wait for a read that fails, and for one that does not.
func TestCrowdReadsAShardOnce(t *testing.T) {
	for _, want := range []error{nil, ErrCorrupt} {
		c := newShardCache(100)
		started, finish := make(chan struct{}), make(chan struct{})
		reads := 0
		read := func(context.Context, ID) ([]byte, error) {
			reads++
			close(started)
			<-finish
			return []byte{1}, want
		}
		var crowd sync.WaitGroup
		crowd.Go(func() { _, _ = c.get(context.Background(), ID{1}, read) })
		<-started
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := c.get(ended, ID{1}, read); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who went away: got %v", err)
		}
		for range 8 {
			crowd.Go(func() {
				if want != nil {
					return // it may come after the failed read, and would read again
				}
				if b, err := c.get(context.Background(), ID{1}, read); err != nil || len(b) != 1 {
					t.Errorf("got %v, %v, want one byte", b, err)
				}
			})
		}
		close(finish)
		crowd.Wait()
		if reads != 1 {
			t.Errorf("got %d reads, want 1", reads)
		}
	}
}

// TestRedisAway kills the server, and starts it again.
func TestRedisAway(t *testing.T) {
	ctx := context.Background()
	server := redistest.Start(t)
	options := server.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	r := newRig(t, client)
	r.write(directory.Visible, count(0, 5)...)
	b := r.builder(nil, nil, Config{})
	r.turn(b)
	d := r.download()
	s := NewStore(client, r.layout.Epoch, -1)

	server.Kill()
	_, _, err := s.Manifest(ctx)
	wantError(t, "Manifest", err, ErrUnavailable)
	_, err = s.Shard(ctx, d.manifest.Shards[0].ID)
	wantError(t, "Shard", err, ErrUnavailable)
	_, err = s.Changes(ctx, d.since)
	wantError(t, "Changes", err, ErrUnavailable)
	wantError(t, "Trigger", b.Trigger(ctx), ErrUnavailable)
	wantError(t, "turn", turn(ctx, b), ErrUnavailable)
	wantError(t, "Sweep", Sweep(ctx, client, r.layout.Epoch), ErrUnavailable)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.Changes(canceled, d.since)
	wantError(t, "canceled", err, context.Canceled)

	server.Restart()
	r.turn(b)
	r.wantMembers(r.download())
	if err := r.follow(d); err != nil {
		t.Errorf("Changes after the restart: %v", err)
	}
}

func TestSweepLeavesNothing(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		r.write(directory.Visible, 1)
		r.turn(b)
		if err := b.Trigger(ctx); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := Sweep(ctx, rdb, r.layout.Epoch); err != nil {
				t.Fatal(err)
			}
		}
		if left := rdb.Keys(ctx, fmt.Sprintf("kith:{e%d.snapshot}:*", r.layout.Epoch)).Val(); len(left) != 0 {
			t.Errorf("left: %q", left)
		}
		_, _, err := r.store.Manifest(ctx)
		wantError(t, "Manifest", err, ErrNone)
	})
}
