package directory_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// fenceOf returns the fence of a partition as it is stored, "" if there is none.
func fenceOf(rdb *redis.Client, layout directory.Layout, partition int) string {
	return rdb.HGet(context.Background(), fmt.Sprintf("kith:{e%d.p%d}:meta", layout.Epoch, partition), "fence").Val()
}

func TestStaleGenerationIsRefused(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		const partition0, partition3 = 0x0001, 0xF001
		both := []directory.Write{
			write(tagNumber(partition0), directory.Visible, 1), write(tagNumber(partition3), directory.Visible, 1),
		}

		wantError(t, "RaiseFence", s.RaiseFence(ctx, layout, 3, generation+1), nil)
		outcomes, err := s.Apply(ctx, layout, generation, both)
		wantError(t, "Apply", err, directory.ErrStale)
		if outcomes[0].Result != directory.Applied || outcomes[1] != (directory.Outcome{Result: directory.Stale}) {
			t.Errorf("got %v, want applied, stale", outcomes)
		}
		if got := scan(t, s, layout); len(got) != 1 {
			t.Errorf("got %d records, want that of the other partition", len(got))
		}

		// With the keyring reloaded, the whole call is repeated. It raises the fence of the partition that let it through.
		outcomes, err = s.Apply(ctx, layout, generation+1, both)
		wantError(t, "Apply again", err, nil)
		if outcomes[0].Result != directory.Applied || outcomes[1].Result != directory.Applied {
			t.Errorf("again: got %v, want applied twice", outcomes)
		}
		_, err = s.Apply(ctx, layout, generation, both)
		wantError(t, "Apply of the old generation", err, directory.ErrStale)
	})
}

// TestFenceIsRaisedByLosingWrites matters to a rotation: whatever the outcome, a writer of the new generation was seen.
func TestFenceIsRaisedByLosingWrites(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		apply(t, s, layout, write(tagNumber(1), directory.Deleted, 9))
		outcomes, err := s.Apply(context.Background(), layout, generation+7,
			[]directory.Write{write(tagNumber(1), directory.Visible, 1)})
		if err != nil || outcomes[0].Result != directory.Lost {
			t.Fatalf("got %v, %v, want lost", outcomes, err)
		}
		if got := fenceOf(rdb, layout, 0); got != "12" {
			t.Errorf("fence: got %s, want 12", got)
		}
	})
}

// TestFenceOrderIsNumeric compares generations whose decimal digits sort the other way.
func TestFenceOrderIsNumeric(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		for _, c := range []struct {
			generation uint64
			want       error
		}{
			{9, nil}, {10, nil}, {9, directory.ErrStale}, {10, nil}, {1 << 52, nil}, {1<<52 - 1, directory.ErrStale},
			{directory.VersionEnd - 1, nil}, {directory.VersionEnd - 2, directory.ErrStale},
			{directory.VersionEnd, directory.ErrRecord},
		} {
			_, err := s.Apply(ctx, layout, c.generation, []directory.Write{write(tagNumber(1), directory.Visible, 1)})
			wantError(t, fmt.Sprintf("Apply at %d", c.generation), err, c.want)
			wantError(t, fmt.Sprintf("RaiseFence to %d", c.generation), s.RaiseFence(ctx, layout, 0, c.generation), c.want)
		}
	})
}

func TestPrepareIsRepeatable(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		apply(t, s, layout, write(tagNumber(1), directory.Visible, 1))

		// As after a kill in the middle: one partition is missing, and the keyring has moved on.
		rdb.Del(ctx, fmt.Sprintf("kith:{e%d.p2}:meta", layout.Epoch))
		wantError(t, "Prepare again", s.Prepare(ctx, layout, generation+1), nil)
		for p := range 4 {
			if got := fenceOf(rdb, layout, p); got != "6" {
				t.Errorf("fence of %d: got %s, want 6", p, got)
			}
		}
		counts, err := s.Count(ctx, layout)
		if want := (directory.Counts{Visible: 1}); err != nil || counts != want {
			t.Errorf("counts: got %v, %v, want %v", counts, err, want)
		}

		wantError(t, "Prepare by an old keyring", s.Prepare(ctx, layout, generation), directory.ErrStale)
		if got := fenceOf(rdb, layout, 0); got != "6" {
			t.Errorf("fence after that: got %s, want 6", got)
		}
		wantError(t, "Prepare of no layout", s.Prepare(ctx, directory.Layout{}, 1), directory.ErrLayout)
		wantError(t, "Prepare of no generation", s.Prepare(ctx, layout, directory.VersionEnd), directory.ErrRecord)
	})
}

