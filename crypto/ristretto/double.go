package ristretto

import (
	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// This file doubles points and encodes the results. All of it is constant time.
//
// Encoding one point takes an inverse square root. Of a double 2*P, the root is known: the isogeny by which ristretto255 is
// made of edwards25519 is half of a doubling, so what Encode takes the root of is a square of expressions in the
// coordinates of P. What remains is one inversion, which points share. So k*B is computed as (k/2)*B and doubled here.
// (Hamburg's observation, as in curve25519-dalek's double_and_compress_batch.)
//
// With P = (X : Y : Z : T), the double is (e*f : g*h : f*h : e*g) where
//
//	e = 2*X*Y,  f = Z^2 + d*T^2,  g = Y^2 + X^2,  h = Z^2 - d*T^2.

// doubling is a point on its way to the encoding of its double.
type doubling struct {
	e, f, g, h, eg, fh field.Element
	zero               int           // 1 if e*f*g*h is zero
	efgh               field.Element // or one, if that is zero
	before             field.Element // the product of efgh of the points before this one
}

// set prepares the double of p.
func (d *doubling) set(p *edwards25519.Point) {
	x, y, z, t := p.ExtendedCoordinates()
	var zz, dtt field.Element
	d.e.Multiply(x, y)
	d.e.Add(&d.e, &d.e)
	zz.Square(z)
	dtt.Multiply(dtt.Square(t), constD)
	d.f.Add(&zz, &dtt)
	d.h.Subtract(&zz, &dtt)
	d.g.Add(zz.Square(y), dtt.Square(x))
	d.eg.Multiply(&d.e, &d.g)
	d.fh.Multiply(&d.f, &d.h)
	d.efgh.Multiply(&d.eg, &d.fh)
	d.zero = d.efgh.Equal(fieldZero)
	d.efgh.Select(fieldOne, &d.efgh, d.zero)
}

// encodeDoubles writes the encodings of the doubles, 32 bytes each, to dst.
func encodeDoubles(dst []byte, doubles []doubling) {
	// Montgomery's trick. f and h are never zero. e*g is, if the double is the identity: one took the place of the product, so
	// that it spoils no other, and zero takes that of the inverse, so that the encoding is that of the identity, zero.
	var all, inverse field.Element
	all.One()
	for i := range doubles {
		d := &doubles[i]
		d.before = all
		all.Multiply(&all, &d.efgh)
	}
	all.Invert(&all)
	for i := len(doubles) - 1; i >= 0; i-- {
		d := &doubles[i]
		inverse.Multiply(&all, &d.before)
		all.Multiply(&all, &d.efgh)
		inverse.Select(fieldZero, &inverse, d.zero)
		d.encode(dst[i*ElementSize:(i+1)*ElementSize], &inverse)
	}
}

// encode writes the encoding of the double to b, given the inverse of eg*fh. The steps are those of Encode, RFC 9496,
// Section 4.3.2, on (e*f : g*h : f*h : e*g).
func (d *doubling) encode(b []byte, inverse *field.Element) {
	var zInv, tInv, e, g, h, minusE, fi, t, magic, s field.Element
	zInv.Multiply(&d.eg, inverse) // 1/(f*h)
	tInv.Multiply(&d.fh, inverse) // 1/(e*g)
	minusE.Negate(&d.e)
	fi.Multiply(&d.f, sqrtM1)

	rotate := t.Multiply(&d.eg, &zInv).IsNegative()
	e.Select(&d.g, &d.e, rotate)
	g.Select(&minusE, &d.g, rotate)
	h.Select(&fi, &d.h, rotate)
	magic.Select(sqrtM1, invSqrtAMinusD, rotate)

	t.Multiply(t.Multiply(&h, &e), &zInv)
	condNegate(&g, &g, t.IsNegative())
	s.Multiply(t.Multiply(&g, &tInv), &magic)
	s.Absolute(s.Multiply(&s, t.Subtract(&h, &g)))
	copy(b, s.Bytes())
}
