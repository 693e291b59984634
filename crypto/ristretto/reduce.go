package ristretto

import (
	"encoding/binary"
	"math/bits"
)

// This file reduces 512 bits modulo the group order l = 2^252 + c, where c = 2^64 c1 + c0 has 125 bits. All of it is constant time.
//
// Since 2^252 = -c modulo l, what stands above bit 252 is taken off by a multiplication by c, which leaves 127 bits less
// each time. The way of filippo.io/edwards25519, two multiplications modulo l and three conversions, takes longer than a
// hash on lanes that is to be reduced.

const (
	c0 = 0x5812631a5cf5d3ed
	c1 = 0x14def9dea2f79cd6
)

// integer is a number below 2^256, least significant limb first.
type integer [4]uint64

// reduce returns 64 bytes, little-endian, modulo l, in canonical encoding.
func reduce(b *[UniformSize]byte) (reduced [ScalarSize]byte) {
	var x [8]uint64
	for i := range x {
		x[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	// x = x0 + 2^252 x1 = x0 - c x1, and p = c x1 = p0 + 2^252 p1 = p0 - c p1, and q = c p1 = q0 + 2^252 q1 = q0 - c q1. The number of
	// bits of x1 is 260, of p 385, of p1 133, of q 258, of q1 6 and of r = c q1 131.
	var p [7]uint64
	var q [5]uint64
	var r integer
	p[0], p[5], p[6] = timesC(above(x[3], x[4]), 0, 0)
	p[1], p[5], p[6] = timesC(above(x[4], x[5]), p[5], p[6])
	p[2], p[5], p[6] = timesC(above(x[5], x[6]), p[5], p[6])
	p[3], p[5], p[6] = timesC(above(x[6], x[7]), p[5], p[6])
	p[4], p[5], p[6] = timesC(above(x[7], 0), p[5], p[6])
	q[0], q[3], q[4] = timesC(above(p[3], p[4]), 0, 0)
	q[1], q[3], q[4] = timesC(above(p[4], p[5]), q[3], q[4])
	q[2], q[3], q[4] = timesC(above(p[5], p[6]), q[3], q[4])
	r[0], r[1], r[2] = timesC(above(q[3], q[4]), 0, 0)
	// x0, p0 and q0 are below 2^252, so x0 - p0 + q0 - r + 2l is above 0 and below 2^255. A sum on the way wraps around.
	w := integer{2 * c0, 2 * c1, 0, 2 << 60}
	w.add(x[0], x[1], x[2], below(x[3]))
	w.subtract(p[0], p[1], p[2], below(p[3]))
	w.add(q[0], q[1], q[2], below(q[3]))
	w.subtract(r[0], r[1], r[2], 0)
	// Once more: a number below 2^252, of which less than 8c is subtracted, is below l once l is added to it if it is negative.
	r[0], r[1], r[2] = timesC(above(w[3], 0), 0, 0)
	w[3] = below(w[3])
	mask := -w.subtract(r[0], r[1], r[2], 0)
	w.add(c0&mask, c1&mask, 0, 1<<60&mask)
	for i := range w {
		binary.LittleEndian.PutUint64(reduced[8*i:], w[i])
	}
	return reduced
}

// above returns 64 bits from bit 252 on, that is from bit 60 of the last limb of 256 bits, and below what is left of that limb.
func above(limb, next uint64) uint64 { return limb>>60 | next<<4 }
func below(limb uint64) uint64       { return limb & (1<<60 - 1) }

// timesC returns c limb + carry, where the carry is below 2^126, as the lowest limb and the carry to the next.
func timesC(limb, carry0, carry1 uint64) (low, next0, next1 uint64) {
	high0, low0 := bits.Mul64(limb, c0)
	high1, low1 := bits.Mul64(limb, c1)
	low, k := bits.Add64(low0, carry0, 0)
	next0, k = bits.Add64(high0, carry1, k)
	next1 = high1 + k
	next0, k = bits.Add64(next0, low1, 0)
	return low, next0, next1 + k
}

// add adds a number of four limbs.
func (x *integer) add(y0, y1, y2, y3 uint64) {
	var k uint64
	x[0], k = bits.Add64(x[0], y0, 0)
	x[1], k = bits.Add64(x[1], y1, k)
	x[2], k = bits.Add64(x[2], y2, k)
	x[3], _ = bits.Add64(x[3], y3, k)
}

// subtract subtracts a number of four limbs, and returns the borrow.
func (x *integer) subtract(y0, y1, y2, y3 uint64) (k uint64) {
	x[0], k = bits.Sub64(x[0], y0, 0)
	x[1], k = bits.Sub64(x[1], y1, k)
	x[2], k = bits.Sub64(x[2], y2, k)
	x[3], k = bits.Sub64(x[3], y3, k)
	return k
}
