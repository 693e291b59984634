package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

func TestScanBuckets(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		malformed := 0
		s := directory.New(rdb, directory.Config{OnCorrupt: func(n int) { malformed += n }})
		layout := prepared(t, s)
		visible, hidden := write(tagNumber(0x1002), directory.Visible, 3), write(tagNumber(0x1001), directory.Hidden, 4)
		deleted := write(tagNumber(0xF003), directory.Deleted, 5)
		apply(t, s, layout, visible, hidden, deleted)
		broken := tagNumber(0x1003)
		rdb.HSet(ctx, fmt.Sprintf("kith:{e%d.p0}:b1", layout.Epoch), string(broken[:]), "broken", "short", "broken")

		got, err := s.ScanBuckets(ctx, layout, []uint32{15, 1, 0, 15})
		if err != nil || len(got) != 4 {
			t.Fatalf("got %d buckets, %v, want 4", len(got), err)
		}
		last := directory.Scanned{Entry: directory.Entry{Tag: deleted.Tag, Record: stored(deleted)}}
		want := [][]directory.Scanned{{last}, {
			{Err: directory.ErrRecord},
			{Entry: directory.Entry{Tag: hidden.Tag, Record: stored(hidden)}},
			{Entry: directory.Entry{Tag: visible.Tag, Record: stored(visible)}},
			{Entry: directory.Entry{Tag: broken}, Err: directory.ErrRecord},
		}, {}, {last}}
		for i := range want {
			if !slices.EqualFunc(got[i], want[i], func(a, b directory.Scanned) bool {
				return a.Entry == b.Entry && errors.Is(a.Err, b.Err)
			}) {
				t.Errorf("bucket %d: got %v, want %v", i, got[i], want[i])
			}
		}
		if malformed != 2 {
			t.Errorf("got %d malformed records reported, want 2", malformed)
		}

		_, err = s.ScanBuckets(ctx, layout, []uint32{16})
		wantError(t, "a bucket that is not there", err, directory.ErrLayout)
		_, err = s.ScanBuckets(ctx, directory.Layout{}, nil)
		wantError(t, "no layout", err, directory.ErrLayout)
		if got, err := s.ScanBuckets(ctx, layout, nil); got != nil || err != nil {
			t.Errorf("nothing asked: got %v, %v", got, err)
		}
		wantError(t, "Sweep", s.Sweep(ctx, layout, 3), nil)
		_, err = s.ScanBuckets(ctx, layout, []uint32{1, 15})
		wantError(t, "a partition missing", err, directory.ErrIncomplete)
	})
}

func TestGetAll(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		malformed := 0
		s := directory.New(rdb, directory.Config{OnCorrupt: func(n int) { malformed += n }})
		layout := prepared(t, s)
		visible, deleted := write(tagNumber(0x1002), directory.Visible, 3), write(tagNumber(0xF001), directory.Deleted, 4)
		apply(t, s, layout, visible, deleted)
		broken, unknown := tagNumber(0x1003), tagNumber(0x1004)
		rdb.HSet(ctx, fmt.Sprintf("kith:{e%d.p0}:b1", layout.Epoch), string(broken[:]), "broken")

		got, err := s.GetAll(ctx, layout, []crypto.Tag{deleted.Tag, unknown, broken, visible.Tag, deleted.Tag})
		if err != nil || len(got) != 5 {
			t.Fatalf("got %d, %v, want 5", len(got), err)
		}
		for i, want := range []struct {
			record directory.Record
			err    error
		}{
			{stored(deleted), nil}, {directory.Record{}, directory.ErrNotFound}, {directory.Record{}, directory.ErrRecord},
			{stored(visible), nil}, {stored(deleted), nil},
		} {
			raw := []byte(nil)
			switch want.err {
			case nil:
				raw, _ = want.record.MarshalBinary()
			case directory.ErrRecord:
				raw = []byte("broken")
			}
			if got[i].Record != want.record || !errors.Is(got[i].Err, want.err) || !slices.Equal(got[i].Raw, raw) {
				t.Errorf("%d: got %+v, want %+v, %x, %v", i, got[i], want.record, raw, want.err)
			}
		}
		if malformed != 1 {
			t.Errorf("got %d malformed records reported, want 1", malformed)
		}

		if got, err := s.GetAll(ctx, layout, nil); got != nil || err != nil {
			t.Errorf("nothing asked: got %v, %v", got, err)
		}
		_, err = s.GetAll(ctx, directory.Layout{}, nil)
		wantError(t, "no layout", err, directory.ErrLayout)
		wantError(t, "Sweep", s.Sweep(ctx, layout, 3), nil)
		_, err = s.GetAll(ctx, layout, []crypto.Tag{visible.Tag, deleted.Tag})
		wantError(t, "a partition missing", err, directory.ErrIncomplete)
	})
}

// TestDamagedValueIsReplacedAtItsVersion is how a rotation mends a copy that has its version but does not open: who has
// seen the value may write the same version again, once.
func TestDamagedValueIsReplacedAtItsVersion(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		good := write(tagNumber(1), directory.Visible, 7)
		damaged := good
		damaged.Label[0] ^= 1
		apply(t, s, layout, damaged)
		_, raw := get(t, s, layout, good.Tag)
		want := directory.Outcome{Result: directory.Applied, Version: 7}

		if got := apply(t, s, layout, good)[0]; got != want {
			t.Errorf("without having seen it: got %v, want %v", got, want)
		}
		if record, _ := get(t, s, layout, good.Tag); record != stored(damaged) {
			t.Error("a repetition has changed the record")
		}
		for range 2 {
			mended := good
			mended.Expect = raw
			if got := apply(t, s, layout, mended)[0]; got != want {
				t.Errorf("having seen it: got %v, want %v", got, want)
			}
			if record, _ := get(t, s, layout, good.Tag); record != stored(good) {
				t.Errorf("got %+v, want %+v", record, stored(good))
			}
		}
		wantConsistent(t, rdb, s, layout, map[crypto.Tag]directory.Record{good.Tag: stored(good)})
	})
}
