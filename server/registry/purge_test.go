package registry_test

import (
	"context"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

func TestPurge(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	var told []*keyring.Epoch
	w.OnWrite = func(e *keyring.Epoch, _ crypto.Tag) { told = append(told, e) }
	if applied, err := w.Delete(ctx, registry.Deletion{Number: number}); err != nil || !applied {
		t.Fatalf("Delete: %t, %v", applied, err)
	}
	if len(told) != 3 {
		t.Errorf("OnWrite was told of %d epochs, want the 3 that are written to", len(told))
	}
	w.keys.snapshot = w.with(map[uint32]keyring.State{4: keyring.StateAborted})
	const written = 2
	if n, err := registry.Purge(ctx, w.keys, w.store, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("tombstones younger than that: purged %d, %v, want none", n, err)
	}
	if got := w.find(t, 3).format; got != directory.Deleted {
		t.Errorf("a young tombstone is gone: format %d", got)
	}
	if n, err := registry.Purge(ctx, w.keys, w.store, time.Now().Add(time.Hour)); n != written || err != nil {
		t.Errorf("tombstones older than that: purged %d, %v, want one in each of %d epochs", n, err, written)
	}
	if got := w.find(t, 3); got != (found{}) {
		t.Errorf("an old tombstone is still there: %+v", got)
	}
	w.redis.Kill()
	if _, err := registry.Purge(ctx, w.keys, w.store, time.Now()); err == nil {
		t.Error("with the store away Purge gave no error")
	}
	w.keys.err = keyring.ErrNone
	if _, err := registry.Purge(ctx, w.keys, w.store, time.Now()); err != keyring.ErrNone {
		t.Errorf("without a keyring: got %v, want ErrNone", err)
	}
}

// TestNothingIsPurgedDuringARotation has one tombstone in each epoch, and a keyring in each state of a rotation.
func TestNothingIsPurgedDuringARotation(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name    string
		staged  keyring.State
		from    uint32
		settled time.Time
		want    int
	}{
		{"staged", keyring.StateStaged, 0, time.Time{}, 0},
		{"staged after a settled one", keyring.StateStaged, 2, now, 0},
		{"active, not settled", keyring.StateAborted, 2, time.Time{}, 0},
		{"active and settled", keyring.StateAborted, 2, now, 2},
		{"the first", keyring.StateAborted, 0, time.Time{}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			w := newWorld(t)
			if applied, err := w.Delete(ctx, registry.Deletion{Number: number}); err != nil || !applied {
				t.Fatalf("Delete: %t, %v", applied, err)
			}
			w.keys.snapshot = w.with(map[uint32]keyring.State{4: c.staged})
			w.epoch(3).From, w.epoch(3).Settled = c.from, c.settled
			n, err := registry.Purge(ctx, w.keys, w.store, now.Add(time.Hour))
			if n != c.want || err != nil {
				t.Errorf("purged %d, %v, want %d", n, err, c.want)
			}
		})
	}
}

// staging is a purger during whose first purge a rotation begins.
type staging struct {
	*directory.Store
	stage  func()
	purges int
}

func (s *staging) Purge(ctx context.Context, l directory.Layout, partition uint32, before uint64) (int, error) {
	s.purges++
	s.stage()
	return s.Store.Purge(ctx, l, partition, before)
}

func TestPurgeEndsWhenARotationBegins(t *testing.T) {
	w := newWorld(t)
	begun := w.keys.snapshot
	w.keys.snapshot = w.with(map[uint32]keyring.State{4: keyring.StateAborted})
	store := &staging{Store: w.store, stage: func() { w.keys.snapshot = begun }}
	if n, err := registry.Purge(context.Background(), w.keys, store, time.Now()); n != 0 || err != nil || store.purges != 1 {
		t.Errorf("purged %d, %v, in %d partitions; want none, in the first", n, err, store.purges)
	}
}

// clocked is a keyring by whose clock it is as late as it says.
type clocked struct {
	registry.Keyring
	now time.Time
}

func (c clocked) Time(context.Context) (time.Time, error) { return c.now, nil }

// TestAgeIsByTheClockOfRedis has the clock of Redis, which dates tombstones, and this server's differ by hours.
func TestAgeIsByTheClockOfRedis(t *testing.T) {
	w := newWorld(t)
	if applied, err := w.Delete(context.Background(), registry.Deletion{Number: number}); err != nil || !applied {
		t.Fatalf("Delete: %t, %v", applied, err)
	}
	w.keys.snapshot = w.with(map[uint32]keyring.State{4: keyring.StateAborted})
	partitions := 0 // of the epochs that are written to
	for _, e := range w.keys.snapshot.Epochs {
		if e.Written() {
			partitions += int(e.Layout.Partitions())
		}
	}
	for _, c := range []struct {
		name  string
		later time.Duration // than the tombstone, by Redis's clock
		want  directory.Format
	}{
		{"an hour too young", time.Hour, directory.Deleted},
		{"an hour too old", 3 * time.Hour, 0},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		purged := countedPurges{Store: w.store, done: make(chan struct{}), left: partitions}
		go registry.PurgeEvery(ctx, clocked{w.keys, time.Now().Add(c.later)}, &purged, 2*time.Hour, func(err error) { t.Error(err) })
		<-purged.done
		cancel()
		if got := w.find(t, 3).format; got != c.want {
			t.Errorf("%s: format %d, want %d", c.name, got, c.want)
		}
	}
}

// countedPurges is a directory that tells when so many partitions have been purged.
type countedPurges struct {
	*directory.Store
	done chan struct{}
	left int
}

func (c *countedPurges) Purge(ctx context.Context, l directory.Layout, partition uint32, before uint64) (int, error) {
	n, err := c.Store.Purge(ctx, l, partition, before)
	if c.left--; c.left == 0 {
		close(c.done)
	}
	return n, err
}
