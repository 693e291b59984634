package directory_test

import (
	"context"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

func TestMatchAnswersInOrderAndOnlyVisible(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		visible1, visible2 := tagNumber(0xF001), tagNumber(0x0001)
		hidden, deleted, unknown := tagNumber(0x0002), tagNumber(0x0003), tagNumber(0x0004)
		again := tagNumber(0x8000)
		w1, w2 := write(visible1, directory.Visible, 1), write(visible2, directory.Visible, 2)
		apply(t, s, layout, w1, w2, write(hidden, directory.Visible, 1), write(hidden, directory.Hidden, 2),
			write(deleted, directory.Visible, 1), write(deleted, directory.Deleted, 2),
			write(again, directory.Deleted, 1), write(again, directory.Visible, 2))

		tags := []crypto.Tag{visible1, unknown, hidden, visible2, deleted, visible1, again}
		want := []directory.Match{
			{Tag: visible1, Label: w1.Label}, {Tag: visible2, Label: w2.Label}, {Tag: visible1, Label: w1.Label},
			{Tag: again, Label: write(again, directory.Visible, 2).Label},
		}
		got, err := s.Match(ctx, layout, tags)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}

		for name, tags := range map[string][]crypto.Tag{"none visible": {unknown, hidden, deleted}, "nothing asked": nil} {
			if got, err := s.Match(ctx, layout, tags); err != nil || len(got) != 0 {
				t.Errorf("%s: got %v, %v, want nothing", name, got, err)
			}
		}
		_, err = s.Match(ctx, directory.Layout{}, tags)
		wantError(t, "no layout", err, directory.ErrLayout)
	})
}

// TestEpochsAreSeparate has one tag in two epochs, whose writes and sweeps must not meet.
func TestEpochsAreSeparate(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		one, two := prepared(t, s), prepared(t, s)
		tag := tagNumber(1)
		apply(t, s, one, write(tag, directory.Visible, 1))
		if got, err := s.Match(ctx, two, []crypto.Tag{tag}); err != nil || len(got) != 0 {
			t.Errorf("the other epoch: got %v, %v, want nothing", got, err)
		}
		apply(t, s, two, write(tag, directory.Deleted, 2))
		wantError(t, "Sweep", s.Sweep(ctx, two, 0), nil)
		if got, err := s.Match(ctx, one, []crypto.Tag{tag}); err != nil || len(got) != 1 {
			t.Errorf("the first epoch: got %v, %v, want a match", got, err)
		}
	})
}

func TestGet(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		for i, format := range []directory.Format{directory.Visible, directory.Hidden, directory.Deleted} {
			w := write(tagNumber(uint16(i)), format, 7)
			apply(t, s, layout, w)
			want := stored(w)
			wantRaw, _ := want.MarshalBinary()
			if got, raw := get(t, s, layout, w.Tag); got != want || !slices.Equal(raw, wantRaw) {
				t.Errorf("format %d: got %+v, %x, want %+v, %x", format, got, raw, want, wantRaw)
			}
		}
		_, raw, err := s.Get(ctx, layout, tagNumber(0xFFFF))
		wantError(t, "unknown tag", err, directory.ErrNotFound)
		if raw != nil {
			t.Errorf("unknown tag: got %x", raw)
		}
		_, _, err = s.Get(ctx, directory.Layout{}, tagNumber(1))
		wantError(t, "no layout", err, directory.ErrLayout)
	})
}

func TestScan(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		// More buckets a partition than one pipeline reads.
		layout := directory.Layout{Epoch: lastEpoch.Add(1), PartitionBits: 1, BucketBits: 9}
		wantError(t, "Prepare", s.Prepare(ctx, layout, generation), nil)
		var writes []directory.Write
		want := make(map[crypto.Tag]directory.Record)
		for i := range uint16(500) {
			w := write(tagNumber(i*131), directory.Format(1+i%3), uint64(i)+1)
			writes = append(writes, w)
			want[w.Tag] = stored(w)
		}
		_, err := s.Apply(ctx, layout, generation, writes)
		wantError(t, "Apply", err, nil)

		got := scan(t, s, layout)
		if len(got) != len(want) {
			t.Errorf("got %d records, want %d", len(got), len(want))
		}
		for tag, r := range want {
			if got[tag] != r {
				t.Errorf("tag %x: got %+v, want %+v", tag, got[tag], r)
			}
		}

		yields := 0
		for range s.Scan(ctx, layout, 0) {
			if yields++; yields == 3 {
				break
			}
		}
		if yields != 3 {
			t.Errorf("stopped after %d, want 3", yields)
		}
		for _, err := range s.Scan(ctx, layout, 2) {
			wantError(t, "Scan of a partition that is not there", err, directory.ErrLayout)
		}
	})
}

// TestScanReportsMisplacedRecords puts a valid record where no lookup finds it, and a field that is no tag.
func TestScanReportsMisplacedRecords(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := directory.Layout{Epoch: 77, PartitionBits: 0, BucketBits: 4}
		wantError(t, "Prepare", s.Prepare(ctx, layout, generation), nil)
		misplaced := tagNumber(0x2000)
		rdb.HSet(ctx, "kith:{e77.p0}:b1", string(misplaced[:]), goldenRecords[0].stored, "short", goldenRecords[0].stored)
		failures := 0
		for _, err := range s.Scan(ctx, layout, 0) {
			wantError(t, "Scan", err, directory.ErrRecord)
			failures++
		}
		if failures != 2 {
			t.Errorf("got %d failures, want 2", failures)
		}
	})
}

func TestSweep(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		// More buckets than one UNLINK removes.
		layout := directory.Layout{Epoch: lastEpoch.Add(1), PartitionBits: 1, BucketBits: 12}
		wantError(t, "Prepare", s.Prepare(ctx, layout, generation), nil)
		var writes []directory.Write
		for i := range uint16(4096) {
			writes = append(writes, write(tagNumber(i<<4), directory.Visible, 1))
		}
		_, err := s.Apply(ctx, layout, generation, writes)
		wantError(t, "Apply", err, nil)
		for _, c := range []struct {
			partition uint32
			left      int64
		}{{0, 2050}, {0, 2050}, {1, 0}, {1, 0}} {
			wantError(t, "Sweep", s.Sweep(ctx, layout, c.partition), nil)
			if got := rdb.DBSize(ctx).Val(); got != c.left {
				t.Errorf("partition %d: %d keys are left, want %d", c.partition, got, c.left)
			}
		}
		wantError(t, "Sweep of a partition that is not there", s.Sweep(ctx, layout, 2), directory.ErrLayout)
	})
}

func TestCountRefusesWhatIsNoNumber(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := directory.Layout{Epoch: 78}
		wantError(t, "Prepare", s.Prepare(ctx, layout, generation), nil)
		rdb.HSet(ctx, "kith:{e78.p0}:meta", "hidden", "many")
		_, err := s.Count(ctx, layout)
		wantError(t, "Count", err, directory.ErrRecord)
		_, err = s.Count(ctx, directory.Layout{})
		wantError(t, "no layout", err, directory.ErrLayout)
	})
}
