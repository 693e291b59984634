package ristretto

import (
	"crypto/subtle"
	"encoding/hex"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// This file is decoding and encoding, RFC 9496, Section 4.3. All of it is constant time.

// The constants of RFC 9496, Section 4.1, little-endian.
var (
	constD          = mustField("a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352")
	const2D         = new(field.Element).Add(constD, constD)
	sqrtM1          = mustField("b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b")
	sqrtADMinusOne  = mustField("1b2e7b49a0f6977ebd54781b0c8e9daffdd1f531c9fc3c0fac48832bbf316937")
	invSqrtAMinusD  = mustField("ea405d80aafdc899be72415a17162f9d40d801fe917bc216a2fcafcf05896c78")
	oneMinusDSquare = mustField("76c15f94c1097ce20f355ecd38a1812ce4df70beddab9499d7e0b3b2a8729002")
	dMinusOneSquare = mustField("204ded44aa5aad3199191eb02c4a9ed2eb4e9b522fd3dc4c41226cf67ab36859")

	fieldZero = new(field.Element).Zero()
	fieldOne  = new(field.Element).One()
)

// mustField returns the field element of 32 bytes in hexadecimal.
func mustField(encoded string) *field.Element {
	b, err := hex.DecodeString(encoded)
	if err != nil {
		panic(err)
	}
	e, err := new(field.Element).SetBytes(b)
	if err != nil {
		panic(err)
	}
	return e
}

// condNegate sets v = -u if cond is 1, and v = u if it is 0.
func condNegate(v, u *field.Element, cond int) {
	var minus field.Element
	v.Select(minus.Negate(u), u, cond)
}

// setPoint sets p = (x : y : z : t), which is on the curve.
func setPoint(p *edwards25519.Point, x, y, z, t *field.Element) {
	if _, err := p.SetExtendedCoordinates(x, y, z, t); err != nil {
		panic(err) // unreachable
	}
}

// decode is Decode of Section 4.3.1: it sets p to the point (x : y : 1 : t) that b, 32 bytes, encodes, and returns 1. If b is
// not canonical or encodes the identity, it sets p to the identity and returns 0.
func decode(p *edwards25519.Point, b []byte) int {
	var s, ss, u1, u2, u2Square, v, root, denX, denY, x, y, t field.Element
	if _, err := s.SetBytes(b); err != nil {
		panic(err) // of another length than 32
	}
	// s is below p, not negative, and not zero, which is the identity.
	ok := subtle.ConstantTimeCompare(s.Bytes(), b) &^ s.IsNegative() &^ s.Equal(fieldZero)

	ss.Square(&s)
	u1.Subtract(fieldOne, &ss)
	u2.Add(fieldOne, &ss)
	u2Square.Square(&u2)
	// v = -(D * u1^2) - u2_sqr
	v.Multiply(v.Square(&u1), constD)
	v.Subtract(v.Negate(&v), &u2Square)
	// (was_square, invsqrt) = SQRT_RATIO_M1(1, v * u2_sqr)
	_, wasSquare := root.SqrtRatio(fieldOne, t.Multiply(&v, &u2Square))
	denX.Multiply(&root, &u2)
	denY.Multiply(denY.Multiply(&root, &denX), &v)
	// x = CT_ABS(2 * s * den_x)
	x.Multiply(&s, &denX)
	x.Absolute(x.Add(&x, &x))
	y.Multiply(&u1, &denY)
	t.Multiply(&x, &y)
	ok &= wasSquare &^ t.IsNegative() &^ y.Equal(fieldZero)

	x.Select(&x, fieldZero, ok)
	y.Select(&y, fieldOne, ok)
	t.Select(&t, fieldZero, ok)
	setPoint(p, &x, &y, fieldOne, &t)
	return ok
}

// encode is Encode of Section 4.3.2: it writes the 32 bytes that p is encoded as to b.
func encode(b []byte, p *edwards25519.Point) {
	x0, y0, z0, t0 := p.ExtendedCoordinates()
	var u1, u2, t, root, den1, den2, zInv, ix0, iy0, enchanted, x, y, denInv, s field.Element
	u1.Add(z0, y0)
	u1.Multiply(&u1, t.Subtract(z0, y0))
	u2.Multiply(x0, y0)
	// (_, invsqrt) = SQRT_RATIO_M1(1, u1 * u2^2)
	t.Multiply(t.Square(&u2), &u1)
	root.SqrtRatio(fieldOne, &t)
	den1.Multiply(&root, &u1)
	den2.Multiply(&root, &u2)
	zInv.Multiply(zInv.Multiply(&den1, &den2), t0)
	ix0.Multiply(x0, sqrtM1)
	iy0.Multiply(y0, sqrtM1)
	enchanted.Multiply(&den1, invSqrtAMinusD)
	rotate := t.Multiply(t0, &zInv).IsNegative()
	x.Select(&iy0, x0, rotate)
	y.Select(&ix0, y0, rotate)
	denInv.Select(&enchanted, &den2, rotate)
	condNegate(&y, &y, t.Multiply(&x, &zInv).IsNegative())
	s.Absolute(s.Multiply(&denInv, s.Subtract(z0, &y)))
	copy(b, s.Bytes())
}
