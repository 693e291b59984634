package directory_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// changesOf returns the changes of one partition after a position.
func changesOf(t testing.TB, s *directory.Store, layout directory.Layout, partition uint32, after uint64) directory.Changes {
	t.Helper()
	position := directory.Position{Partition: partition, Change: after}
	results, err := s.Changes(context.Background(), layout, []directory.Position{position})
	if err != nil || len(results) != 1 {
		t.Fatalf("Changes: got %d results, %v, want 1", len(results), err)
	}
	return results[0]
}

// toggles returns n writes of one tag of partition 0 that show and hide it in turn.
func toggles(n uint64) []directory.Write {
	var writes []directory.Write
	for v := range n {
		writes = append(writes, write(tagNumber(1), directory.Format(1+v%2), v+1))
	}
	return writes
}

func TestChangesFollowWrites(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		one, two, other := tagNumber(1), tagNumber(0x1002), tagNumber(0xF001)
		apply(t, s, layout, write(one, directory.Visible, 5), write(two, directory.Visible, 6), write(one, directory.Visible, 7),
			write(one, directory.Hidden, 8), write(other, directory.Visible, 1))

		results, err := s.Changes(ctx, layout, []directory.Position{{Partition: 3}, {Partition: 0, Change: 1}, {Partition: 0}, {Partition: 1}})
		if err != nil || len(results) != 4 {
			t.Fatalf("got %d results, %v, want 4", len(results), err)
		}
		all := []directory.Change{
			{Tag: one, Visible: true, Version: 5}, {Tag: two, Visible: true, Version: 6}, {Tag: one, Version: 8},
		}
		for i, want := range []directory.Changes{
			{Entries: []directory.Change{{Tag: other, Visible: true, Version: 1}}, Position: directory.Position{Partition: 3, Change: 1}},
			{Entries: all[1:], Position: directory.Position{Change: 3}},
			{Entries: all, Position: directory.Position{Change: 3}},
			{Position: directory.Position{Partition: 1}},
		} {
			got := results[i]
			if !slices.Equal(got.Entries, want.Entries) || got.Position != want.Position || got.More || got.Gap || got.Err != nil {
				t.Errorf("result %d: got %+v, want %+v", i, got, want)
			}
		}
		position, err := s.Position(ctx, layout, 0)
		if want := (directory.Position{Change: 3}); err != nil || position != want {
			t.Errorf("Position: got %v, %v, want %v", position, err, want)
		}
	})
}

func TestChangesComeInParts(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		const n = 2*512 + 1
		_, err := s.Apply(context.Background(), layout, generation, toggles(n))
		wantError(t, "Apply", err, nil)
		position := uint64(0)
		for _, want := range []int{512, 512, 1, 0} {
			got := changesOf(t, s, layout, 0, position)
			if len(got.Entries) != want || got.Gap || got.Err != nil || got.More != (want == 512) {
				t.Fatalf("after %d: got %d entries, more %v, gap %v, %v, want %d entries", position, len(got.Entries), got.More, got.Gap, got.Err, want)
			}
			position = got.Position.Change
		}
		if position != n {
			t.Errorf("got position %d, want %d", position, n)
		}
		// Exactly as many as are read at a time, and nothing beyond.
		if got := changesOf(t, s, layout, 0, n-512); len(got.Entries) != 512 || got.More || got.Gap {
			t.Errorf("the last 512: got %d entries, more %v, gap %v", len(got.Entries), got.More, got.Gap)
		}
	})
}

