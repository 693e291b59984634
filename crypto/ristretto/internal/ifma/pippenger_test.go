//go:build amd64 && !purego

package ifma

import (
	"bytes"
	"fmt"
	"testing"
)

// testPippengerEqualsSum compares with Sum, for random weights, those at the edges, and the same points many times, which fill one
// bucket.
func testPippengerEqualsSum(t *testing.T) {
	sum, pippenger := new(Sum), new(Pippenger)
	var w Work
	edges := edgeScalars()
	for _, n := range []int{1, 2, 7, 8, 9, 17, 64, 200, 3} {
		src := randomElements(n)
		for name, key := range map[string]func(i int) [32]byte{
			"random": func(int) [32]byte { return randomScalar() },
			"edges":  func(i int) [32]byte { return edges[i%len(edges)] },
			"one":    func(int) [32]byte { return [32]byte{1} },
			"zero":   func(int) [32]byte { return [32]byte{} },
			"minus":  func(int) [32]byte { return [32]byte{0x80, 0x80, 0x7f, 0xff} },
		} {
			rows := (n + Lanes - 1) / Lanes
			v, scalars, keys := make([]Vector, rows), make([]Scalars, rows), make([][32]byte, n)
			for i := range v {
				v[i].Decode(src[i*Lanes*ElementSize:min(len(src), (i+1)*Lanes*ElementSize)], &w)
			}
			for i := range keys {
				keys[i] = key(i)
				scalars[i/Lanes].SetLane(i%Lanes, &keys[i])
			}
			var want, got Vector
			sum.Multiply(&want, scalars, v, Lanes)
			pippenger.MultiplyVarTime(&got, keys, v)
			a, b := make([]byte, ElementSize), make([]byte, ElementSize)
			want.Encode(a, &w)
			got.Encode(b, &w)
			if !bytes.Equal(a, b) {
				t.Errorf("%d points, %s weights: got %x, want %x", n, name, b, a)
			}
		}
	}
}

// testAddEach adds points and negatives to each lane, each other ones.
func testAddEach(t *testing.T) {
	var w Work
	var v, got, want, term Vector
	v.Decode(randomElements(Lanes), &w)
	s := new(Pippenger)
	s.setPoints([]Vector{v}, Lanes)
	entries := [3 * Lanes]int32{0, 1, 2, 3, 4, 5, 6, 7, ^7, ^6, ^5, ^4, ^3, ^2, ^1, ^0, 8, ^8, 1, ^1, 5, 5, ^6, 0}
	got.SetIdentity()
	want.SetIdentity()
	addEach(&got, &w.scratch, &s.points[0], (*[Lanes]int32)(entries[:]), 3)
	for at, entry := range entries {
		term.SetIdentity()
		switch {
		case entry >= 0 && entry < Lanes:
			term.SetLane(at%Lanes, &v, int(entry))
		case entry < 0 && ^entry < Lanes:
			term.SetLane(at%Lanes, &v, int(^entry))
			subtract(&w.codec.t, &zero, &term.x)
			choose(&term.x, &term.x, &w.codec.t, 1<<(at%Lanes))
			subtract(&w.codec.t, &zero, &term.t)
			choose(&term.t, &term.t, &w.codec.t, 1<<(at%Lanes))
		}
		want.Add(&term, &w)
	}
	a, b := make([]byte, Lanes*ElementSize), make([]byte, Lanes*ElementSize)
	want.Encode(a, &w)
	got.Encode(b, &w)
	if !bytes.Equal(a, b) {
		t.Errorf("got %x, want %x", b, a)
	}
}

// BenchmarkPippenger and the Sum of as many show from where on the one is faster.
func BenchmarkPippenger(b *testing.B) {
	if !runnable(b) {
		return
	}
	var w Work
	for _, n := range []int{64, 128, 192, 256, 384, 512, 1024, 2048} {
		src, keys := randomElements(n), make([][32]byte, n)
		v, scalars := make([]Vector, n/Lanes), make([]Scalars, n/Lanes)
		for i := range v {
			v[i].Decode(src[i*Lanes*ElementSize:(i+1)*Lanes*ElementSize], &w)
		}
		for i := range keys {
			keys[i] = randomScalar()
			scalars[i/Lanes].SetLane(i%Lanes, &keys[i])
		}
		var p Vector
		pippenger, sum := new(Pippenger), new(Sum)
		b.Run(fmt.Sprintf("%s/%d", "Pippenger", n), func(b *testing.B) {
			for b.Loop() {
				pippenger.MultiplyVarTime(&p, keys, v)
			}
			perElement(b, n)
		})
		b.Run(fmt.Sprintf("%s/%d", "Straus", n), func(b *testing.B) {
			for b.Loop() {
				sum.Multiply(&p, scalars, v, Lanes)
			}
			perElement(b, n)
		})
	}
}
