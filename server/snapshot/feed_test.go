package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

func TestChangesFollowTheDirectory(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.write(directory.Visible, count(0, 10)...)
		r.turn(b)
		d := r.download()

		empty, err := r.store.Changes(ctx, d.since)
		if err != nil || empty.Closed || len(empty.Entries) != 0 || empty.Next != d.since {
			t.Errorf("nothing happened: got %+v, %v", empty, err)
		}
		r.turn(b)
		if again, err := r.store.Changes(ctx, d.since); err != nil || again.Closed {
			t.Errorf("an empty interval made a segment: got %+v, %v", again, err)
		}

		r.write(directory.Visible, 20, 21, 22, 23, 24)
		r.write(directory.Deleted, 3, 20)
		r.write(directory.Visible, 24) // a new label at most: no change
		r.turn(b)
		first, err := r.store.Changes(ctx, d.since)
		if err != nil || !first.Closed {
			t.Fatalf("got %+v, %v, want a segment", first, err)
		}
		var want []byte
		order := []int{3, 20, 21, 22, 23, 24}
		slices.SortFunc(order, func(a, b int) int { x, y := tag(a), tag(b); return bytes.Compare(x[:], y[:]) })
		for _, n := range order {
			want = filter.AppendChange(want, filter.Change{Prefix: filter.Prefix(tag(n)), Visible: n > 20})
		}
		if !bytes.Equal(first.Entries, want) {
			t.Errorf("got entries %x, want %x", first.Entries, want)
		}

		r.write(directory.Visible, 30)
		r.turn(b)
		if again, err := r.store.Changes(ctx, d.since); err != nil || fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("a segment changed: got %+v, %v, want %+v", again, err, first)
		}
		if err := r.follow(d); err != nil {
			t.Fatal(err)
		}
		r.wantMembers(d)
	})
}

// TestAnyInterleavingEndsInTheDirectory is the promise of set and feed together: whatever is written before, during and
// after a build, between whichever rounds of gathering, and whichever set a device begins with, it ends with what the
// directory holds.
func TestAnyInterleavingEndsInTheDirectory(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		rapid.Check(t, func(rt *rapid.T) {
			r := newRig(rt, rdb)
			some := func() {
				for range rapid.IntRange(0, 2).Draw(rt, "writes") {
					format := rapid.SampledFrom([]directory.Format{directory.Visible, directory.Hidden, directory.Deleted}).Draw(rt, "format")
					r.write(format, rapid.SliceOfN(rapid.IntRange(0, 39), 1, 6).Draw(rt, "numbers")...)
				}
			}
			r.write(directory.Visible, count(0, rapid.IntRange(0, 40).Draw(rt, "users"))...)
			built := make(map[crypto.Tag]bool)
			b := r.builder(nil, scanned{r.dir, func(uint32) error {
				some()
				if rapid.Bool().Draw(rt, "gather") {
					r.sleep(DefaultChangesEvery)
				}
				return nil
			}, built}, Config{})

			var devices []*device
			for range rapid.IntRange(1, 3).Draw(rt, "turns") {
				some()
				if rapid.Bool().Draw(rt, "build") {
					r.sleep(DefaultInterval)
				}
				r.turn(b)
				d := r.download()
				d.built = maps.Clone(built)
				devices = append(devices, d)
				some()
			}
			r.turn(b)
			for _, d := range devices {
				if err := r.follow(d); err != nil {
					rt.Fatalf("Changes: %v", err)
				}
				r.wantMembers(d)
			}
		})
	})
}

// TestGapBeginsAnotherFeed makes more changes between two rounds than the directory keeps.
func TestGapBeginsAnotherFeed(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		old := r.download()
		for range 200 {
			r.write(directory.Visible, 1)
			r.write(directory.Hidden, 1)
		}
		r.write(directory.Visible, 1)
		r.sleep(time.Minute)
		r.turn(b)

		wantError(t, "old position", r.follow(old), ErrTrimmed)
		d := r.download()
		if d.manifest.Created == old.manifest.Created || d.manifest.ChangesSince.Generation <= old.manifest.ChangesSince.Generation {
			t.Errorf("no set on the new feed: got %+v", d.manifest)
		}
		r.write(directory.Visible, 2)
		r.turn(b)
		if err := r.follow(d); err != nil {
			t.Errorf("Changes: %v", err)
		}
		r.wantMembers(d)

		for name, c := range map[string]struct {
			since string
			want  error
		}{
			"malformed":         {"1", ErrPosition},
			"of the future":     {fmt.Sprintf("%d.99", d.manifest.ChangesSince.Generation), ErrTrimmed},
			"later generation":  {fmt.Sprintf("%d.0", d.manifest.ChangesSince.Generation+1), ErrTrimmed},
			"before the oldest": {"1.0", ErrTrimmed},
		} {
			_, err := r.store.Changes(ctx, c.since)
			wantError(t, name, err, c.want)
		}
	})
}

// TestGapDuringBuild must not publish a set that refers to a feed which has ended.
func TestGapDuringBuild(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 32)...)
		scans := 0
		b := r.builder(nil, r.calling(func(uint32) error {
			if scans++; scans == 2 {
				for range 200 {
					r.write(directory.Hidden, 1)
					r.write(directory.Visible, 1)
				}
				r.sleep(DefaultChangesEvery)
			}
			return nil
		}), Config{})
		wantError(t, "turn", turn(context.Background(), b), errChanged)
		_, _, err := r.store.Manifest(context.Background())
		wantError(t, "Manifest", err, ErrNone)
		r.turn(b)
		d := r.download()
		if err := r.follow(d); err != nil {
			t.Errorf("Changes: %v", err)
		}
		r.wantMembers(d)
	})
}