func TestChangesShowGaps(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(ctx context.Context, rdb *redis.Client, meta, changes string) error
		after uint64
		want  bool
	}{
		{"nothing lost", nil, 3, false},
		{"at the last", nil, 10, false},
		{"first trimmed", func(ctx context.Context, rdb *redis.Client, _, changes string) error {
			return rdb.XTrimMaxLen(ctx, changes, 5).Err()
		}, 4, true},
		{"trimmed up to the position", func(ctx context.Context, rdb *redis.Client, _, changes string) error {
			return rdb.XTrimMaxLen(ctx, changes, 5).Err()
		}, 5, false},
		{"one lost between", func(ctx context.Context, rdb *redis.Client, _, changes string) error {
			return rdb.XDel(ctx, changes, "7-0").Err()
		}, 3, true},
		{"last lost", func(ctx context.Context, rdb *redis.Client, _, changes string) error {
			return rdb.XDel(ctx, changes, "10-0").Err()
		}, 3, true},
		{"stream lost", func(ctx context.Context, rdb *redis.Client, _, changes string) error {
			return rdb.Del(ctx, changes).Err()
		}, 3, true},
		{"stream lost, all known", func(ctx context.Context, rdb *redis.Client, _, changes string) error {
			return rdb.Del(ctx, changes).Err()
		}, 10, false},
		{"rolled back", func(ctx context.Context, rdb *redis.Client, meta, _ string) error {
			return rdb.HSet(ctx, meta, "changes", "9").Err()
		}, 10, true},
		{"malformed", func(ctx context.Context, rdb *redis.Client, meta, changes string) error {
			rdb.HSet(ctx, meta, "changes", "11")
			return rdb.XAdd(ctx, &redis.XAddArgs{Stream: changes, ID: "11-0", Values: []string{"o", "+"}}).Err()
		}, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
				ctx := context.Background()
				malformed := 0
				s := directory.New(rdb, directory.Config{OnCorrupt: func(n int) { malformed += n }})
				layout := prepared(t, s)
				apply(t, s, layout, toggles(10)...)
				key := fmt.Sprintf("kith:{e%d.p0}:", layout.Epoch)
				if c.spoil != nil {
					if err := c.spoil(ctx, rdb, key+"meta", key+"changes"); err != nil {
						t.Fatal(err)
					}
				}
				got := changesOf(t, s, layout, 0, c.after)
				if got.Gap != c.want || got.Err != nil || got.More {
					t.Errorf("got %+v, want gap %v", got, c.want)
				}
				if got.Gap && (got.Entries != nil || got.Position.Change != c.after) {
					t.Errorf("got %+v, want no entries and the old position", got)
				}
				if (malformed > 0) != (c.name == "malformed") {
					t.Errorf("got %d malformed reported", malformed)
				}
			})
		})
	}
}

// TestChangesOfMissingPartition loses one partition, which must not spoil the others.
func TestChangesOfMissingPartition(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		apply(t, s, layout, toggles(1)...)
		wantError(t, "Sweep", s.Sweep(ctx, layout, 1), nil)
		results, err := s.Changes(ctx, layout, []directory.Position{{Partition: 1}, {Partition: 0}})
		wantError(t, "Changes", err, nil)
		wantError(t, "missing partition", results[0].Err, directory.ErrIncomplete)
		if len(results[1].Entries) != 1 || results[1].Err != nil {
			t.Errorf("the other: got %+v, want an entry", results[1])
		}
		_, err = s.Position(ctx, layout, 1)
		wantError(t, "Position", err, directory.ErrIncomplete)

		rdb.HDel(ctx, fmt.Sprintf("kith:{e%d.p0}:meta", layout.Epoch), "changes")
		wantError(t, "no counter", changesOf(t, s, layout, 0, 0).Err, directory.ErrIncomplete)
		_, err = s.Apply(ctx, layout, generation, toggles(3))
		wantError(t, "Apply without a counter", err, directory.ErrIncomplete)

		_, err = s.Changes(ctx, layout, []directory.Position{{Partition: 4}})
		wantError(t, "no such partition", err, directory.ErrLayout)
		_, err = s.Changes(ctx, directory.Layout{}, nil)
		wantError(t, "no layout", err, directory.ErrLayout)
		_, err = s.Position(ctx, layout, 4)
		wantError(t, "Position of no partition", err, directory.ErrLayout)
	})
}

func TestChangesOfDeadServer(t *testing.T) {
	server := redistest.Start(t)
	s := directory.New(connect(t, server.Options()), directory.Config{})
	layout := prepared(t, s)
	server.Kill()
	wantError(t, "Changes", changesOf(t, s, layout, 0, 0).Err, directory.ErrUnavailable)
	_, err := s.Position(context.Background(), layout, 0)
	wantError(t, "Position", err, directory.ErrUnavailable)
}

// TestRefusedStreamLeavesRecords has a stream that takes no entry, which the script meets only when it writes.
func TestRefusedStreamLeavesRecords(t *testing.T) {
	for name, spoil := range map[string]func(ctx context.Context, rdb *redis.Client, key string){
		"ahead of the counter": func(ctx context.Context, rdb *redis.Client, key string) {
			rdb.XAdd(ctx, &redis.XAddArgs{Stream: key, ID: "99-0", Values: []string{"o", "+"}})
		},
		"another type": func(ctx context.Context, rdb *redis.Client, key string) { rdb.Set(ctx, key, "x", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
				ctx := context.Background()
				s := directory.New(rdb, directory.Config{})
				layout := prepared(t, s)
				spoil(ctx, rdb, fmt.Sprintf("kith:{e%d.p0}:changes", layout.Epoch))
				_, err := s.Apply(ctx, layout, generation+1, toggles(1))
				wantError(t, "Apply", err, directory.ErrUnavailable)
				if got := scan(t, s, layout); len(got) != 0 {
					t.Errorf("%d records were written", len(got))
				}
				counts, err := s.Count(ctx, layout)
				if err != nil || counts != (directory.Counts{}) {
					t.Errorf("counts: got %v, %v, want none", counts, err)
				}
			})
		})
	}
}
