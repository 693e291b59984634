//go:build amd64 && !purego

package ifma

import (
	"encoding/binary"
	"math/bits"
)

// ElementSize is the length of an encoded element.
const ElementSize = 32

// limbMask has the 51 bits of a limb.
const limbMask = 1<<51 - 1

// setBytes sets lane j of x to the 255 low bits of b, 32 bytes little-endian, and returns 1 if b is less than p, else 0.
func (x *field) setBytes(j int, b []byte) (canonical uint8) {
	w := words((*[32]byte)(b))
	x[0][j] = w[0] & limbMask
	x[1][j] = (w[0]>>51 | w[1]<<13) & limbMask
	x[2][j] = (w[1]>>38 | w[2]<<26) & limbMask
	x[3][j] = (w[2]>>25 | w[3]<<39) & limbMask
	x[4][j] = w[3] >> 12 & limbMask
	_, borrow := bits.Sub64(w[0], 1<<64-19, 0)
	_, borrow = bits.Sub64(w[1], 1<<64-1, borrow)
	_, borrow = bits.Sub64(w[2], 1<<64-1, borrow)
	_, borrow = bits.Sub64(w[3], 1<<63-1, borrow)
	return uint8(borrow)
}

// bytes stores lane j of x, which is canonical, in b, 32 bytes.
func (x *field) bytes(j int, b []byte) {
	_ = b[31]
	binary.LittleEndian.PutUint64(b, x[0][j]|x[1][j]<<51)
	binary.LittleEndian.PutUint64(b[8:], x[1][j]>>13|x[2][j]<<38)
	binary.LittleEndian.PutUint64(b[16:], x[2][j]>>26|x[3][j]<<25)
	binary.LittleEndian.PutUint64(b[24:], x[3][j]>>39|x[4][j]<<12)
}

// Decode sets p to the elements encoded in src, one to eight of 32 bytes, by RFC 9496, Section 4.3.1. It returns the
// lanes, bit j for lane j, whose encoding is canonical and not that of the identity. The others, and those past the end of
// src, are the identity. It is constant time in src but for its length.
func (p *Vector) Decode(src []byte) (valid uint8) {
	n := len(src) / ElementSize
	var s field
	var canonicalEven uint8
	for j := range n {
		b := src[ElementSize*j : ElementSize*(j+1)]
		canonicalEven |= s.setBytes(j, b) &^ b[0] & 1 << j
	}
	return p.decode(&s, canonicalEven)
}

// decode is Decode for the values s, in the lanes that its encoding allows.
func (p *Vector) decode(s *field, lanes uint8) (valid uint8) {
	var ss, u1, u2, u2u2, v, inv, denX, denY field
	squareN(&ss, s, 1)
	subtract(&u1, &one, &ss)
	add(&u2, &one, &ss)
	squareN(&u2u2, &u2, 1)
	squareN(&v, &u1, 1) // v = -(D * u1^2) - u2^2
	mul(&v, &v, &d)
	add(&v, &v, &u2u2)
	subtract(&v, &zero, &v)

	mul(&inv, &v, &u2u2)
	square := inv.invSqrt(&inv)
	mul(&denX, &inv, &u2)
	mul(&denY, &inv, &denX)
	mul(&denY, &denY, &v)

	add(&p.x, s, s)
	mul(&p.x, &p.x, &denX)
	p.x.abs(&p.x)
	mul(&p.y, &u1, &denY)
	p.z = one
	mul(&p.t, &p.x, &p.y)

	// s = 0 is the identity, and the only encoding of it.
	valid = lanes & square &^ p.t.negative() &^ p.y.isZero() &^ s.isZero()
	p.setIdentityIn(^valid)
	return valid
}

// Encode writes the first len(dst)/32 lanes of p to dst, at most eight, 32 bytes each, by RFC 9496, Section 4.3.2.
func (p *Vector) Encode(dst []byte) {
	var u1, u2, inv, den1, den2, zInv, ix, iy, enchanted, t, x, y, s field
	add(&u1, &p.z, &p.y)
	subtract(&t, &p.z, &p.y)
	mul(&u1, &u1, &t)
	mul(&u2, &p.x, &p.y)
	squareN(&t, &u2, 1)
	mul(&t, &t, &u1)
	inv.invSqrt(&t)
	mul(&den1, &inv, &u1)
	mul(&den2, &inv, &u2)
	mul(&zInv, &den1, &den2)
	mul(&zInv, &zInv, &p.t)

	mul(&ix, &p.x, &sqrtM1)
	mul(&iy, &p.y, &sqrtM1)
	mul(&enchanted, &den1, &invSqrtAMinusD)
	mul(&t, &p.t, &zInv)
	rotate := t.negative()
	choose(&x, &p.x, &iy, rotate)
	choose(&y, &p.y, &ix, rotate)
	choose(&den2, &den2, &enchanted, rotate)
	mul(&t, &x, &zInv)
	y.negate(&y, t.negative())

	subtract(&s, &p.z, &y)
	mul(&s, &s, &den2)
	s.write(dst)
}

// write stores the one of s and -s that is not negative, lane by lane until dst is full.
func (s *field) write(dst []byte) {
	var c field
	c.abs(s)
	canonical(&c, &c)
	for j := range len(dst) / ElementSize {
		c.bytes(j, dst[ElementSize*j:])
	}
}
