//go:build amd64 && !purego

package ifma

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	"github.com/cloudflare/circl/group"
)

var ristretto255 = group.Ristretto255

// randomElements returns n encoded elements.
func randomElements(n int) []byte {
	var b []byte
	for range n {
		b = append(b, encode(ristretto255.RandomElement(rand.Reader))...)
	}
	return b
}

func encode(e group.Element) []byte {
	b, err := e.MarshalBinaryCompress()
	if err != nil {
		panic(err)
	}
	return b
}

func decode(b []byte) group.Element {
	e := ristretto255.NewElement()
	if err := e.UnmarshalBinary(b); err != nil {
		panic(err)
	}
	return e
}

func scalar(k *[32]byte) group.Scalar {
	s := ristretto255.NewScalar()
	if err := s.UnmarshalBinary(k[:]); err != nil {
		panic(err)
	}
	return s
}

func randomScalar() (k [32]byte) {
	b, err := ristretto255.RandomScalar(rand.Reader).MarshalBinary()
	if err != nil {
		panic(err)
	}
	copy(k[:], b)
	return k
}

// multiplied returns what circl makes of k times each element.
func multiplied(src []byte, k *[32]byte) []byte {
	s, product := scalar(k), ristretto255.NewElement()
	var out []byte
	for i := 0; i < len(src); i += ElementSize {
		out = append(out, encode(product.Mul(decode(src[i:i+ElementSize]), s))...)
	}
	return out
}

// testDecodeMulEncodeEqualsCircl goes through all sizes of batches up to two vectors and one, and those at the end of the
// largest.
func testDecodeMulEncodeEqualsCircl(t *testing.T) {
	var w Work
	for n := range MaxElements + 1 {
		if n > 17 && n < 127 {
			continue
		}
		src, k := randomElements(n), randomScalar()
		var s Scalars
		s.SetAllHalf(&k)
		got := bytes.Clone(src)
		if valid := DecodeMulEncode(got, got, &s, &w); !valid.All(n) || n < MaxElements && valid.All(n+1) {
			t.Errorf("%d elements: valid %08b", n, valid)
		}
		if want := multiplied(src, &k); !bytes.Equal(got, want) {
			t.Errorf("%d elements times %x: got %x, want %x", n, k, got, want)
		}
	}
}

func testEdgeScalarsEqualCircl(t *testing.T) {
	var w Work
	src := append(fromHex(vectors.Multiples[1]), randomElements(2)...)
	for _, k := range edgeScalars() {
		var s Scalars
		s.SetAllHalf(&k)
		got := make([]byte, len(src))
		DecodeMulEncode(got, src, &s, &w)
		if want := multiplied(src, &k); !bytes.Equal(got, want) {
			t.Errorf("times %x: got %x, want %x", k, got, want)
		}
	}
}

// testRefusedElementsPoisonNoOther has in a batch of three vectors one refused element, in every place.
func testRefusedElementsPoisonNoOther(t *testing.T) {
	const n = 3 * Lanes
	var w Work
	var s Scalars
	src, k := randomElements(n), randomScalar()
	s.SetAllHalf(&k)
	want := multiplied(src, &k)
	for bad := range n {
		in, out, wantOut := bytes.Clone(src), make([]byte, len(src)), bytes.Clone(want)
		copy(in[ElementSize*bad:], fromHex(vectors.Invalid["negative"][bad%8]))
		clear(wantOut[ElementSize*bad : ElementSize*(bad+1)])
		valid := DecodeMulEncode(out, in, &s, &w)
		for i := range n {
			if got := valid[i/Lanes]>>(i%Lanes)&1 == 1; got != (i != bad) {
				t.Errorf("element %d is bad, and element %d valid: %v", bad, i, got)
			}
		}
		if valid.All(n) || !valid.All(bad) {
			t.Errorf("element %d is bad, and All(%d) is %v, All(%d) %v", bad, n, valid.All(n), bad, valid.All(bad))
		}
		if !bytes.Equal(out, wantOut) {
			t.Errorf("element %d is bad: got %x, want %x", bad, out, wantOut)
		}
	}
}

