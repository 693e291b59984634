//go:build amd64 && !purego

package ifma

// ElementSize is the length of an encoded element, UniformSize that of what an element is derived from.
const (
	ElementSize = 32
	UniformSize = 64
)

// codecWork is the space of decoding, encoding and derivation, whose names of values are those of RFC 9496, Section 4.3.
type codecWork struct {
	fieldWork

	s, ss, u1, u2, v, root, den1, den2, x, y, t field

	r, c, n, w0, w1, w2, w3 field
	second                  Vector
}

// Decode sets p to the elements encoded in src, one to eight of 32 bytes, by RFC 9496, Section 4.3.1. It returns the
// lanes, bit j for lane j, whose encoding is canonical and not that of the identity. The others, and those past the end of
// src, are the identity. It is constant time in src but for its length.
func (p *Vector) Decode(src []byte, w *Work) (valid uint8) {
	c := &w.codec
	c.s = zero
	var canonicalEven uint8
	for j := range len(src) / ElementSize {
		b := src[ElementSize*j : ElementSize*(j+1)]
		canonicalEven |= (c.s.setBytes(j, b) &^ b[0] & 1) << j
	}
	valid = c.decode(p) & canonicalEven
	p.setIdentityIn(^valid)
	return valid
}

// decode sets p from c.s and returns the lanes in which there is such an element and it is not the identity.
func (c *codecWork) decode(p *Vector) (lanes uint8) {
	squareN(&c.ss, &c.s, 1)
	subtract(&c.u1, &one, &c.ss)
	add(&c.u2, &one, &c.ss)
	squareN(&c.ss, &c.u2, 1)
	squareN(&c.v, &c.u1, 1) // v = -(D * u1^2) - u2^2
	mul(&c.v, &c.v, &d)
	add(&c.v, &c.v, &c.ss)
	subtract(&c.v, &zero, &c.v)

	mul(&c.t, &c.v, &c.ss)
	square := c.fieldWork.root(&c.root, &one, &c.t)
	mul(&c.den1, &c.root, &c.u2)
	mul(&c.den2, &c.root, &c.den1)
	mul(&c.den2, &c.den2, &c.v)

	add(&p.x, &c.s, &c.s)
	mul(&p.x, &p.x, &c.den1)
	c.abs(&p.x, &p.x)
	mul(&p.y, &c.u1, &c.den2)
	p.z = one
	mul(&p.t, &p.x, &p.y)
	// s = 0 is the one encoding of the identity.
	return square &^ (c.negative(&p.t) | c.isZero(&p.y) | c.isZero(&c.s))
}

// Derive sets p to the elements that src makes, one to eight times 64 bytes, by RFC 9496, Section 4.3.4. Lanes past the end
// of src are the identity. It is constant time in src but for its length. An element may be the identity too, which
// Identities tells.
func (p *Vector) Derive(src []byte, w *Work) {
	c := &w.codec
	n := len(src) / UniformSize
	for half, q := range [2]*Vector{p, &c.second} {
		c.s = zero
		for j := range n {
			c.s.setBytes(j, src[UniformSize*j+ElementSize*half:])
		}
		c.elligator(q)
	}
	p.Add(&c.second, w)
	p.setIdentityIn(^uint8(1<<n - 1))
}

// elligator is MAP of RFC 9496, Section 4.3.4: it sets p to the point that c.s makes.
func (c *codecWork) elligator(p *Vector) {
	squareN(&c.r, &c.s, 1)
	mul(&c.r, &c.r, &sqrtM1)
	add(&c.u1, &c.r, &one)
	mul(&c.u1, &c.u1, &oneMinusDSq)
	canonical(&c.u1, &c.u1)
	mul(&c.v, &c.r, &d) // v = (-1 - r*D) * (r + D)
	add(&c.v, &c.v, &one)
	subtract(&c.v, &zero, &c.v)
	add(&c.t, &c.r, &d)
	mul(&c.v, &c.v, &c.t)

	square := c.fieldWork.root(&c.root, &c.u1, &c.v)
	mul(&c.t, &c.root, &c.s)
	c.abs(&c.t, &c.t)
	subtract(&c.t, &zero, &c.t)
	choose(&c.root, &c.t, &c.root, square)
	subtract(&c.t, &zero, &one)
	choose(&c.c, &c.r, &c.t, square)
	subtract(&c.n, &c.r, &one)
	mul(&c.n, &c.n, &c.c)
	mul(&c.n, &c.n, &dMinusOneSq)
	subtract(&c.n, &c.n, &c.v)

	mul(&c.w0, &c.root, &c.v)
	add(&c.w0, &c.w0, &c.w0)
	mul(&c.w1, &c.n, &sqrtADMinusOne)
	squareN(&c.ss, &c.root, 1)
	subtract(&c.w2, &one, &c.ss)
	add(&c.w3, &one, &c.ss)
	mul(&p.x, &c.w0, &c.w3)
	mul(&p.y, &c.w2, &c.w1)
	mul(&p.z, &c.w1, &c.w3)
	mul(&p.t, &c.w0, &c.w2)
}
