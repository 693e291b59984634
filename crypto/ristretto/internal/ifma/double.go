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
// product that is inverted, so that a lane's identity does not make 0 of the others' inverses, and 0 that of its inverse.
func DoubleEncode(dst []byte, v []Vector, w *Work) {
	n := (len(dst) + Lanes*ElementSize - 1) / (Lanes * ElementSize)
	product := one
	for i := range n {
		w.doublings[i].set(&v[i], &product)
	}
	var inverse field // of the efgh of vectors 0 to i
	inverse.invert(&product)
	for i := n - 1; i >= 0; i-- {
		s := &w.doublings[i]
		var inv field
		mul(&inv, &inverse, &s.before)
		choose(&inv, &inv, &zero, s.identity)
		mul(&inverse, &inverse, &s.efgh)
		s.encode(dst[Lanes*ElementSize*i:min(len(dst), Lanes*ElementSize*(i+1))], &inv)
	}
}

// doubling is the double of a vector on its way to DoubleEncode's result.
type doubling struct {
	e, f, g, h, eg, fh field

	efgh     field // 1 where it would be 0
	identity uint8 // the lanes in which it would
	before   field // the product of the efgh of all vectors before
}

// set sets s to the double of p, and product, which is that of the vectors before, to that with s.
func (s *doubling) set(p *Vector, product *field) {
	var zz, dtt, xx field
	squareN(&zz, &p.z, 1)
	squareN(&dtt, &p.t, 1)
	mul(&dtt, &dtt, &d)
	add(&s.e, &p.x, &p.x)
	mul(&s.e, &s.e, &p.y)
	add(&s.f, &zz, &dtt)
	subtract(&s.h, &zz, &dtt)
	squareN(&xx, &p.x, 1)
	squareN(&s.g, &p.y, 1)
	add(&s.g, &s.g, &xx)
	mul(&s.eg, &s.e, &s.g)
	mul(&s.fh, &s.f, &s.h)

	mul(&s.efgh, &s.eg, &s.fh)
	s.identity = s.efgh.isZero()
	choose(&s.efgh, &s.efgh, &one, s.identity)
	s.before = *product
	mul(product, product, &s.efgh)
}

// encode writes the encodings to dst, one to eight of them, with inv = 1/(efgh).
func (s *doubling) encode(dst []byte, inv *field) {
	var zInv, tInv, t, magic field
	mul(&zInv, &s.eg, inv)
	mul(&tInv, &s.fh, inv)

	mul(&t, &s.eg, &zInv)
	rotate := t.negative()
	subtract(&t, &zero, &s.e)
	choose(&s.e, &s.e, &s.g, rotate)
	choose(&s.g, &s.g, &t, rotate)
	mul(&t, &s.f, &sqrtM1)
	choose(&s.h, &s.h, &t, rotate)
	choose(&magic, &invSqrtAMinusD, &sqrtM1, rotate)

	mul(&t, &s.h, &s.e)
	mul(&t, &t, &zInv)
	s.g.negate(&s.g, t.negative())
	mul(&tInv, &tInv, &s.g)
	mul(&tInv, &tInv, &magic)
	subtract(&t, &s.h, &s.g)
	mul(&t, &t, &tInv)
	t.write(dst)
}
