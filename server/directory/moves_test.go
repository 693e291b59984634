package directory_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// kept returns what is kept of the moves of buckets 4 to 7 to an epoch, as text, "-" for nothing.
func kept(t *testing.T, s *directory.Store, layout directory.Layout, target uint32) string {
	t.Helper()
	moves, err := s.Moves(context.Background(), layout, 1, target, []uint32{4, 5, 6, 7})
	if err != nil {
		t.Fatalf("Moves: %v", err)
	}
	text := ""
	for _, m := range moves {
		if m == nil {
			m = []byte("-")
		}
		text += string(m) + " "
	}
	return text
}

func TestMoves(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		save := func(generation uint64, target uint32, moves ...directory.Move) error {
			return s.SaveMoves(ctx, layout, generation, 1, target, moves)
		}
		move := func(bucket uint32, kept string) directory.Move {
			return directory.Move{Bucket: bucket, Kept: []byte(kept)}
		}
		drop := func(target uint32) error { return s.DropMoves(ctx, layout, 1, target) }
		for _, step := range []struct {
			name   string
			do     func() error
			want   error
			target uint32
			kept   string
		}{
			{"nothing", func() error { return nil }, nil, 8, "- - - - "},
			{"two", func() error { return save(generation, 8, move(4, "a\x00"), move(6, "c")) }, nil, 8, "a\x00 - c - "},
			{"one again", func() error { return save(generation, 8, move(6, "d"), move(7, "")) }, nil, 8, "a\x00 - d  "},
			{"of a higher generation", func() error { return save(generation+1, 8, move(7, "e")) }, nil, 8, "a\x00 - d e "},
			{"to an earlier epoch", func() error { return save(generation, 7, move(4, "x")) }, directory.ErrStale, 7, "- - - - "},
			{"of a stale generation", func() error { return save(generation-1, 8, move(4, "x")) }, directory.ErrStale, 8, "a\x00 - d e "},
			{"of another partition", func() error { return save(generation, 8, move(5, "x"), move(8, "x")) }, directory.ErrLayout, 8, "a\x00 - d e "},
			{"of no generation", func() error { return save(directory.VersionEnd, 8, move(5, "x")) }, directory.ErrRecord, 8, "a\x00 - d e "},
			{"to a later epoch", func() error { return save(generation, 10, move(5, "f")) }, nil, 10, "- f - - "},
			{"dropped to an earlier one", func() error { return drop(9) }, nil, 10, "- f - - "},
			{"dropped", func() error { return drop(10) }, nil, 10, "- - - - "},
			{"dropped again", func() error { return drop(10) }, nil, 10, "- - - - "},
		} {
			wantError(t, step.name, step.do(), step.want)
			if got := kept(t, s, layout, step.target); got != step.kept {
				t.Errorf("%s: kept of moves to %d: got %q, want %q", step.name, step.target, got, step.kept)
			}
		}
	})
}

func TestMovesOfAMissingPartition(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		moves := []directory.Move{{Bucket: 4, Kept: []byte("a")}}
		wantError(t, "SaveMoves", s.SaveMoves(ctx, layout, generation, 1, 8, moves), nil)
		wantError(t, "Sweep", s.Sweep(ctx, layout, 1), nil)
		wantError(t, "SaveMoves after Sweep", s.SaveMoves(ctx, layout, generation, 1, 8, moves), directory.ErrIncomplete)
		_, err := s.Moves(ctx, layout, 1, 8, []uint32{4})
		wantError(t, "Moves after Sweep", err, directory.ErrIncomplete)
		wantError(t, "DropMoves after Sweep", s.DropMoves(ctx, layout, 1, 8), nil)
		if n := rdb.Exists(ctx, fmt.Sprintf("kith:{e%d.p1}:moves", layout.Epoch)).Val(); n != 0 {
			t.Error("moves are left of a swept partition")
		}
		for operation, err := range map[string]error{
			"SaveMoves": s.SaveMoves(ctx, layout, generation, 4, 8, nil),
			"DropMoves": s.DropMoves(ctx, layout, 4, 8),
		} {
			wantError(t, operation+" of a partition that is not there", err, directory.ErrLayout)
		}
		_, err = s.Moves(ctx, layout, 4, 8, nil)
		wantError(t, "Moves of a partition that is not there", err, directory.ErrLayout)
	})
}
