package snapshot

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

func TestSetHoldsTheVisible(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 40)...)
		r.write(directory.Hidden, 3, 50)
		r.write(directory.Deleted, 8, 51)
		r.turn(r.builder(nil, nil, Config{}))

		d := r.download()
		r.wantMembers(d)
		m := d.manifest
		if m.Epoch != r.layout.Epoch || m.Created != r.time.Load() || m.MaxAge != 12*3600 || m.ShardBits != 2 || m.Keys != 38 {
			t.Errorf("got %+v", m)
		}
	})
}

func TestHiddenIsGoneFromTheNextSet(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.write(directory.Visible, count(0, 20)...)
		r.turn(b)
		before := r.download()

		r.write(directory.Hidden, 5)
		r.turn(b)
		if again := r.download(); again.manifest.Created != before.manifest.Created {
			t.Fatal("a set was built that was not due")
		}
		if !before.has(tag(5)) {
			t.Error("the hidden user is missing in the set that was built before")
		}
		r.sleep(DefaultInterval)
		r.turn(b)
		after := r.download()
		r.wantMembers(after)

		// No longer than that is any set listed, whether the next one was built or not.
		left, err := rdb.PTTL(ctx, b.keys.manifest).Result()
		if want := 2 * DefaultInterval; err != nil || left > want || left < want-time.Hour {
			t.Errorf("the manifest expires in %v, %v, want %v", left, err, want)
		}
		// Devices may still be downloading the first set.
		for _, shard := range before.manifest.Shards {
			if _, err := r.store.Shard(ctx, shard.ID); err != nil {
				t.Errorf("shard of the last set: %v", err)
			}
			if left, want := rdb.PTTL(ctx, b.keys.shard(shard.ID)).Val(), b.shardLife(); left > want || left < want-time.Hour {
				t.Errorf("a shard expires in %v, want %v", left, want)
			}
		}
	})
}

func TestEmptyDirectory(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		r.turn(r.builder(nil, nil, Config{}))
		d := r.download()
		r.wantMembers(d)
		if m := d.manifest; len(m.Shards) != 1 || m.Keys != 0 || m.Bytes != 20 {
			t.Errorf("got %+v, want one shard of 20 bytes", m)
		}
		if err := r.follow(d); err != nil {
			t.Errorf("Changes: %v", err)
		}
	})
}

func TestShardBits(t *testing.T) {
	for _, c := range []struct {
		keys      int64
		partition uint8
		want      uint8
	}{
		{0, 8, 0}, {1, 8, 0}, {262_144, 8, 0}, {262_145, 8, 1}, {524_288, 8, 1}, {524_289, 8, 2},
		{10_000_000, 8, 6}, {100_000_000, 8, 8}, {10_000_000, 0, 0}, {-1, 8, 0}, {1 << 62, 16, 16},
	} {
		b := &Builder{layout: directory.Layout{PartitionBits: c.partition}, shardKeys: shardKeys}
		if got := b.shardBits(c.keys); got != c.want {
			t.Errorf("%d keys in 2^%d partitions: got %d, want %d", c.keys, c.partition, got, c.want)
		}
	}
}

// scanned is a directory that calls before each scan of a partition, and notes what the last scan of all found.
type scanned struct {
	*directory.Store
	before  func(partition uint32) error
	visible map[crypto.Tag]bool // if not nil
}

func (s scanned) Scan(ctx context.Context, layout directory.Layout, partition uint32) iter.Seq2[directory.Entry, error] {
	if err := s.before(partition); err != nil {
		return func(yield func(directory.Entry, error) bool) { yield(directory.Entry{}, err) }
	}
	if s.visible == nil {
		return s.Store.Scan(ctx, layout, partition)
	}
	if partition == 0 {
		clear(s.visible)
	}
	return func(yield func(directory.Entry, error) bool) {
		for entry, err := range s.Store.Scan(ctx, layout, partition) {
			if entry.Record.Format == directory.Visible {
				s.visible[entry.Tag] = true
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

// calling returns the rig's directory with a function to be called before each scan.
func (r *rig) calling(before func(partition uint32) error) scanned {
	return scanned{Store: r.dir, before: before}
}

// TestMissingPartitionKeepsTheLastSet loses a partition before the build and during it.
func TestMissingPartitionKeepsTheLastSet(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 20)...)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		want := r.download()

		r.sleep(DefaultInterval)
		during := r.builder(nil, r.calling(func(partition uint32) error {
			if partition == 2 {
				return r.dir.Sweep(ctx, r.layout, partition)
			}
			return nil
		}), Config{})
		wantError(t, "during", turn(ctx, during), directory.ErrIncomplete)
		wantError(t, "before", turn(ctx, b), directory.ErrIncomplete)
		if got := r.download(); got.manifest.Created != want.manifest.Created || !got.has(tag(2)) {
			t.Error("the last set did not stay")
		}
	})
}

func TestMalformedRecordIsLeftOut(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 20)...)
		for _, key := range rdb.Keys(context.Background(), "*b0").Val() {
			for field := range rdb.HGetAll(context.Background(), key).Val() {
				rdb.HSet(context.Background(), key, field, "no record")
			}
		}
		var last Progress
		r.turn(r.builder(nil, nil, Config{OnProgress: func(p Progress) { last = p }}))
		m := r.download().manifest
		if last.Malformed == 0 || m.Keys != int64(20-last.Malformed) || last.Keys != m.Keys || last.Shards != last.Total {
			t.Errorf("got %+v, manifest %+v", last, m)
		}
	})
}

func TestTriggerBuilds(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		r.write(directory.Visible, 1)
		r.sleep(time.Minute)
		// Asked of a server that does not build.
		if err := r.builder(nil, nil, Config{}).Trigger(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.turn(b)
		d := r.download()
		r.wantMembers(d)
		r.sleep(time.Minute)
		r.turn(b)
		if again := r.download(); again.manifest.Created != d.manifest.Created {
			t.Error("one request caused two builds")
		}
	})
}

// TestLostShardIsBuiltAgain loses one that the manifest lists, and one of a build under way.
func TestLostShardIsBuiltAgain(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 30)...)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		lost := r.download().manifest.Shards[1].ID
		rdb.Del(ctx, b.keys.shard(lost))
		fresh := NewStore(rdb, r.layout.Epoch, 0)
		_, err := fresh.Shard(ctx, lost)
		wantError(t, "listed but lost", err, ErrUnavailable)
		r.turn(b)
		if _, err := fresh.Shard(ctx, lost); err != nil {
			t.Errorf("after another turn: %v", err)
		}

		r.write(directory.Hidden, 1)
		r.sleep(DefaultInterval)
		again := r.builder(nil, r.calling(func(partition uint32) error {
			if partition == 3 {
				fields := rdb.HGetAll(ctx, b.keys.build).Val()
				p, _ := parsePlan(fields)
				rdb.Del(ctx, b.keys.shard(p.done[1].ID))
			}
			return nil
		}), Config{})
		wantError(t, "lost during the build", turn(ctx, again), errShardLost)
		r.turn(b)
		r.wantMembers(r.download())
	})
}

func TestProgress(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 32)...)
		var got []Progress
		var built []Manifest
		r.turn(r.builder(nil, nil, Config{
			OnProgress: func(p Progress) { got = append(got, p) },
			OnBuilt:    func(m Manifest) { built = append(built, m) },
		}))
		var want []Progress
		for n := range 5 {
			want = append(want, Progress{Shards: n, Total: 4, Keys: int64(8 * n)})
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if len(built) != 1 || built[0].Keys != 32 {
			t.Errorf("OnBuilt: got %+v", built)
		}
	})
}
