//go:build amd64 && !purego

package ifma

// Encode writes the first len(dst)/32 lanes of p to dst, at most eight, 32 bytes each, by RFC 9496, Section 4.3.2.
func (p *Vector) Encode(dst []byte, w *Work) {
	c := &w.codec
	add(&c.u1, &p.z, &p.y)
	subtract(&c.t, &p.z, &p.y)
	mul(&c.u1, &c.u1, &c.t)
	mul(&c.u2, &p.x, &p.y)
	squareN(&c.t, &c.u2, 1)
	mul(&c.t, &c.t, &c.u1)
	c.fieldWork.root(&c.root, &one, &c.t)
	mul(&c.den1, &c.root, &c.u1)
	mul(&c.den2, &c.root, &c.u2)
	zInv := &c.v
	mul(zInv, &c.den1, &c.den2)
	mul(zInv, zInv, &p.t)

	mul(&c.t, &p.t, zInv)
	rotate := c.negative(&c.t)
	mul(&c.t, &p.y, &sqrtM1)
	choose(&c.x, &p.x, &c.t, rotate)
	mul(&c.t, &p.x, &sqrtM1)
	choose(&c.y, &p.y, &c.t, rotate)
	mul(&c.t, &c.den1, &invSqrtAMinusD)
	choose(&c.den2, &c.den2, &c.t, rotate)
	mul(&c.t, &c.x, zInv)
	c.negate(&c.y, &c.y, c.negative(&c.t))

	subtract(&c.s, &p.z, &c.y)
	mul(&c.s, &c.s, &c.den2)
	c.write(dst, &c.s)
}

// write writes the one of s and -s that is not negative, lane by lane until dst is full.
func (c *codecWork) write(dst []byte, s *field) {
	c.abs(&c.t, s)
	canonical(&c.t, &c.t)
	for j := range len(dst) / ElementSize {
		c.t.bytes(j, dst[ElementSize*j:])
	}
}

// Identities returns the lanes whose element is the identity: one of the points with x = 0 or y = 0.
func (p *Vector) Identities(w *Work) (lanes uint8) {
	return w.codec.isZero(&p.x) | w.codec.isZero(&p.y)
}
