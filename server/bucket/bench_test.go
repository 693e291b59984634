package bucket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// benchLayout is that of an epoch of 800,000 users, in 2^14 buckets of about 50.
var benchLayout = directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 14}

const (
	benchMean  = 50
	benchAsked = 1000 // contacts of one request
)

// madeUp is a store of random registrations that are made when they are asked for, the same for the same bucket.
type madeUp struct{}

func (madeUp) Buckets(_ context.Context, l directory.Layout, buckets []uint32) ([][]directory.Match, error) {
	found := make([][]directory.Match, len(buckets))
	for i, bucket := range buckets {
		random := rand.New(rand.NewPCG(8, uint64(bucket)))
		n := 0 // binomial, by which a bucket is nearly as full as a real one
		for range 10 * benchMean {
			if random.IntN(10) == 0 {
				n++
			}
		}
		found[i] = make([]directory.Match, n)
		for j := range found[i] {
			found[i][j].Tag = randomTag(random, int(l.BucketBits), bucket)
		}
		sortByTag(found[i])
	}
	return found, nil
}

func (madeUp) Changes(_ context.Context, _ directory.Layout, after []directory.Position) ([]directory.Changes, error) {
	results := make([]directory.Changes, len(after))
	for i := range after {
		results[i].Position = after[i]
	}
	return results, nil
}

func (madeUp) Position(_ context.Context, _ directory.Layout, partition uint32) (directory.Position, error) {
	return directory.Position{Partition: partition}, nil
}

// benchView returns a view of benchLayout that has read everything from the store, and never falls behind.
func benchView(b *testing.B, s Store) *View {
	b.Helper()
	f, err := NewFormat(int(benchLayout.BucketBits), SlotsFor(benchMean))
	if err != nil {
		b.Fatal(err)
	}
	v, err := NewView(s, benchLayout, FillKey{}, f, Config{Now: new(clock).now})
	if err != nil {
		b.Fatal(err)
	}
	if err := v.readMissing(context.Background()); err != nil {
		b.Fatal(err)
	}
	return v
}

// requests returns requests for random buckets.
func requests(n int) [][]uint32 {
	random := rand.New(rand.NewPCG(9, 9))
	all := make([][]uint32, n)
	for i := range all {
		for range benchAsked {
			all[i] = append(all[i], random.Uint32()>>(32-benchLayout.BucketBits))
		}
	}
	return all
}

// BenchmarkViewTags answers requests of 1,000 prefixes from memory, on one core.
func BenchmarkViewTags(b *testing.B) {
	lookup, all := NewLookup(benchView(b, madeUp{})), requests(100)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, _, err := lookup.Tags(context.Background(), all[i%len(all)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.N)*benchAsked/b.Elapsed().Seconds(), "prefixes/s")
}

// BenchmarkViewTagsReused is BenchmarkViewTags without a new answer each time, by Append.
func BenchmarkViewTagsReused(b *testing.B) {
	v, all := benchView(b, madeUp{}), requests(100)
	answer := make([]byte, 0, benchAsked*v.Format().Size())
	i := 0
	for b.Loop() {
		answer = answer[:0]
		var err error
		for _, bucket := range all[i%len(all)] {
			if answer, err = v.Append(answer, bucket); err != nil {
				b.Fatal(err)
			}
		}
		i++
	}
	b.ReportMetric(float64(b.N)*benchAsked/b.Elapsed().Seconds(), "prefixes/s")
}

// BenchmarkStoreBuckets answers requests of 1,000 prefixes from Redis, among 200,000 users in buckets of about 50, with
// labels and without.
func BenchmarkStoreBuckets(b *testing.B) {
	ctx := context.Background()
	const users = 200_000
	small := directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 12}
	s := directory.New(redistest.Start(b, redistest.AppendFsync("no")).Client(), directory.Config{})
	if err := s.Prepare(ctx, small, generation); err != nil {
		b.Fatal(err)
	}
	for batch := range slices.Chunk(randomWrites(rand.New(rand.NewPCG(1, 2)), users), 20_000) {
		if _, err := s.Apply(ctx, small, generation, batch); err != nil {
			b.Fatal(err)
		}
	}
	f, err := NewFormat(int(small.BucketBits), SlotsFor(benchMean))
	if err != nil {
		b.Fatal(err)
	}
	v, err := NewView(s, small, FillKey{}, f, Config{})
	if err != nil {
		b.Fatal(err)
	}
	lookup, all := NewLookup(v), requests(100)
	for _, buckets := range all {
		for i := range buckets {
			buckets[i] >>= benchLayout.BucketBits - small.BucketBits
		}
	}
	for name, answer := range map[string]func(buckets []uint32) error{
		"tags":   func(buckets []uint32) error { _, _, err := lookup.Tags(ctx, buckets); return err },
		"labels": func(buckets []uint32) error { _, _, _, err := lookup.Labels(ctx, buckets); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := answer(all[i%len(all)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.N)*benchAsked/b.Elapsed().Seconds(), "prefixes/s")
		})
	}
}

// BenchmarkApply makes changes in buckets of 50: users join and leave in turn.
func BenchmarkApply(b *testing.B) {
	v := benchView(b, madeUp{})
	bucket := uint32(77)
	t := v.partitions[bucket>>6].table
	random := rand.New(rand.NewPCG(1, 1))
	i := 0
	var key uint64
	for b.Loop() {
		if i%2 == 0 {
			key = v.Format().key(randomTag(random, v.Format().Bits, bucket))
		}
		t.apply(v.padder, bucket, key, i%2 == 0)
		i++
	}
}

// BenchmarkMemory reports the bytes of memory for each registration of a view that has just read everything, and of one in
// which a tenth of the users have joined since.
func BenchmarkMemory(b *testing.B) {
	for _, joins := range []int{0, benchMean / 10} {
		b.Run(fmt.Sprintf("%d joins a bucket", joins), func(b *testing.B) {
			var bytes, registrations float64
			for b.Loop() {
				before := heap()
				v := benchView(b, madeUp{})
				join(v, joins)
				bytes = float64(heap() - before)
				registrations = 0
				for i := range v.partitions {
					for _, keys := range v.partitions[i].table.keys {
						registrations += float64(len(keys))
					}
				}
				runtime.KeepAlive(v)
			}
			b.ReportMetric(bytes/registrations, "bytes/registration")
		})
	}
}

// join adds registrations to every bucket.
func join(v *View, joins int) {
	random := rand.New(rand.NewPCG(4, 4))
	for bucket := range uint32(1 << benchLayout.BucketBits) {
		for range joins {
			key := uint64(bucket)&0x3f<<58 | random.Uint64()>>6
			v.partitions[bucket>>6].table.apply(v.padder, bucket, key, true)
		}
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
