package snapshot

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// TestCorruptStateIsBegunAnew spoils what a builder has stored, one thing at a time. Each is counted, and there is a set and a feed
// that goes on after it.
func TestCorruptStateIsBegunAnew(t *testing.T) {
	ctx := context.Background()
	rdb := redistest.Start(t, redistest.AppendFsync("no")).Client()
	for name, test := range map[string]struct {
		spoil   func(k keys)
		corrupt int
		turns   int // until one succeeds
	}{
		"feed":     {func(k keys) { rdb.HSet(ctx, k.feed, "positions", "x") }, 1, 1},
		"build":    {func(k keys) { rdb.HSet(ctx, k.build, "build", "x"); rdb.Set(ctx, k.wanted, "1", 0) }, 1, 1},
		"manifest": {func(k keys) { rdb.Set(ctx, k.manifest, "{}", 0) }, 1, 1},
		// Segments that are not before the next one: the feed is of no use, which the turn after finds.
		"segment ahead": {func(k keys) {
			rdb.XAdd(ctx, &redis.XAddArgs{Stream: k.changes, ID: "18446744073709551615-1", Values: []any{"e", "", "t", "1"}})
		}, 1, 2},
		"last segment": {func(k keys) {
			rdb.XAdd(ctx, &redis.XAddArgs{Stream: k.changes, ID: "18446744073709551615-18446744073709551615", Values: []any{"e", "", "t", "1"}})
		}, 1, 2},
		"segment without a time": {func(k keys) {
			rdb.Del(ctx, k.changes)
			rdb.XAdd(ctx, &redis.XAddArgs{Stream: k.changes, ID: "0-1", Values: []any{"e", ""}})
		}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rdb)
			corrupt := 0
			b := r.builder(nil, nil, Config{KeepChanges: time.Minute, OnCorrupt: func(n int) { corrupt += n }})
			r.write(directory.Visible, 1)
			r.turn(b)
			test.spoil(b.keys)
			r.write(directory.Visible, 2)
			for range test.turns - 1 {
				if err := turn(ctx, b); err == nil {
					t.Error("a turn succeeded too soon")
				}
			}
			r.turn(b)
			if corrupt != test.corrupt {
				t.Errorf("%d were counted, want %d", corrupt, test.corrupt)
			}
			r.write(directory.Visible, 3)
			r.sleep(2 * time.Minute) // after which the segments are removed
			rdb.Set(ctx, b.keys.wanted, "1", 0)
			r.turn(b)
			d := r.download()
			if err := r.follow(d); err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= 3; n++ {
				if !d.has(tag(n)) {
					t.Errorf("%d is missing", n)
				}
			}
		})
	}
}
