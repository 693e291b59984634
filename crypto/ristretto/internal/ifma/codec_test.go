//go:build amd64 && !purego

package ifma

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"filippo.io/edwards25519"
	edwardsfield "filippo.io/edwards25519/field"
)

// vectors are those of RFC 9496, Appendix A.
var vectors = func() (v struct {
	Multiples []string
	Invalid   map[string][]string
	Derived   []struct{ Input, Output string }
}) {
	b, err := os.ReadFile("../../testdata/rfc9496.json")
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		panic(err)
	}
	return v
}()

func fromHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// testMultiplesOfRFC decodes, adds and encodes the multiples of the generator, Appendix A.1.
func testMultiplesOfRFC(t *testing.T) {
	var w Work
	var p, generator Vector
	p.SetIdentity()
	generator.Decode(bytes.Repeat(fromHex(vectors.Multiples[1]), Lanes), &w)
	for i, want := range vectors.Multiples {
		got := make([]byte, Lanes*ElementSize)
		p.Encode(got, &w)
		if want := bytes.Repeat(fromHex(want), Lanes); !bytes.Equal(got, want) {
			t.Errorf("%d: got %x, want %x", i, got, want)
		}
		var q Vector
		wantValid := uint8(0xff)
		if i == 0 {
			wantValid = 0
		}
		if valid := q.Decode(got, &w); valid != wantValid {
			t.Errorf("%d: valid lanes %08b, want %08b", i, valid, wantValid)
		}
		q.Encode(got, &w)
		if want := bytes.Repeat(fromHex(want), Lanes); !bytes.Equal(got, want) {
			t.Errorf("%d decoded: got %x, want %x", i, got, want)
		}
		p.Add(&generator, &w)
	}
}

// testDecodeRefuses puts each invalid encoding of Appendix A.2, the identity, and the multiples of order 2, 4 and 8 of
// edwards25519 as their y is encoded, into each lane among valid ones: that lane alone is refused, and becomes the
// identity.
func testDecodeRefuses(t *testing.T) {
	cases := map[string][]string{"identity": vectors.Multiples[:1]}
	for name, encodings := range vectors.Invalid {
		cases[name] = encodings
	}
	cases["order 2, 4, 8"] = []string{
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	}
	var w Work
	for name, encodings := range cases {
		for _, bad := range encodings {
			for lane := range Lanes {
				src := randomElements(Lanes)
				copy(src[ElementSize*lane:], fromHex(bad))
				var p Vector
				if valid, want := p.Decode(src, &w), ^uint8(1<<lane); valid != want {
					t.Errorf("%s %s in lane %d: valid lanes %08b", name, bad, lane, valid)
				}
				if got := p.Identities(&w); got != 1<<lane {
					t.Errorf("%s %s in lane %d: identities in lanes %08b", name, bad, lane, got)
				}
				got := make([]byte, len(src))
				p.Encode(got, &w)
				clear(src[ElementSize*lane : ElementSize*(lane+1)])
				if !bytes.Equal(got, src) {
					t.Errorf("%s %s in lane %d: got  %x\nwant %x", name, bad, lane, got, src)
				}
			}
		}
	}
	if got := len(cases); got != 7 {
		t.Errorf("%d kinds, want 7", got)
	}
}

// testDecodePart leaves lanes past the end of the input the identity, whatever was there before.
func testDecodePart(t *testing.T) {
	var w Work
	var p Vector
	for n := range Lanes + 1 {
		src := randomElements(n)
		if valid, want := p.Decode(src, &w), uint8(1<<n-1); valid != want {
			t.Errorf("%d elements: valid lanes %08b, want %08b", n, valid, want)
		}
		if got, want := p.Identities(&w), ^uint8(1<<n-1); got != want {
			t.Errorf("%d elements: identities in lanes %08b, want %08b", n, got, want)
		}
		got := make([]byte, len(src))
		p.Encode(got, &w)
		if !bytes.Equal(got, src) {
			t.Errorf("got %x, want %x", got, src)
		}
	}
}