// testMulEncodeEachHasItsOwnScalars gives each lane of two vectors a scalar of its own.
func testMulEncodeEachHasItsOwnScalars(t *testing.T) {
	const n = Lanes + 3
	var w Work
	var v [2]Vector
	var s [2]Scalars
	src := randomElements(n)
	v[0].Decode(src[:Lanes*ElementSize], &w)
	v[1].Decode(src[Lanes*ElementSize:], &w)
	var want []byte
	for i := range n {
		k := randomScalar()
		s[i/Lanes].SetLaneHalf(i%Lanes, &k)
		want = append(want, multiplied(src[ElementSize*i:ElementSize*(i+1)], &k)...)
	}
	got := make([]byte, len(src))
	MulEncodeEach(got, s[:], v[:], &w)
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func testNothingIsAllocated(t *testing.T) {
	src, k := randomElements(Lanes+1), randomScalar()
	dst, keys := make([]byte, len(src)), make([]Scalars, 1)
	var s Scalars
	w, sum, p, v := new(Work), new(Sum), new(Vector), make([]Vector, 1)
	allocated := testing.AllocsPerRun(10, func() {
		s.SetAllHalf(&k)
		DecodeMulEncode(dst, src, &s, w)
		v[0].Derive(src[:UniformSize], w)
		keys[0].SetLane(0, &k)
		sum.Multiply(p, keys, v, Lanes)
		p.Encode(dst[:ElementSize], w)
		s.Wipe()
		w.Wipe()
		sum.Wipe()
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func testGoroutinesDoNotMeet(t *testing.T) {
	src, k := randomElements(Lanes+1), randomScalar()
	want := multiplied(src, &k)
	var s Scalars
	s.SetAllHalf(&k)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var w Work
			got := make([]byte, len(src))
			for range 50 {
				if DecodeMulEncode(got, src, &s, &w); !bytes.Equal(got, want) {
					t.Errorf("got %x, want %x", got, want)
				}
			}
		})
	}
	all.Wait()
}

func testWipe(t *testing.T) {
	src, k := randomElements(MaxElements), randomScalar()
	var s Scalars
	var w Work
	s.SetAll(&k)
	DecodeMulEncode(src, src, &s, &w)
	s.Wipe()
	w.Wipe()
	if s != (Scalars{}) || w != (Work{}) {
		t.Error("something is left")
	}
}

// BenchmarkDecodeMulEncode is a batch of the largest size, and of one vector, beside circl.
func BenchmarkDecodeMulEncode(b *testing.B) {
	if !runnable(b) {
		return
	}
	src, k := randomElements(MaxElements), randomScalar()
	var s Scalars
	var w Work
	s.SetAllHalf(&k)
	dst := make([]byte, len(src))
	for _, n := range []int{1, Lanes, 2 * Lanes, MaxElements} {
		b.Run(fmt.Sprintf("ifma/%d", n), func(b *testing.B) {
			for b.Loop() {
				DecodeMulEncode(dst[:n*ElementSize], src[:n*ElementSize], &s, &w)
			}
			perElement(b, n)
		})
	}
	b.Run("circl", func(b *testing.B) {
		for b.Loop() {
			multiplied(src[:ElementSize], &k)
		}
		perElement(b, 1)
	})
}

// BenchmarkParts are the parts of DecodeMulEncode, and others.
func BenchmarkParts(b *testing.B) {
	if !runnable(b) {
		return
	}
	src, k, uniform := randomElements(MaxElements), randomScalar(), randomElements(2*Lanes)
	var s Scalars
	var w Work
	var sum Sum
	var p Vector
	s.SetAllHalf(&k)
	var v [MaxVectors]Vector
	for i := range v {
		v[i].Decode(src[Lanes*ElementSize*i:Lanes*ElementSize*(i+1)], &w)
	}
	var each [MaxVectors]Scalars
	for i := range MaxElements {
		k := randomScalar()
		each[i/Lanes].SetLane(i%Lanes, &k)
	}
	dst := make([]byte, len(src))
	element, s0 := decode(src[:ElementSize]), scalar(&k)
	for _, part := range []struct {
		name string
		n    int
		run  func()
	}{
		{"Decode", Lanes, func() { p.Decode(src[:Lanes*ElementSize], &w) }},
		{"Mul", Lanes, func() { p.Mul(&s, &v[0], &w) }},
		{"Encode", Lanes, func() { v[0].Encode(dst[:Lanes*ElementSize], &w) }},
		{"DoubleEncode", MaxElements, func() { DoubleEncode(dst, v[:], &w) }},
		{"Derive", Lanes, func() { p.Derive(uniform, &w) }},
		{"Sum.Multiply", MaxElements, func() { sum.Multiply(&p, each[:], v[:], Lanes) }},
		{"circl decode", 1, func() { decode(src[:ElementSize]) }},
		{"circl Mul", 1, func() { ristretto255.NewElement().Mul(element, s0) }},
		{"circl encode", 1, func() { encode(element) }},
	} {
		b.Run(part.name, func(b *testing.B) {
			for b.Loop() {
				part.run()
			}
			perElement(b, part.n)
		})
	}
}

// perElement reports the time of one of n elements.
func perElement(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n)/1000, "µs/element")
	b.ReportMetric(0, "ns/op")
}
