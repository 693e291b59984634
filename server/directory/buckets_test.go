package directory_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

func TestBuckets(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		var writes []directory.Write
		for i := range uint16(60) { // 20 of each format, in buckets 0 and 15
			writes = append(writes, write(tagNumber(i*7919%0x100+i%2*0xF000), directory.Format(1+i%3), 1))
		}
		_, err := s.Apply(ctx, layout, generation, writes)
		wantError(t, "Apply", err, nil)

		asked := []uint32{15, 3, 0, 15}
		got, err := s.Buckets(ctx, layout, asked)
		if err != nil || len(got) != len(asked) {
			t.Fatalf("got %d buckets, %v, want %d", len(got), err, len(asked))
		}
		for i, bucket := range asked {
			var want []directory.Match
			for tag, r := range winners(writes) {
				if r.Format == directory.Visible && layout.Bucket(tag) == bucket {
					want = append(want, directory.Match{Tag: tag, Label: r.Label})
				}
			}
			slices.SortFunc(want, func(a, b directory.Match) int { return slices.Compare(a.Tag[:], b.Tag[:]) })
			if !slices.Equal(got[i], want) {
				t.Errorf("bucket %d: got %d records, want %d in order of their tags", bucket, len(got[i]), len(want))
			}
		}
	})
}

func TestBucketsRefuse(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		malformed := 0
		s := directory.New(rdb, directory.Config{OnCorrupt: func(n int) { malformed += n }})
		layout := prepared(t, s)
		tag := tagNumber(0x1000)
		apply(t, s, layout, write(tag, directory.Visible, 1), write(tagNumber(0xF000), directory.Visible, 1))

		for name, asked := range map[string][]uint32{"nothing asked": nil, "empty bucket": {2}} {
			for _, got := range must(s.Buckets(ctx, layout, asked)) {
				if len(got) != 0 {
					t.Errorf("%s: got %d records, want none", name, len(got))
				}
			}
		}
		_, err := s.Buckets(ctx, layout, []uint32{0, 16})
		wantError(t, "no such bucket", err, directory.ErrLayout)
		_, err = s.Buckets(ctx, directory.Layout{}, nil)
		wantError(t, "no layout", err, directory.ErrLayout)

		key := fmt.Sprintf("kith:{e%d.p0}:b", layout.Epoch)
		misplaced := crypto.Tag{0xFF}
		rdb.HSet(ctx, key+"1", "short", goldenRecords[0].stored, string(misplaced[:]), goldenRecords[0].stored)
		got, err := s.Buckets(ctx, layout, []uint32{0, 1})
		wantError(t, "malformed", err, directory.ErrRecord)
		if got != nil || malformed != 2 {
			t.Errorf("malformed: got %v beside the error, %d reported, want nothing and 2", got, malformed)
		}
		wantError(t, "Sweep", s.Sweep(ctx, layout, 3), nil)
		got, err = s.Buckets(ctx, layout, []uint32{0, 15})
		wantError(t, "missing partition", err, directory.ErrIncomplete)
		if got != nil {
			t.Errorf("missing partition: got %v beside the error", got)
		}
	})
}

// must returns the value of a call that can not fail in the test.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
