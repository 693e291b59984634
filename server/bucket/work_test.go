package bucket

import (
	"context"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// oneMore is a store in which every bucket has benchMean registrations, and one bucket has one more if asked for.
type oneMore struct {
	madeUp
	bucket uint32
	tag    crypto.Tag
	joined bool
}

func (s oneMore) Buckets(ctx context.Context, l directory.Layout, buckets []uint32) ([][]directory.Match, error) {
	found, err := s.madeUp.Buckets(ctx, l, buckets)
	for i, bucket := range buckets {
		if s.joined && bucket == s.bucket {
			found[i] = append(found[i], directory.Match{Tag: s.tag})
			sortByTag(found[i])
		}
	}
	return found, err
}

// smallLayout is that of an epoch of 16 buckets.
var smallLayout = directory.Layout{Epoch: 1, PartitionBits: 1, BucketBits: 4}

// twoViews returns views of the same epoch that differ in whether one tag of a bucket is registered, and that bucket.
func twoViews(t testing.TB) (with, without *View, bucket uint32) {
	t.Helper()
	const asked = 4
	tag := crypto.Tag{0x49, 0x9c, 1, 2, 3, 4, 5, 6, 7, 8, 9} // of bucket 4
	if got := smallLayout.Bucket(tag); got != asked {
		t.Fatalf("the tag is of bucket %d, want %d", got, asked)
	}
	f, err := NewFormat(int(smallLayout.BucketBits), SlotsFor(benchMean))
	if err != nil {
		t.Fatal(err)
	}
	views := make(map[bool]*View)
	for _, joined := range []bool{false, true} {
		v, err := NewView(oneMore{bucket: asked, tag: tag, joined: joined}, smallLayout, FillKey{}, f, Config{Now: new(clock).now})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.readMissing(context.Background()); err != nil {
			t.Fatal(err)
		}
		views[joined] = v
	}
	return views[true], views[false], asked
}

// TestWorkDoesNotDependOnRegistration: whether a tag is registered changes neither the length of an answer from memory nor
// what is allocated to make it. (The time that it takes is measured by make timing.)
func TestWorkDoesNotDependOnRegistration(t *testing.T) {
	with, without, bucket := twoViews(t)
	var sizes [2]int
	var allocations [2]float64
	for i, v := range []*View{with, without} {
		answer, err := v.Append(nil, bucket)
		if err != nil {
			t.Fatal(err)
		}
		sizes[i] = len(answer)
		buffer := make([]byte, 0, v.Format().Size())
		allocations[i] = testing.AllocsPerRun(1000, func() {
			if _, err := v.Append(buffer, bucket); err != nil {
				t.Error(err)
			}
		})
	}
	if sizes[0] != sizes[1] || allocations[0] != allocations[1] {
		t.Errorf("registered and not: %d bytes and %d, %v allocations and %v", sizes[0], sizes[1], allocations[0], allocations[1])
	}
}
