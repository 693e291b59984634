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

// The constants of RFC 9496, Section 4.1, by their names there, and 0, 1 and 2D.
var (
	zero           = field{}
	one            = inAllLanes([5]uint64{1})
	d              = inAllLanes([5]uint64{0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff})
	twoD           = inAllLanes([5]uint64{0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff})
	sqrtM1         = inAllLanes([5]uint64{0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d})
	sqrtADMinusOne = inAllLanes([5]uint64{0x7f6a0497b2e1b, 0x1836f0a97afd2, 0x7d747f6be7638, 0x456079e7e6498, 0x376931bf2b834})
	invSqrtAMinusD = inAllLanes([5]uint64{0xfdaa805d40ea, 0x2eb482e57d339, 0x7610274bc58, 0x6510b613dc8ff, 0x786c8905cfaff})
	oneMinusDSq    = inAllLanes([5]uint64{0x409c1945fc176, 0x719abc6a1fc4f, 0x1c37f90b20684, 0x6bccca55eedf, 0x29072a8b2b3e})
	dMinusOneSq    = inAllLanes([5]uint64{0x55aaa44ed4d20, 0x59603c3332635, 0x26d3baf4a7928, 0x120a66e6997a9, 0x5968b37af66c2})
)

// fieldWork is the space of the functions below. They keep all that they compute on in it, and nothing on the stack, so
// that wiping it leaves nothing of a secret.
type fieldWork struct {
	canonical, minus field // of negative, isZero, negate

	// of root and invert
	v3, v7, r, check, x11 field
	s, t, u               field // of powers
}

// negative returns the lanes in which x is negative: its canonical form is odd.
func (w *fieldWork) negative(x *field) (lanes uint8) {
	canonical(&w.canonical, x)
	return odd(&w.canonical)
}

// isZero returns the lanes in which x is 0 modulo p.
func (w *fieldWork) isZero(x *field) (lanes uint8) {
	canonical(&w.canonical, x)
	return equal(&w.canonical, &zero)
}

// negate sets z to -x in the lanes given and to x in the others.
func (w *fieldWork) negate(z, x *field, lanes uint8) {
	subtract(&w.minus, &zero, x)
	choose(z, x, &w.minus, lanes)
}

// abs sets z to the one of x and -x that is not negative: CT_ABS of RFC 9496, Section 3.1.
func (w *fieldWork) abs(z, x *field) { w.negate(z, x, w.negative(x)) }

// powers sets z to x^(2^250-1) and w.x11 to x^11, with which the exponents p-2 and (p-5)/8 end. z is none of w's s, t, u,
// x11.
func (w *fieldWork) powers(z, x *field) {
	s, t, u := &w.s, &w.t, &w.u
	squareN(s, x, 1)      // 2
	squareN(t, s, 2)      // 8
	mul(t, t, x)          // 9
	mul(&w.x11, s, t)     // 11
	squareN(s, &w.x11, 1) // 22
	mul(s, s, t)          // 2^5 - 1
	squareN(t, s, 5)
	mul(s, s, t) // 2^10 - 1
	squareN(t, s, 10)
	mul(t, t, s) // 2^20 - 1
	squareN(u, t, 20)
	mul(t, t, u) // 2^40 - 1
	squareN(t, t, 10)
	mul(s, s, t) // 2^50 - 1
	squareN(t, s, 50)
	mul(t, t, s) // 2^100 - 1
	squareN(u, t, 100)
	mul(t, t, u) // 2^200 - 1
	squareN(t, t, 50)
	mul(z, t, s) // 2^250 - 1
}

// invert sets z = x^(p-2), which is 1/x, and 0 for 0. p - 2 = 2^255 - 21 = 2^5 * (2^250 - 1) + 11. z is not x.
func (w *fieldWork) invert(z, x *field) {
	w.powers(z, x)
	squareN(z, z, 5)
	mul(z, z, &w.x11)
}

// root is SQRT_RATIO_M1 of RFC 9496, Section 4.2: it sets z to the square root of u/v that is not negative and returns the
// lanes in which there is one. In the others z is the root of i*u/v, or 0 for v = 0. u is canonical, and neither u nor v is z.
func (w *fieldWork) root(z, u, v *field) (square uint8) {
	squareN(&w.v3, v, 1)
	mul(&w.v3, &w.v3, v)
	squareN(&w.v7, &w.v3, 1)
	mul(&w.v7, &w.v7, v)
	mul(&w.v3, &w.v3, u)
	mul(&w.v7, &w.v7, u)
	w.powers(&w.r, &w.v7) // (p-5)/8 = 2^252 - 3 = 2^2 * (2^250 - 1) + 1
	squareN(&w.r, &w.r, 2)
	mul(&w.r, &w.r, &w.v7)
	mul(&w.r, &w.r, &w.v3)

	squareN(&w.check, &w.r, 1)
	mul(&w.check, &w.check, v)
	canonical(&w.check, &w.check)
	correct := equal(&w.check, u)
	flipped := w.opposite(&w.check, u)
	mul(&w.minus, u, &sqrtM1)
	flippedI := w.opposite(&w.check, &w.minus)
	mul(&w.v3, &w.r, &sqrtM1)
	choose(&w.r, &w.r, &w.v3, flipped|flippedI)
	w.abs(z, &w.r)
	return correct | flipped
}

// opposite returns the lanes in which x = -y modulo p.
func (w *fieldWork) opposite(x, y *field) (lanes uint8) {
	add(&w.minus, x, y)
	return w.isZero(&w.minus)
}
