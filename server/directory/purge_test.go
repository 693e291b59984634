package directory_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// since returns a write with its tombstone's time.
func since(w directory.Write, ms uint64) directory.Write {
	w.Since = ms
	return w
}

func TestPurge(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		// One bucket with more tombstones than one script call removes, and more buckets than are read at a time.
		layout := directory.Layout{Epoch: lastEpoch.Add(1), PartitionBits: 0, BucketBits: 6}
		wantError(t, "Prepare", s.Prepare(ctx, layout, generation), nil)
		var writes, gone []directory.Write
		for i := range uint16(600) {
			gone = append(gone, since(write(tagNumber(i), directory.Deleted, 1), 999))
		}
		gone = append(gone, since(write(tagNumber(0xFFFF), directory.Deleted, 1), 1))
		writes = append(writes, since(write(tagNumber(0x0300), directory.Deleted, 1), 1000),
			since(write(tagNumber(0x0301), directory.Hidden, 1), 999), write(tagNumber(0x0302), directory.Visible, 1))
		_, err := s.Apply(ctx, layout, generation, append(gone, writes...))
		wantError(t, "Apply", err, nil)

		for _, want := range []int{601, 0} {
			if n, err := s.Purge(ctx, layout, 0, 1000); n != want || err != nil {
				t.Errorf("got %d, %v, want %d", n, err, want)
			}
			wantConsistent(t, rdb, s, layout, winners(writes))
			if got := scan(t, s, layout); !maps.Equal(got, winners(writes)) {
				t.Errorf("%d records are left, want %d", len(got), len(writes))
			}
		}
		// What was purged is forgotten, so any version is new.
		if got := apply(t, s, layout, write(tagNumber(1), directory.Visible, 1))[0].Result; got != directory.Applied {
			t.Errorf("after purge: got %v, want applied", got)
		}
	})
}

// TestPurgeLeavesWhatChanged has writers register the same users again while their tombstones are purged, which have to
// be visible at the end whichever came first, and counted.
func TestPurgeLeavesWhatChanged(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		var dead, alive []directory.Write
		for i := range uint16(200) {
			tag := tagNumber(i%4<<12 | i)
			dead = append(dead, since(write(tag, directory.Deleted, 1), 1))
			alive = append(alive, write(tag, directory.Visible, 2))
		}
		_, err := s.Apply(ctx, layout, generation, dead)
		wantError(t, "Apply", err, nil)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range alive {
				if _, err := s.Apply(ctx, layout, generation, alive[i:i+1]); err != nil {
					t.Errorf("Apply: %v", err)
				}
			}
		})
		wg.Go(func() {
			for range 10 {
				if _, err := s.Purge(ctx, layout, 0, 2); err != nil {
					t.Errorf("Purge: %v", err)
				}
			}
		})
		wg.Wait()
		wantConsistent(t, rdb, s, layout, winners(alive))
	})
}

func TestPurgeRefuses(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		malformed := 0
		s := directory.New(rdb, directory.Config{OnCorrupt: func(n int) { malformed += n }})
		layout := prepared(t, s)
		_, err := s.Purge(ctx, layout, 4, 1)
		wantError(t, "no such partition", err, directory.ErrLayout)

		apply(t, s, layout, since(write(tagNumber(1), directory.Deleted, 1), 1))
		rdb.HSet(ctx, fmt.Sprintf("kith:{e%d.p0}:b1", layout.Epoch), "short", goldenRecords[2].stored)
		n, err := s.Purge(ctx, layout, 0, 2)
		wantError(t, "malformed", err, directory.ErrRecord)
		if n != 1 || malformed != 1 {
			t.Errorf("malformed: got %d purged, %d reported, want 1 and 1", n, malformed)
		}
		wantError(t, "Sweep", s.Sweep(ctx, layout, 0), nil)
		n, err = s.Purge(ctx, layout, 0, 2)
		wantError(t, "missing partition", err, directory.ErrIncomplete)
		if n != 0 {
			t.Errorf("missing partition: got %d", n)
		}
	})
}
