//go:build amd64 && !purego

package ifma

import (
	"bytes"
	"testing"

	"github.com/cloudflare/circl/group"
)

// testSumEqualsCircl adds up in every width of groups of lanes, on both sides of what is computed at once.
func testSumEqualsCircl(t *testing.T) {
	sum := new(Sum)
	var w Work
	var p Vector
	for _, rows := range []int{0, 1, 2, MaxVectors, MaxVectors + 1} {
		v, k := make([]Vector, rows), make([]Scalars, rows)
		products := make([]group.Element, rows*Lanes)
		for i := range v {
			src := randomElements(Lanes)
			v[i].Decode(src, &w)
			for j := range Lanes {
				key := randomScalar()
				k[i].SetLane(j, &key)
				element := decode(src[ElementSize*j : ElementSize*(j+1)])
				products[i*Lanes+j] = element.Mul(element, scalar(&key))
			}
		}
		for _, lanes := range []int{1, 2, 4, 8} {
			var want []byte
			for first := 0; first < Lanes; first += lanes {
				total := ristretto255.Identity()
				for i := range v {
					for j := range lanes {
						total.Add(total, products[i*Lanes+first+j])
					}
				}
				want = append(want, bytes.Repeat(encode(total), lanes)...)
			}
			got := make([]byte, Lanes*ElementSize)
			sum.Multiply(&p, k, v, lanes)
			p.Encode(got, &w)
			if !bytes.Equal(got, want) {
				t.Errorf("%d vectors, groups of %d lanes: got %x, want %x", rows, lanes, got, want)
			}
		}
	}
}

// testSumOfEdges adds up multiples by edge scalars that cancel out but for one element.
func testSumOfEdges(t *testing.T) {
	src := randomElements(1)
	one := [32]byte{1}
	keys := [][32]byte{one}
	for _, k := range edgeScalars() {
		var minus [32]byte
		b, err := scalar(&k).Neg(scalar(&k)).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		copy(minus[:], b)
		keys = append(keys, k, minus)
	}
	rows := (len(keys) + Lanes - 1) / Lanes
	v, k := make([]Vector, rows), make([]Scalars, rows)
	var w Work
	for i := range v {
		v[i].Decode(bytes.Repeat(src, Lanes), &w)
	}
	for i := range keys {
		k[i/Lanes].SetLane(i%Lanes, &keys[i])
	}
	var p Vector
	new(Sum).Multiply(&p, k, v, Lanes)
	got := make([]byte, ElementSize)
	p.Encode(got, &w)
	if !bytes.Equal(got, src) {
		t.Errorf("got %x, want %x", got, src)
	}
}