// testEncodeIsOfTheClass encodes all representatives of an element: it plus each point of order 1, 2 and 4.
func testEncodeIsOfTheClass(t *testing.T) {
	var w Work
	src := randomElements(1)
	var p Vector
	p.Decode(bytes.Repeat(src, 4), &w)
	for j, small := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
	} {
		point := edwardsPoint(t, &p, j, &w)
		torsion, err := new(edwards25519.Point).SetBytes(fromHex(small))
		if err != nil {
			t.Fatal(err)
		}
		setEdwardsPoint(&p, j, point.Add(point, torsion))
	}
	got := make([]byte, 4*ElementSize)
	p.Encode(got, &w)
	if want := bytes.Repeat(src, 4); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	p.Double(&w)
	want := make([]byte, 4*ElementSize)
	p.Encode(want, &w)
	p.Decode(bytes.Repeat(src, 4), &w)
	DoubleEncode(got, []Vector{p}, &w)
	if !bytes.Equal(got, want) {
		t.Errorf("doubles: got %x, want %x", got, want)
	}
}

// edwardsPoint returns lane j of p as the point of another library, which checks that it is one.
func edwardsPoint(t *testing.T, p *Vector, j int, w *Work) *edwards25519.Point {
	t.Helper()
	x, y, z, xy := p.Coordinates(j, w)
	var e [4]edwardsfield.Element
	for i, b := range [][32]byte{x, y, z, xy} {
		if _, err := e[i].SetBytes(b[:]); err != nil {
			t.Fatal(err)
		}
	}
	point, err := new(edwards25519.Point).SetExtendedCoordinates(&e[0], &e[1], &e[2], &e[3])
	if err != nil {
		t.Fatal(err)
	}
	return point
}

func setEdwardsPoint(p *Vector, j int, point *edwards25519.Point) {
	x, y, z, t := point.ExtendedCoordinates()
	p.SetCoordinates(j, (*[32]byte)(x.Bytes()), (*[32]byte)(y.Bytes()), (*[32]byte)(z.Bytes()), (*[32]byte)(t.Bytes()))
}

// testPointsEqualEdwards25519 compares points, not classes of them, with another library, in every lane.
func testPointsEqualEdwards25519(t *testing.T) {
	var w Work
	var p Vector
	p.Decode(randomElements(Lanes), &w)
	for _, k := range edgeScalars() {
		scalar, err := edwards25519.NewScalar().SetCanonicalBytes(k[:])
		if err != nil {
			t.Fatal(err)
		}
		var s Scalars
		s.SetAll(&k)
		var product Vector
		product.Mul(&s, &p, &w)
		sum := p
		sum.Add(&product, &w)
		twice := product
		twice.Double(&w)
		for j := range Lanes {
			q := edwardsPoint(t, &p, j, &w)
			want := new(edwards25519.Point).ScalarMult(scalar, q)
			if edwardsPoint(t, &product, j, &w).Equal(want) != 1 {
				t.Errorf("lane %d: %x * P is another point", j, k)
			}
			if edwardsPoint(t, &sum, j, &w).Equal(q.Add(q, want)) != 1 {
				t.Errorf("lane %d: %x * P + P is another point", j, k)
			}
			if edwardsPoint(t, &twice, j, &w).Equal(want.Add(want, want)) != 1 {
				t.Errorf("lane %d: 2 * %x * P is another point", j, k)
			}
		}
	}
}

// testDeriveOfRFC derives the elements of Appendix A.3, in each lane.
func testDeriveOfRFC(t *testing.T) {
	var w Work
	for first := range vectors.Derived {
		for n := range Lanes + 1 {
			var src, want []byte
			for i := range n {
				v := vectors.Derived[(first+i)%len(vectors.Derived)]
				src, want = append(src, fromHex(v.Input)...), append(want, fromHex(v.Output)...)
			}
			var p Vector
			p.Derive(src, &w)
			if got, want := p.Identities(&w), ^uint8(1<<n-1); got != want {
				t.Errorf("identities in lanes %08b, want %08b", got, want)
			}
			got := make([]byte, len(want))
			p.Encode(got, &w)
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		}
	}
}

// testDeriveIdentity derives the identity, from 64 zeros, beside an element.
func testDeriveIdentity(t *testing.T) {
	var w Work
	var p Vector
	p.Derive(make([]byte, Lanes*UniformSize), &w)
	if got := p.Identities(&w); got != 0xff {
		t.Errorf("identities in lanes %08b", got)
	}
	h := sha512.Sum512([]byte("an element"))
	p.Derive(append(make([]byte, UniformSize), h[:]...), &w)
	if got, want := p.Identities(&w), ^uint8(2); got != want {
		t.Errorf("identities in lanes %08b, want %08b", got, want)
	}
}
