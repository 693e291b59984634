package directory_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"
)

// The generators draw from few tags, versions and formats, so that writes meet often. Tags 0 and 1 share a bucket, tag 2
// has another of the same partition, tag 3 another partition.
var (
	someTags    = []crypto.Tag{tagNumber(0x0000), tagNumber(0x0001), tagNumber(0x1000), tagNumber(0xF000)}
	anyFormat   = rapid.SampledFrom([]directory.Format{directory.Visible, directory.Hidden, directory.Deleted})
	anyVersion  = rapid.SampledFrom([]uint64{1, 2, 255, 256, 1 << 32, 1<<52 + 1, directory.VersionEnd - 1})
	anyWrite    = rapid.Custom(drawWrite)
	anyWriteSet = rapid.SliceOfN(anyWrite, 1, 20)
)

func drawWrite(t *rapid.T) directory.Write {
	tag := rapid.SampledFrom(someTags).Draw(t, "tag")
	return write(tag, anyFormat.Draw(t, "format"), anyVersion.Draw(t, "version"))
}

// winners returns what a directory has to hold after the writes, in whatever order they came.
func winners(writes []directory.Write) map[crypto.Tag]directory.Record {
	records := make(map[crypto.Tag]directory.Record)
	for _, w := range writes {
		r, ok := records[w.Tag]
		if !ok || w.Version > r.Version || w.Version == r.Version && w.Format > r.Format {
			records[w.Tag] = stored(w)
		}
	}
	return records
}

// TestAnyOrderEndsInTheSameDirectory is the promise that retries, registrations, deletions and rotations can overtake each
// other: any permutation of any repetition of versioned writes, in calls of any size.
func TestAnyOrderEndsInTheSameDirectory(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		rapid.Check(t, func(rt *rapid.T) {
			writes := anyWriteSet.Draw(rt, "writes")
			again := rapid.SliceOfN(rapid.SampledFrom(writes), 0, 10).Draw(rt, "repeated")
			order := rapid.Permutation(slices.Concat(writes, again)).Draw(rt, "order")
			size := rapid.IntRange(1, len(order)).Draw(rt, "call size")

			layout := prepared(t, s)
			for batch := range slices.Chunk(order, size) {
				if _, err := s.Apply(context.Background(), layout, generation, batch); err != nil {
					rt.Fatalf("Apply: %v", err)
				}
			}
			want := winners(writes)
			if got := scan(t, s, layout); !maps.Equal(got, want) {
				rt.Fatalf("got %v, want %v", got, want)
			}
			wantConsistent(rt, rdb, s, layout, want)
		})
	})
}

// TestUnversionedWritesApplyInOrder checks that a write without version wins over all before it, whatever is mixed.
func TestUnversionedWritesApplyInOrder(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		rapid.Check(t, func(rt *rapid.T) {
			layout := prepared(t, s)
			last := make(map[crypto.Tag]uint64)
			for _, w := range anyWriteSet.Draw(rt, "writes") {
				if w.Version == directory.VersionEnd-1 || rapid.Bool().Draw(rt, "unversioned") {
					w.Version = 0
				}
				o := apply(t, s, layout, w)[0]
				if w.Version == 0 && (o.Result != directory.Applied || o.Version <= last[w.Tag]) {
					rt.Fatalf("without version after %d: got %v", last[w.Tag], o)
				}
				if o.Version < last[w.Tag] {
					rt.Fatalf("version fell from %d to %d", last[w.Tag], o.Version)
				}
				last[w.Tag] = o.Version
				if r, _ := get(t, s, layout, w.Tag); r.Version != o.Version || w.Version == 0 && r.Format != w.Format {
					rt.Fatalf("stored %d at %d, want %d at %d", r.Format, r.Version, w.Format, o.Version)
				}
			}
		})
	})
}

// TestConcurrentWriters has several writers apply the same writes, each in another order.
func TestConcurrentWriters(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		var writes []directory.Write
		for i := range uint16(60) {
			tag := tagNumber(i % 20 * 3001)
			writes = append(writes, write(tag, directory.Format(1+i%3), uint64(1+i/7)))
		}

		var wg sync.WaitGroup
		for range 8 {
			order := slices.Clone(writes)
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			wg.Go(func() {
				for batch := range slices.Chunk(order, 7) {
					if _, err := s.Apply(context.Background(), layout, generation, batch); err != nil {
						t.Errorf("Apply: %v", err)
					}
				}
			})
		}
		wg.Wait()
		want := winners(writes)
		if got := scan(t, s, layout); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		wantConsistent(t, rdb, s, layout, want)
	})
}

func TestConcurrentAssignedVersionsDiffer(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			seen = make(map[uint64]bool)
		)
		for range 8 {
			wg.Go(func() {
				for range 10 {
					outcomes, err := s.Apply(context.Background(), layout, generation,
						[]directory.Write{write(tagNumber(1), directory.Visible, 0)})
					if err != nil {
						t.Errorf("Apply: %v", err)
						return
					}
					mu.Lock()
					seen[outcomes[0].Version] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(seen) != 80 {
			t.Errorf("got %d different versions of 80 writes", len(seen))
		}
	})
}

// wantConsistent checks that counts, changes and matches agree with the records.
func wantConsistent(
	t rapid.TB, rdb *redis.Client, s *directory.Store, layout directory.Layout, want map[crypto.Tag]directory.Record,
) {
	t.Helper()
	ctx := context.Background()
	var wantCounts directory.Counts
	wantVisible := make(map[crypto.Tag]bool)
	for tag, r := range want {
		switch r.Format {
		case directory.Visible:
			wantCounts.Visible++
			wantVisible[tag] = true
		case directory.Hidden:
			wantCounts.Hidden++
		case directory.Deleted:
			wantCounts.Deleted++
		}
	}

	counts, err := s.Count(ctx, layout)
	if err != nil || counts != wantCounts {
		t.Errorf("Count: got %+v, %v, want %+v", counts, err, wantCounts)
	}
	visible := make(map[crypto.Tag]bool)
	for p := range layout.Partitions() {
		entries, err := rdb.XRange(ctx, fmt.Sprintf("kith:{e%d.p%d}:changes", layout.Epoch, p), "-", "+").Result()
		if err != nil {
			t.Errorf("changes: %v", err)
		}
		for _, entry := range entries {
			change := entry.Values["c"].(string)
			tag := crypto.Tag([]byte(change[7:]))
			if change[0]>>5 == byte(directory.Visible) {
				visible[tag] = true
			} else {
				delete(visible, tag)
			}
		}
	}
	if !maps.Equal(visible, wantVisible) {
		t.Errorf("changes lead to %v, want %v", visible, wantVisible)
	}
	matches, err := s.Match(ctx, layout, slices.Collect(maps.Keys(want)))
	if err != nil || len(matches) != len(wantVisible) {
		t.Errorf("Match: got %d, %v, want %d", len(matches), err, len(wantVisible))
	}
	for _, m := range matches {
		if !wantVisible[m.Tag] || m.Label != want[m.Tag].Label {
			t.Errorf("Match: got %v, want %v", m, want[m.Tag])
		}
	}
}
