package filter_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto/filter"
)

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{1000, 262_144, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			unsorted := keys(randomTags(1, n))
			scratch := make([]uint64, n)
			b.ReportAllocs()
			for b.Loop() {
				copy(scratch, unsorted)
				build(b, scratch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
		})
	}
}

func BenchmarkContains(b *testing.B) {
	tags := randomTags(1, 262_144)
	f := build(b, keys(tags))
	asked := slices.Concat(tags[:512], randomTags(2, 512))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Contains(asked[i%len(asked)])
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	encoded := marshal(b, build(b, keys(randomTags(1, 262_144))))
	b.SetBytes(int64(len(encoded)))
	for b.Loop() {
		if _, err := filter.Unmarshal(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