// TestRolledBackFeed takes the feed back behind what its builder has seen, as a failover does.
func TestRolledBackFeed(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		before := rdb.HGetAll(ctx, b.keys.feed).Val()
		r.write(directory.Visible, 1)
		r.turn(b)
		old := r.download()
		if err := r.follow(old); err != nil {
			t.Fatal(err)
		}
		rdb.HSet(ctx, b.keys.feed, before)
		rdb.Del(ctx, b.keys.changes)
		r.write(directory.Visible, 2)
		r.sleep(time.Minute)
		r.turn(b)
		wantError(t, "a position that was lost", r.follow(old), ErrTrimmed)
		r.wantMembers(r.download())
	})
}

func TestLostFeed(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		for name, lose := range map[string]func(k keys){
			"all of it":             func(k keys) { rdb.Del(ctx, k.feed, k.changes) },
			"its state":             func(k keys) { rdb.Del(ctx, k.feed) },
			"positions":             func(k keys) { rdb.HSet(ctx, k.feed, fieldPositions, "short") },
			"generation":            func(k keys) { rdb.HSet(ctx, k.feed, fieldGeneration, "none") },
			"generation of another": func(k keys) { rdb.HSet(ctx, k.feed, fieldGeneration, "7") },
			"head":                  func(k keys) { rdb.HDel(ctx, k.feed, fieldHead) },
			"rate":                  func(k keys) { rdb.HDel(ctx, k.feed, fieldBytes) },
		} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, rdb)
				b := r.builder(nil, nil, Config{})
				r.turn(b)
				r.write(directory.Visible, 1)
				r.turn(b)
				old := r.download()
				lose(b.keys)
				r.write(directory.Visible, 2)
				r.sleep(time.Minute)
				r.turn(b)
				wantError(t, "old position", r.follow(old), ErrTrimmed)
				d := r.download()
				if err := r.follow(d); err != nil {
					t.Errorf("Changes: %v", err)
				}
				r.wantMembers(d)
			})
		}
	})
}

// TestLostSegments has the state promise segments that are not there.
func TestLostSegments(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		d := r.download()
		for n := range 3 {
			r.write(directory.Visible, n)
			r.turn(b)
		}
		rdb.XDel(ctx, b.keys.changes, d.manifest.ChangesSince.next().streamID())
		wantError(t, "follow", r.follow(d), ErrTrimmed)

		none := NewStore(rdb, r.layout.Epoch+1000, 0)
		_, err := none.Changes(ctx, d.since)
		wantError(t, "no feed", err, ErrNone)
	})
}

func TestTrim(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		for _, c := range []struct {
			name   string
			config Config
			pass   time.Duration // after each segment
			left   int64         // segments of 20
		}{
			{"by number", Config{MaxSegments: 5}, time.Second, 5},
			{"by age", Config{KeepChanges: time.Minute}, 10 * time.Second, 6},
			{"neither", Config{}, time.Minute, 20},
		} {
			t.Run(c.name, func(t *testing.T) {
				ctx := context.Background()
				r := newRig(t, rdb)
				b := r.builder(nil, nil, c.config)
				r.turn(b)
				old := r.download()
				start := old.manifest.ChangesSince
				for n := range 20 {
					r.write(directory.Format(1+n%2), 1)
					r.turn(b)
					r.sleep(c.pass)
				}
				r.turn(b)
				if got := rdb.XLen(ctx, b.keys.changes).Val(); got != c.left {
					t.Errorf("got %d segments, want %d", got, c.left)
				}
				for n := range uint64(21) {
					since := Position{start.Generation, start.Segment + n}
					want := error(nil)
					if int64(n) < 20-c.left {
						want = ErrTrimmed
					}
					_, err := r.store.Changes(ctx, since.String())
					wantError(t, fmt.Sprintf("after segment %d", n), err, want)
				}
			})
		}
	})
}

// TestOneSegmentIsBounded imports more than a segment takes.
func TestOneSegmentIsBounded(t *testing.T) {
	var positions []directory.Position
	var results []directory.Changes
	for p := range uint32(200) {
		positions = append(positions, directory.Position{Partition: p, Change: 7})
		result := directory.Changes{Position: directory.Position{Partition: p, Change: 519}, More: p == 0}
		for n := range uint32(512) {
			result.Entries = append(result.Entries, directory.Change{Tag: crypto.Tag{byte(p), byte(n >> 8), byte(n)}, Visible: true})
		}
		results = append(results, result)
	}
	g := fold(positions, results)
	if got := len(g.entries) / filter.ChangeSize; got != maxSegment || !g.more {
		t.Errorf("got %d entries, more %t, want %d and more", got, g.more, maxSegment)
	}
	if g.positions[0].Change != 519 || g.positions[127].Change != 519 || g.positions[128].Change != 7 {
		t.Errorf("got positions %v", g.positions)
	}
}

// TestPartitionAway leaves one partition where it is, and takes the others.
func TestPartitionAway(t *testing.T) {
	positions := []directory.Position{{Partition: 0, Change: 1}, {Partition: 1, Change: 1}}
	g := fold(positions, []directory.Changes{
		{Position: positions[0], Err: directory.ErrUnavailable},
		{Position: directory.Position{Partition: 1, Change: 2}, Entries: []directory.Change{{Tag: tag(1), Visible: true}}},
	})
	wantError(t, "fold", g.err, directory.ErrUnavailable)
	if len(g.entries) != filter.ChangeSize || g.positions[0].Change != 1 || g.positions[1].Change != 2 {
		t.Errorf("got %+v", g)
	}
}
