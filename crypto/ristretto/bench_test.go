package ristretto

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudflare/circl/group"
)

// perElement reports the time of one element of a batch, in microseconds.
func perElement(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N)/float64(n), "µs/element")
}

// BenchmarkEvaluate is decode, multiply and encode, in turns with the same by circl: the medians of both, and what part the
// one is of the other.
func BenchmarkEvaluate(b *testing.B) {
	k := randomScalar("k")
	scalar := toCircl(k)
	eachEngine(b, func(b *testing.B, e engine) {
		for _, n := range []int{1, 8, 16, 1024} {
			packed := randomElements("evaluate", n)
			batch, dst := Batch{elements: e.newBatch()}, make([]byte, 0, len(packed))
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				var own, circl []float64
				for b.Loop() {
					start := time.Now()
					if err := batch.Decode(packed); err != nil {
						b.Fatal(err)
					}
					batch.AppendMultiply(dst, k)
					middle := time.Now()
					for i := range min(n, 16) {
						circlEvaluate(b, packed[i*ElementSize:(i+1)*ElementSize], scalar)
					}
					own = append(own, middle.Sub(start).Seconds()*1e6/float64(n))
					circl = append(circl, time.Since(middle).Seconds()*1e6/float64(min(n, 16)))
				}
				b.ReportMetric(median(own), "µs/element")
				b.ReportMetric(median(circl), "circl-µs/element")
				b.ReportMetric(median(circl)/median(own), "circl/own")
			})
		}
	})
}

func median(times []float64) float64 {
	slices.Sort(times)
	return times[len(times)/2]
}

// BenchmarkParts are the parts of Evaluate, and other operations on batches, one element each.
func BenchmarkParts(b *testing.B) {
	const n = 1024
	packed, scalars := randomElements("parts", n), randomScalars("parts", n)
	messages := make([][]byte, n)
	for i := range messages {
		messages[i] = fmt.Appendf(nil, "tel:+1415555%04d", i)
	}
	eachEngine(b, func(b *testing.B, e engine) {
		batch := Batch{elements: e.newBatch()}
		if err := batch.Decode(packed); err != nil {
			b.Fatal(err)
		}
		dst := make([]byte, 0, len(packed))
		h := NewHasher("benchmark")
		var sum Element
		for _, part := range []struct {
			name string
			f    func()
		}{
			{"decode", func() { _ = batch.Decode(packed) }},
			{"multiply", func() { batch.AppendMultiply(dst, &scalars[0]) }},
			{"multiplyEach", func() { batch.AppendMultiplyEach(dst, scalars) }},
			{"sum", func() { batch.Sum(&sum, scalars) }},
			{"varTimeSum", func() { batch.VarTimeSum(&sum, scalars) }},
			{"hash", func() { _ = batch.Hash(h, messages) }},
		} {
			b.Run(part.name, func(b *testing.B) {
				for b.Loop() {
					part.f()
				}
				perElement(b, n)
			})
		}
	})
}

// BenchmarkVarTimeSum is where strausBelow was read from.
func BenchmarkVarTimeSum(b *testing.B) {
	eachEngine(b, func(b *testing.B, e engine) {
		for _, n := range []int{1, 16, 64, 128, 192, 256, 512, 1024, 16384} {
			packed, weights := randomElements("sum", n), randomScalars("sum", n)
			b.Run(fmt.Sprint(n), func(b *testing.B) {
				batch := Batch{elements: e.newBatch()}
				if err := batch.Decode(packed); err != nil {
					b.Fatal(err)
				}
				var sum Element
				for b.Loop() {
					batch.VarTimeSum(&sum, weights)
				}
				perElement(b, n)
			})
		}
	})
}

// BenchmarkScalars are operations on single scalars and elements, beside circl's.
func BenchmarkScalars(b *testing.B) {
	k, x, inverted := randomScalar("k"), new(Element).SetGenerator(), randomScalars("invert", 1024)
	h, message := NewHasher("benchmark"), make([]byte, 148)
	var s Scalar
	var e Element
	b.Run("invert", func(b *testing.B) {
		for b.Loop() {
			s.Invert(k)
		}
	})
	b.Run("invert-1024", func(b *testing.B) {
		for b.Loop() {
			InvertScalars(inverted)
		}
		perElement(b, len(inverted))
	})
	b.Run("invert-circl", func(b *testing.B) {
		for scalar, k := group.Ristretto255.NewScalar(), toCircl(k); b.Loop(); {
			scalar.Inv(k)
		}
	})
	b.Run("hash", func(b *testing.B) {
		for b.Loop() {
			h.Scalar(&s, message)
		}
	})
	b.Run("hash-circl", func(b *testing.B) {
		for b.Loop() {
			group.Ristretto255.HashToScalar(message, []byte("benchmark"))
		}
	})
	b.Run("multiply-generator", func(b *testing.B) {
		for b.Loop() {
			e.MultiplyGenerator(k)
		}
	})
	b.Run("multiply-generator-circl", func(b *testing.B) {
		for element, k := group.Ristretto255.NewElement(), toCircl(k); b.Loop(); {
			element.MulGen(k)
		}
	})
	b.Run("varTimeSum", func(b *testing.B) {
		for b.Loop() {
			e.VarTimeSum(k, x, k, x)
		}
	})
	b.Run("varTimeSumGenerator", func(b *testing.B) {
		for b.Loop() {
			e.VarTimeSumGenerator(k, x, k)
		}
	})
}
