package directory_test

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// wholeNumber is how scripts write a number.
var wholeNumber = regexp.MustCompile(`^\d{1,16}$`)

// FuzzStored puts anything into the keys of a partition that is good otherwise. No operation fails as if Redis were away, which is
// what an error of a script looks like; a fence that is no number lets no write pass; and other records are as they were.
func FuzzStored(f *testing.F) {
	record := stored(write(tagNumber(0), directory.Visible, 7))
	good, err := record.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("5", "1", "1", good, "2-0", string(good[:7]), "2")
	f.Add("nan", "1", "1", good, "2-0", "\x60"+string(good[1:7]), "2")
	f.Add("5", "nan", "1", good[:47], "2-1", string(good[:7]), "1e3")
	f.Add("inf", "1e3", "x", []byte(nil), "3-0", "", "nan")
	f.Add("0x5", "9007199254740991", "9223372036854775807", []byte("\x01\x1f\xff"), "9-0", string(good[:7]), " 2")
	f.Add("18446744073709551615", "18446744073709551615", "", append([]byte{0x60}, good[1:47]...), "", "\x80", "")
	f.Add("0", "0", "0", []byte("0"), "0", "0", "0")
	f.Add("-1", "-1", "-1", []byte("x"), "2-0", string(good[:7]), "-1")
	ctx := context.Background()
	rdb := redistest.Start(f, redistest.AppendFsync("no")).Client()
	s := directory.New(rdb, directory.Config{})
	layout := directory.Layout{Epoch: 1, PartitionBits: 0, BucketBits: 1}
	altered, other := tagNumber(0), tagNumber(1)
	meta, bucket, changes, moves := "kith:{e1.p0}:meta", "kith:{e1.p0}:b0", "kith:{e1.p0}:changes", "kith:{e1.p0}:moves"
	f.Fuzz(func(t *testing.T, fence, changed, counter string, value []byte, id, header, movedTo string) {
		rdb.FlushAll(ctx)
		if err := s.Prepare(ctx, layout, generation); err != nil {
			t.Fatal(err)
		}
		apply(t, s, layout, write(other, directory.Visible, 3))
		rdb.HSet(ctx, meta, "fence", fence, "changes", changed, "visible", counter, "hidden", counter, "deleted", counter)
		rdb.HSet(ctx, bucket, string(altered[:]), value)
		added := rdb.XAdd(ctx, &redis.XAddArgs{Stream: changes, ID: id, Values: []any{"c", header + string(altered[:])}}).Err() == nil
		rdb.HSet(ctx, moves, "epoch", movedTo, "0", value)

		check := func(operation string, err error) {
			t.Helper()
			if err != nil && (errors.Is(err, directory.ErrUnavailable) || errors.Is(err, directory.ErrLayout)) {
				t.Errorf("%s: %v", operation, err)
			}
		}
		_, err := s.Match(ctx, layout, []crypto.Tag{altered, other})
		check("Match", err)
		_, err = s.Buckets(ctx, layout, []uint32{0})
		check("Buckets", err)
		found, err := s.GetAll(ctx, layout, []crypto.Tag{altered, other})
		check("GetAll", err)
		_, err = s.Count(ctx, layout)
		check("Count", err)
		highest, err := s.HighestFence(ctx, layout)
		if check("HighestFence", err); highest >= directory.VersionEnd {
			t.Errorf("the highest fence is %d", highest)
		}
		for _, after := range []uint64{0, 1, directory.VersionEnd - 2} {
			all, err := s.Changes(ctx, layout, []directory.Position{{Change: after}})
			check("Changes", err)
			check("Changes", all[0].Err)
		}
		_, err = s.Moves(ctx, layout, 0, 2, []uint32{0, 1})
		check("Moves", err)
		check("SaveMoves", s.SaveMoves(ctx, layout, generation, 0, 2, []directory.Move{{Bucket: 0, Kept: value}}))
		check("DropMoves", s.DropMoves(ctx, layout, 0, 2))

		outcomes, err := s.Apply(ctx, layout, generation, []directory.Write{
			write(altered, directory.Deleted, 9), write(tagNumber(2), directory.Visible, 1), write(tagNumber(3), directory.Hidden, 0),
		})
		counted, bad := strconv.ParseUint(changed, 10, 53)
		if ahead := added || bad == nil && counted < 1; !ahead { // a stream that has more than was counted refuses, and nothing is written
			check("Apply", err)
		}
		if !wholeNumber.MatchString(fence) && !errors.Is(err, directory.ErrIncomplete) {
			t.Errorf("Apply past the fence %q: got %v, %v", fence, outcomes, err)
		}
		check("Prepare", s.Prepare(ctx, layout, generation))
		records := 0
		for entry, err := range s.Scan(ctx, layout, 0) {
			check("Scan", err)
			if err == nil && entry.Tag == other && entry.Record != stored(write(other, directory.Visible, 3)) {
				t.Errorf("another record became %+v", entry.Record)
			}
			records++
		}
		if len(found) == 2 && (found[1].Err != nil || records < 2) {
			t.Errorf("another record: %v; %d records in all", found[1].Err, records)
		}
	})
}
