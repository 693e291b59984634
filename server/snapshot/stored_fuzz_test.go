package snapshot

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// FuzzStored puts anything into what a builder has stored, its lease aside. Nothing of it looks as if Redis were away, by which
// builders would try for ever: within three turns there is a set again, and a feed that goes on from it.
func FuzzStored(f *testing.F) {
	f.Add("head", "x", "s0", "1 1", "0-1", "e", "t", []byte("{}"))
	f.Add("head", "0", "", "", "1-1", "", "", []byte(nil))
	f.Add("generation", "9007199254740991", "shard_bits", "40", "9007199254740992-1", "e", "-", []byte("null"))
	f.Add("generation", "1", "build", "x", "1-18446744073709551615", "t", "e", []byte(`{"epoch":1}`))
	f.Add("trimmed", "nan", "malformed", "-1", "", "e", "x", []byte("\xff"))
	f.Add("positions", "", "since", "1.1", "", "e", "x", []byte("\xff"))
	f.Add("day", "9223372036854775807", "created", "9223372036854775807", "", "e", "x", []byte("\xff"))
	f.Add("", "", "", "", "18446744073709551615-18446744073709551615", "e", "x", []byte("\xff"))
	f.Add("bytes", "-1", "", "", "18446744073709551615-18446744073709551615", "e", "x", []byte("\xff"))
	ctx := context.Background()
	rdb := redistest.Start(f, redistest.AppendFsync("no")).Client()
	f.Fuzz(func(t *testing.T, feedField, feedValue, buildField, buildValue, id, name, value string, manifest []byte) {
		rdb.FlushAll(ctx)
		r := newRig(t, rdb)
		config := Config{KeepChanges: time.Minute, MaxSegments: 2}
		b := r.builder(nil, nil, config)
		r.write(directory.Visible, 1, 2)
		r.turn(b)
		r.write(directory.Visible, 3)
		r.turn(b)

		rdb.HSet(ctx, b.keys.feed, feedField, feedValue)
		rdb.HSet(ctx, b.keys.build, buildField, buildValue)
		rdb.XAdd(ctx, &redis.XAddArgs{Stream: b.keys.changes, ID: id, Values: []any{name, value}})
		if manifest != nil {
			rdb.Set(ctx, b.keys.manifest, manifest, 0)
		}
		if _, err := r.store.Changes(ctx, "1.0"); err != nil && !errors.Is(err, ErrTrimmed) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("Changes: %v", err)
		}
		if _, _, err := r.store.Manifest(ctx); err != nil && !errors.Is(err, ErrManifest) {
			t.Errorf("Manifest: %v", err)
		}
		b = r.builder(nil, nil, config) // of another server
		r.sleep(2 * time.Minute)
		r.write(directory.Visible, 4, 5)
		for left := 3; ; left-- {
			err := turn(ctx, b)
			if err == nil {
				break
			}
			if left == 0 {
				t.Fatalf("no turn succeeds: %v", err)
			}
		}
		r.write(directory.Visible, 6)
		r.turn(b)
		m, _, err := r.store.Manifest(ctx)
		if err != nil {
			t.Fatalf("Manifest: %v", err)
		}
		for since := m.ChangesSince.String(); ; {
			segment, err := r.store.Changes(ctx, since)
			if err != nil {
				t.Fatalf("Changes since %s of %s: %v", since, m.ChangesSince, err)
			}
			if segment.Next == since {
				break
			}
			since = segment.Next
		}
	})
}
