package directory_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// randomWrites returns n versioned registrations of random tags, the same for the same seed.
func randomWrites(seed uint64, n int) []directory.Write {
	random := rand.New(rand.NewPCG(seed, 0))
	writes := make([]directory.Write, n)
	for i := range writes {
		var tag crypto.Tag
		binary.BigEndian.PutUint64(tag[:8], random.Uint64())
		binary.BigEndian.PutUint64(tag[8:], random.Uint64())
		writes[i] = write(tag, directory.Visible, 1)
	}
	return writes
}

// BenchmarkMatch looks up 1,000 tags at a time, half of them registered, among 100,000 in buckets of about 49.
func BenchmarkMatch(b *testing.B) {
	const records, asked = 100_000, 1000
	ctx := context.Background()
	s := directory.New(redistest.Start(b).Client(), directory.Config{})
	layout := directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 11}
	if err := s.Prepare(ctx, layout, generation); err != nil {
		b.Fatal(err)
	}
	registered, others := randomWrites(1, records), randomWrites(2, asked/2)
	if _, err := s.Apply(ctx, layout, generation, registered); err != nil {
		b.Fatal(err)
	}
	var tags []crypto.Tag
	for i := range asked / 2 {
		tags = append(tags, registered[i*101].Tag, others[i].Tag)
	}

	b.ReportAllocs()
	for b.Loop() {
		matches, err := s.Match(ctx, layout, tags)
		if err != nil || len(matches) != asked/2 {
			b.Fatalf("got %d, %v, want %d", len(matches), err, asked/2)
		}
	}
	b.ReportMetric(float64(b.N)*asked/b.Elapsed().Seconds(), "tags/s")
}

// BenchmarkApply registers and hides the same users in turn, so that every write is applied and makes a change entry, one
// or many a call, with an append-only file that is synced always or each second.
func BenchmarkApply(b *testing.B) {
	for _, fsync := range []string{"always", "everysec"} {
		for _, c := range []struct {
			name   string
			layout directory.Layout
			size   int
		}{
			{"1", directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 11}, 1},
			{"512 in 1 partition", directory.Layout{Epoch: 2, PartitionBits: 0, BucketBits: 11}, 512},
			{"512 in 256 partitions", directory.Layout{Epoch: 3, PartitionBits: 8, BucketBits: 11}, 512},
		} {
			b.Run(fsync+"/"+c.name, func(b *testing.B) {
				ctx := context.Background()
				s := directory.New(redistest.Start(b, redistest.AppendFsync(fsync)).Client(), directory.Config{})
				if err := s.Prepare(ctx, c.layout, generation); err != nil {
					b.Fatal(err)
				}
				writes := randomWrites(3, c.size)
				b.ReportAllocs()
				for version := uint64(1); b.Loop(); version++ {
					for i := range writes {
						writes[i].Version = version
						writes[i].Format = directory.Format(1 + version%2)
					}
					if _, err := s.Apply(ctx, c.layout, generation, writes); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*c.size)/b.Elapsed().Seconds(), "writes/s")
			})
		}
	}
}