func TestPrepareManyPartitions(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := directory.Layout{Epoch: lastEpoch.Add(1), PartitionBits: 10, BucketBits: 20}
		wantError(t, "Prepare", s.Prepare(ctx, layout, 1), nil)
		if got := rdb.DBSize(ctx).Val(); got != 1024 {
			t.Errorf("got %d keys, want 1024", got)
		}
		counts, err := s.Count(ctx, layout)
		if err != nil || counts != (directory.Counts{}) {
			t.Errorf("counts: got %v, %v, want none", counts, err)
		}
	})
}

// TestMissingPartition is the promise that a lost shard is an error, never a silent "not registered": each operation is
// tried on an epoch that was never prepared, on one that was swept, and on one whose server lost its data.
func TestMissingPartition(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		tag := tagNumber(0xF000)
		for _, c := range []struct {
			name string
			lose func(layout directory.Layout)
		}{
			{"never prepared", func(layout directory.Layout) { rdb.FlushAll(ctx) }},
			{"swept", func(layout directory.Layout) { wantError(t, "Sweep", s.Sweep(ctx, layout, 3), nil) }},
			{"meta lost", func(layout directory.Layout) { rdb.Del(ctx, fmt.Sprintf("kith:{e%d.p3}:meta", layout.Epoch)) }},
		} {
			t.Run(c.name, func(t *testing.T) {
				layout := prepared(t, s)
				if c.name != "never prepared" {
					apply(t, s, layout, write(tag, directory.Visible, 1))
				}
				c.lose(layout)
				before := rdb.DBSize(ctx).Val()

				matches, err := s.Match(ctx, layout, []crypto.Tag{tag})
				wantError(t, "Match", err, directory.ErrIncomplete)
				if matches != nil {
					t.Errorf("Match: got %v beside the error", matches)
				}
				_, _, err = s.Get(ctx, layout, tag)
				wantError(t, "Get", err, directory.ErrIncomplete)
				_, err = s.Count(ctx, layout)
				wantError(t, "Count", err, directory.ErrIncomplete)
				wantError(t, "RaiseFence", s.RaiseFence(ctx, layout, 3, generation), directory.ErrIncomplete)
				yields := 0
				for _, err := range s.Scan(ctx, layout, 3) {
					wantError(t, "Scan", err, directory.ErrIncomplete)
					yields++
				}
				if yields != 1 {
					t.Errorf("Scan: got %d yields, want 1", yields)
				}
				outcomes, err := s.Apply(ctx, layout, generation, []directory.Write{write(tag, directory.Visible, 2)})
				wantError(t, "Apply", err, directory.ErrIncomplete)
				if outcomes[0] != (directory.Outcome{Result: directory.Missing}) {
					t.Errorf("Apply: got %v, want missing", outcomes[0])
				}
				if after := rdb.DBSize(ctx).Val(); after != before {
					t.Errorf("got %d keys after the write, %d before: it created some", after, before)
				}
			})
		}
	})
}

// TestOnePartitionMissing asks for tags of two partitions, one of which is lost: that there is an answer for one must not
// hide that there is none for the other.
func TestOnePartitionMissing(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		there, lost := tagNumber(0x0001), tagNumber(0xF001)
		apply(t, s, layout, write(there, directory.Visible, 1), write(lost, directory.Visible, 1))
		wantError(t, "Sweep", s.Sweep(ctx, layout, 3), nil)

		matches, err := s.Match(ctx, layout, []crypto.Tag{there, lost})
		wantError(t, "Match of both", err, directory.ErrIncomplete)
		if matches != nil {
			t.Errorf("Match of both: got %v beside the error", matches)
		}
		matches, err = s.Match(ctx, layout, []crypto.Tag{there})
		if err != nil || len(matches) != 1 {
			t.Errorf("Match of the other: got %v, %v, want 1", matches, err)
		}
		outcomes, err := s.Apply(ctx, layout, generation, []directory.Write{
			write(lost, directory.Visible, 2), write(there, directory.Visible, 2),
		})
		wantError(t, "Apply", err, directory.ErrIncomplete)
		if outcomes[0].Result != directory.Missing || outcomes[1].Result != directory.Applied {
			t.Errorf("Apply: got %v, want missing, applied", outcomes)
		}
	})
}
