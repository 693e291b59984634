//go:build amd64 && !purego

package ifma

// field is eight elements of GF(2^255-19): limb i of lane j is field[i][j]. Unless said otherwise they are reduced in the
// sense of field_amd64.h, so not unique, and the functions take and return such elements. Destinations may be arguments.
type field [5][Lanes]uint64

// mul sets z = x * y.
//
//go:noescape
func mul(z, x, y *field)

// squareN sets z = x^(2^n), n >= 1.
//
//go:noescape
func squareN(z, x *field, n int)

// add sets z = x + y.
//
//go:noescape
func add(z, x, y *field)

// subtract sets z = x - y.
//
//go:noescape
func subtract(z, x, y *field)

// choose sets z to y in the lanes given, to x in the others.
//
//go:noescape
func choose(z, x, y *field, lanes uint8)

// canonical sets z to x with its limbs below 2^51 and its value below p.
//
//go:noescape
func canonical(z, x *field)

// equal returns the lanes in which x and y, both canonical, are equal.
//
//go:noescape
func equal(x, y *field) (lanes uint8)

// odd returns the lanes in which x, canonical, is odd: IS_NEGATIVE of RFC 9496, Section 3.1.
//
//go:noescape
func odd(x *field) (lanes uint8)

// inAllLanes returns the element with the given limbs in every lane.
func inAllLanes(limbs [5]uint64) (f field) {
	for i, limb := range limbs {
		for j := range f[i] {
			f[i][j] = limb
		}
	}
	return f
}

// The constants of RFC 9496, Section 4.1, and others.
var (
	zero           = field{}
	one            = inAllLanes([5]uint64{1})
	minusOne       = inAllLanes([5]uint64{0x7ffffffffffec, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff})
	d              = inAllLanes([5]uint64{0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff})
	twoD           = inAllLanes([5]uint64{0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff})
	sqrtM1         = inAllLanes([5]uint64{0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d})
	minusSqrtM1    = inAllLanes([5]uint64{0x1e4d8b5f15f3d, 0x72a5a0370e762, 0x10a16342f39f, 0x7a6a597fb361, 0x547cdb7fb03e2})
	invSqrtAMinusD = inAllLanes([5]uint64{0xfdaa805d40ea, 0x2eb482e57d339, 0x7610274bc58, 0x6510b613dc8ff, 0x786c8905cfaff})
)

// negative returns the lanes in which x is negative: its canonical form is odd.
func (x *field) negative() (lanes uint8) {
	var c field
	canonical(&c, x)
	return odd(&c)
}

// isZero returns the lanes in which x is 0 modulo p.
func (x *field) isZero() (lanes uint8) {
	var c field
	canonical(&c, x)
	return equal(&c, &zero)
}

// negate sets z to -x in the lanes given and to x in the others.
func (z *field) negate(x *field, lanes uint8) {
	var minus field
	subtract(&minus, &zero, x)
	choose(z, x, &minus, lanes)
}

// abs sets z to the one of x and -x that is not negative: CT_ABS.
func (z *field) abs(x *field) { z.negate(x, x.negative()) }

// powers sets z to x^(2^250-1) and x11 to x^11, with which the exponents p-2 and (p-5)/8 end.
func (z *field) powers(x11, x *field) {
	var t, u, v field
	squareN(&t, x, 1)    // 2
	squareN(&u, &t, 2)   // 8
	mul(&u, &u, x)       // 9
	mul(x11, &t, &u)     // 11
	squareN(&t, x11, 1)  // 22
	mul(&t, &t, &u)      // 2^5 - 1
	squareN(&u, &t, 5)   // 2^10 - 2^5
	mul(&t, &t, &u)      // 2^10 - 1
	squareN(&u, &t, 10)  //
	mul(&u, &u, &t)      // 2^20 - 1
	squareN(&v, &u, 20)  //
	mul(&u, &u, &v)      // 2^40 - 1
	squareN(&u, &u, 10)  //
	mul(&t, &t, &u)      // 2^50 - 1
	squareN(&u, &t, 50)  //
	mul(&u, &u, &t)      // 2^100 - 1
	squareN(&v, &u, 100) //
	mul(&u, &u, &v)      // 2^200 - 1
	squareN(&u, &u, 50)  //
	mul(z, &u, &t)       // 2^250 - 1
}

// invert sets z = x^(p-2), which is 1/x, and 0 for 0. p - 2 = 2^255 - 21 = 2^5 * (2^250 - 1) + 11.
func (z *field) invert(x *field) {
	var x11, t field
	t.powers(&x11, x)
	squareN(&t, &t, 5)
	mul(z, &t, &x11)
}

// invSqrt is SQRT_RATIO_M1 of RFC 9496, Section 4.2, for u = 1: it sets z to the square root of 1/v that is not negative
// and returns the lanes in which there is one. In the others z is the root of i/v, or 0 for v = 0.
func (z *field) invSqrt(v *field) (square uint8) {
	var v3, v7, r, check, t field
	squareN(&v3, v, 1)
	mul(&v3, &v3, v)
	squareN(&v7, &v3, 1)
	mul(&v7, &v7, v)
	t.powers(&check, &v7)
	squareN(&t, &t, 2)
	mul(&t, &t, &v7) // v7^((p-5)/8), and (p-5)/8 = 2^252 - 3 = 2^2 * (2^250 - 1) + 1
	mul(&r, &v3, &t)

	squareN(&check, &r, 1)
	mul(&check, &check, v)
	canonical(&check, &check)
	correct := equal(&check, &one)
	flipped := equal(&check, &minusOne)
	flippedI := equal(&check, &minusSqrtM1)
	mul(&t, &r, &sqrtM1)
	choose(&r, &r, &t, flipped|flippedI)
	z.abs(&r)
	return correct | flipped
}
