//go:build amd64 && !purego

package ifma

// DoubleEncode writes the doubles of the elements of v to dst, len(dst)/32 of them, at most MaxElements, which fill all
// vectors but the last.
//
// The encoding of a point takes an inverse square root. That of the double of a point can be had by a division
// instead, and many divisions by one inversion: the method is that of double_and_compress_batch in curve25519-dalek. With
//
//	e = 2XY   f = Z^2 + dT^2   g = Y^2 + X^2   h = Z^2 - dT^2
//
// the double of (X:Y:Z:T) is (e/f, g/h), and it is the identity where efgh = 0. There 1 takes the place of efgh in the
// product that is inverted, so that one vector's identity does not make 0 of the others' inverses, and 0 that of its
// inverse.
func DoubleEncode(dst []byte, v []Vector, w *Work) {
	c := &w.codec
	n := (len(dst) + Lanes*ElementSize - 1) / (Lanes * ElementSize)
	product := &w.product
	*product = one
	for i := range n {
		c.setDoubling(&w.doublings[i], &v[i], product)
	}
	inverse := &w.inverse // of the product of the efgh of vectors 0 to i
	c.invert(inverse, product)
	for i := n - 1; i >= 0; i-- {
		s := &w.doublings[i]
		mul(&s.before, &s.before, inverse)
		choose(&s.before, &s.before, &zero, s.identity)
		mul(inverse, inverse, &s.efgh)
		c.encodeDoubling(dst[Lanes*ElementSize*i:min(len(dst), Lanes*ElementSize*(i+1))], s, &s.before)
	}
}

// doubling is the double of a vector on its way to DoubleEncode's result.
type doubling struct {
	e, f, g, h, eg, fh field

	efgh     field // 1 where it would be 0
	identity uint8 // the lanes in which it would
	before   field // the product of the efgh of all vectors before, and then the inverse of this one's
}

// setDoubling sets s to the double of p, and product, which is that of the vectors before, to that with s.
func (c *codecWork) setDoubling(s *doubling, p *Vector, product *field) {
	zz, dtt := &c.u1, &c.u2
	squareN(zz, &p.z, 1)
	squareN(dtt, &p.t, 1)
	mul(dtt, dtt, &d)
	add(&s.f, zz, dtt)
	subtract(&s.h, zz, dtt)
	add(&s.e, &p.x, &p.x)
	mul(&s.e, &s.e, &p.y)
	squareN(&c.t, &p.x, 1)
	squareN(&s.g, &p.y, 1)
	add(&s.g, &s.g, &c.t)
	mul(&s.eg, &s.e, &s.g)
	mul(&s.fh, &s.f, &s.h)

	mul(&s.efgh, &s.eg, &s.fh)
	s.identity = c.isZero(&s.efgh)
	choose(&s.efgh, &s.efgh, &one, s.identity)
	s.before = *product
	mul(product, product, &s.efgh)
}

// encodeDoubling writes the encodings to dst, one to eight of them, with inv = 1/(efgh). It is the encoding of RFC 9496 with
// 1/z = eg * inv and 1/t = fh * inv.
func (c *codecWork) encodeDoubling(dst []byte, s *doubling, inv *field) {
	zInv, tInv, magic := &c.u1, &c.u2, &c.v
	mul(zInv, &s.eg, inv)
	mul(tInv, &s.fh, inv)

	mul(&c.t, &s.eg, zInv)
	rotate := c.negative(&c.t)
	subtract(&c.t, &zero, &s.e)
	choose(&s.e, &s.e, &s.g, rotate)
	choose(&s.g, &s.g, &c.t, rotate)
	mul(&c.t, &s.f, &sqrtM1)
	choose(&s.h, &s.h, &c.t, rotate)
	choose(magic, &invSqrtAMinusD, &sqrtM1, rotate)

	mul(&c.t, &s.h, &s.e)
	mul(&c.t, &c.t, zInv)
	c.negate(&s.g, &s.g, c.negative(&c.t))
	mul(tInv, tInv, &s.g)
	mul(tInv, tInv, magic)
	subtract(&c.s, &s.h, &s.g)
	mul(&c.s, &c.s, tInv)
	c.write(dst, &c.s)
}
