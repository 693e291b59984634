package snapshot

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/filter"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// entry returns the change of one tag in its wire form.
func entry(n int, visible bool) string {
	return string(filter.AppendChange(nil, filter.Change{Prefix: filter.Prefix(tag(n)), Visible: visible}))
}

func TestTailIsWhatTheNextSegmentTells(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		since := r.download().since
		s := NewStore(rdb, r.layout.Epoch, 0)
		s.now = r.now
		s.ReadTail(r.dir, r.layout)
		ask := func(name, since string, want Segment) {
			t.Helper()
			if got, err := s.Changes(ctx, since); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
			}
		}

		ask("nothing happened", since, Segment{Next: since})
		r.write(directory.Visible, 1)
		ask("within the time that it is remembered", since, Segment{Next: since})
		r.sleep(tailMemory)
		joined := []byte(entry(1, true))
		ask("joined", since, Segment{Next: since, Entries: joined})

		r.turn(b)
		start := r.download().manifest.ChangesSince
		ask("gathered", since, Segment{Next: start.next().String(), Entries: joined, Closed: true})
		ask("behind the segment", start.next().String(), Segment{Next: start.next().String()})
		r.write(directory.Hidden, 1)
		r.sleep(tailMemory)
		ask("left", start.next().String(), Segment{Next: start.next().String(), Entries: []byte(entry(1, false))})
		ask("before the segment", since, Segment{Next: start.next().String(), Entries: joined, Closed: true})
	})
}

func TestTailFailures(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		since := r.download().since
		s := NewStore(rdb, r.layout.Epoch, 0)
		s.now = r.now
		s.ReadTail(r.dir, r.layout)

		if err := r.dir.Sweep(ctx, r.layout, 3); err != nil {
			t.Fatal(err)
		}
		_, err := s.Changes(ctx, since)
		wantError(t, "missing partition", err, directory.ErrIncomplete)
		for range 200 {
			r.write(directory.Visible, 1)
			r.write(directory.Hidden, 1)
		}
		if got, err := s.Changes(ctx, since); err != nil || got.Closed || len(got.Entries) != 0 {
			t.Errorf("after a gap: got %+v, %v, want nothing", got, err)
		}
		r.sleep(tailMemory)
		rdb.HSet(ctx, b.keys.feed, fieldPositions, "short")
		_, err = s.Changes(ctx, since)
		wantError(t, "malformed positions", err, ErrUnavailable)
	})
}
