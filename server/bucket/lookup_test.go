package bucket

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// TestLookupMixesMemoryAndRedis asks for buckets in an order of its own, twice some, with one partition not in memory.
func TestLookupMixesMemoryAndRedis(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		writes := randomWrites(rand.New(rand.NewPCG(6, 6)), 600)
		s.apply(t, writes...)
		memory, store := 0, 0
		v, _ := warmView(t, s, 64, Config{OnLookup: func(m, s int) { memory += m; store += s }})
		v.partitions[1].table = nil
		// More buckets than are asked of Redis at a time.
		asked := slices.Repeat([]uint32{63, 16, 0, 31, 17, 16}, 100)
		tags, f, err := NewLookup(v).Tags(ctx, asked)
		if err != nil || f != v.Format() || len(tags) != len(asked)*f.Size() {
			t.Fatalf("got %d bytes, %v, %v", len(tags), f, err)
		}
		if memory != 200 || store != 400 {
			t.Errorf("got %d from memory and %d from Redis, want 200 and 400", memory, store)
		}
		all := fromStore(t, v)
		for i, bucket := range asked {
			if got, want := tags[i*f.Size():(i+1)*f.Size()], all[int(bucket)*f.Size():][:f.Size()]; !bytes.Equal(got, want) {
				t.Fatalf("answer %d, of bucket %d, is another one", i, bucket)
			}
		}
	})
}

// TestLabels opens what Labels returns at the places where Tags has the registrations.
func TestLabels(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		writes := randomWrites(rand.New(rand.NewPCG(7, 7)), 600)
		s.apply(t, writes...)
		v := newTestView(t, s, 64, Config{})
		lookup := NewLookup(v)
		tags, labels, f, err := lookup.Labels(ctx, allBuckets)
		if err != nil || len(tags) != 64*f.Size() || len(labels) != 64*f.LabelsSize() {
			t.Fatalf("got %d and %d bytes, %v", len(tags), len(labels), err)
		}
		for _, w := range writes {
			at := int(layout.Bucket(w.Tag)) * f.Slots
			short := w.Tag.AppendShort(nil, f.Bits, f.TagBytes)
			for !bytes.Equal(tags[at*f.TagBytes:][:f.TagBytes], short) {
				at++
			}
			if !bytes.Equal(labels[at*crypto.SealedLabelSize:][:crypto.SealedLabelSize], w.Label[:]) {
				t.Fatal("a registration has another's label, or fill")
			}
		}
		_, again, _, err := lookup.Labels(ctx, allBuckets)
		if err != nil || !bytes.Equal(labels, again) {
			t.Errorf("asked again: the labels changed, %v", err)
		}
	})
}

func TestLookupOfNothing(t *testing.T) {
	s := onRedis(t)
	ctx := context.Background()
	lookup := NewLookup(newTestView(t, s, 16, Config{}))
	if tags, _, err := lookup.Tags(ctx, nil); err != nil || len(tags) != 0 {
		t.Errorf("Tags: got %d bytes, %v", len(tags), err)
	}
	if tags, labels, _, err := lookup.Labels(ctx, nil); err != nil || len(tags)+len(labels) != 0 {
		t.Errorf("Labels: got %d and %d bytes, %v", len(tags), len(labels), err)
	}
	if tags, _, err := lookup.Tags(ctx, []uint32{0, 64}); !errors.Is(err, directory.ErrLayout) || tags != nil {
		t.Errorf("Tags of no bucket: got %d bytes, %v, want ErrLayout", len(tags), err)
	}
	if tags, labels, _, err := lookup.Labels(ctx, []uint32{64}); !errors.Is(err, directory.ErrLayout) || tags != nil || labels != nil {
		t.Errorf("Labels of no bucket: got %v, want ErrLayout", err)
	}
}

// TestFullBucket overfills one bucket, and raises the slots: before that both ways refuse alike, and after that both give
// the same bytes, also before memory has been made anew.
func TestFullBucket(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		writes := inPartition0(30)
		for i := range writes {
			writes[i].Tag[0] = 1 // bucket 0
		}
		s.apply(t, writes[:8]...)
		v, c := warmView(t, s, 8, Config{})
		lookup := NewLookup(v)
		if _, _, err := lookup.Tags(ctx, allBuckets); err != nil {
			t.Errorf("just full: got %v", err)
		}
		s.apply(t, writes[8:]...)
		if _, err := v.poll(ctx); err != nil {
			t.Fatal(err)
		}
		for _, place := range []string{"memory", "Redis"} {
			var full *FullError
			if tags, _, err := lookup.Tags(ctx, allBuckets); !errors.As(err, &full) || full.Registrations != 30 || tags != nil {
				t.Errorf("from %s: got %d bytes, %v, want FullError with 30", place, len(tags), err)
			}
			c.move(time.Hour)
		}
		if _, _, _, err := lookup.Labels(ctx, allBuckets); !errors.Is(err, ErrFull) {
			t.Errorf("Labels: got %v, want ErrFull", err)
		}
		c.move(-2 * time.Hour)
		if _, _, err := lookup.Tags(ctx, []uint32{1, 2}); err != nil {
			t.Errorf("other buckets: got %v", err)
		}

		f, err := NewFormat(6, SlotsAbove(30))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.SetFormat(f); err != nil {
			t.Fatal(err)
		}
		want := fromStore(t, v)
		for _, when := range []string{"before", "after"} {
			if got, err := fromMemory(v); err != nil || !bytes.Equal(got, want) || len(got) != 64*f.Size() {
				t.Errorf("%s reformat: memory is not as Redis, %v", when, err)
			}
			v.reformat()
		}
		if err := v.SetFormat(Format{7, 4, 40}); !errors.Is(err, ErrFormat) || v.Format() != f {
			t.Errorf("SetFormat of other bits: got %v, want ErrFormat and no change", err)
		}
	})
}

// TestFullBucketIsRaisedWhileRunning has OnFull raise the slots, as a server does by way of the keyring.
func TestFullBucketIsRaisedWhileRunning(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		var view atomic.Pointer[View]
		v := newTestView(t, s, 8, Config{PollEvery: 5 * time.Millisecond, MaxAge: time.Hour, OnFull: func(registrations int) {
			f, err := NewFormat(6, SlotsAbove(registrations))
			if err == nil {
				err = view.Load().SetFormat(f)
			}
			if err != nil {
				t.Error(err)
			}
		}})
		view.Store(v)
		run(t, v)
		s.apply(t, inPartition0(100)...)
		eventually(t, "memory answers in a larger format", func() bool {
			want, _, _, err := NewLookup(v).Labels(context.Background(), allBuckets)
			if err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			got, behind := fromMemory(v)
			return err == nil && behind == nil && bytes.Equal(got, want)
		})
	})
}
