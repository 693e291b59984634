//go:build amd64 && !purego

package ifma

import (
	"bytes"
	"testing"
)

func TestSumEqualsCircl(t *testing.T) {
	needIFMA(t)
	sum := new(Sum)
	var w Work
	v := make([]Vector, MaxVectors+2)
	for _, n := range []int{0, 1, 2, 7, 8, 9, 16, 17, MaxElements, MaxElements + 1, MaxElements + Lanes + 1} {
		for _, size := range []int{1, 16, 32} {
			src := randomElements(n)
			keys := make([][32]byte, n)
			want := ristretto255.Identity()
			for i := range keys {
				k := randomScalar()
				copy(keys[i][:size], k[:size])
				element := decode(src[ElementSize*i : ElementSize*(i+1)])
				want.Add(want, element.Mul(element, scalar(&keys[i])))
			}
			for i := 0; i < len(src); i += Lanes * ElementSize {
				v[i/(Lanes*ElementSize)].Decode(src[i:min(len(src), i+Lanes*ElementSize)], &w)
			}
			got, wantLanes := make([]byte, Lanes*ElementSize), bytes.Repeat(encode(want), Lanes)
			var p Vector
			for name, multiply := range map[string]func(*Vector, [][32]byte, []Vector){"Multiply": sum.Multiply, "MultiplyVarTime": sum.MultiplyVarTime} {
				multiply(&p, keys, v)
				p.Encode(got, &w)
				if !bytes.Equal(got, wantLanes) {
					t.Errorf("%s of %d by %d bytes: got %x, want %x", name, n, size, got, wantLanes)
				}
			}
		}
	}
}

// TestSumOfEdges adds up multiples by edge scalars that cancel out but for one element.
func TestSumOfEdges(t *testing.T) {
	needIFMA(t)
	sum := new(Sum)
	var w Work
	src := randomElements(1)
	v := make([]Vector, MaxVectors)
	for i := range v {
		v[i].Decode(bytes.Repeat(src, Lanes), &w)
	}
	keys := [][32]byte{scalarBytes(l25519)} // 0
	keys[0][0] = 1
	for _, k := range edgeScalars() {
		var minus [32]byte
		b, err := scalar(&k).Neg(scalar(&k)).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		copy(minus[:], b)
		keys = append(keys, k, minus)
	}
	var p Vector
	sum.MultiplyVarTime(&p, keys, v)
	got := make([]byte, ElementSize)
	p.Encode(got, &w)
	if !bytes.Equal(got, src) {
		t.Errorf("got %x, want %x", got, src)
	}
}
