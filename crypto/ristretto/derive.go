package ristretto

import (
	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// This file makes elements of uniform bytes, RFC 9496, Section 4.3.4. All of it is constant time.

// derive sets p to the element of 64 uniform bytes.
func derive(p *edwards25519.Point, uniform *[UniformSize]byte) {
	var p1, p2 edwards25519.Point
	elligator(&p1, uniform[:UniformSize/2])
	elligator(&p2, uniform[UniformSize/2:])
	p.Add(&p1, &p2)
}

// elligator is MAP: it sets p to the point of 32 bytes, of which the top bit is ignored.
func elligator(p *edwards25519.Point, b []byte) {
	var t, r, u, v, s, sPrime, c, n, w0, w1, w2, w3 field.Element
	if _, err := t.SetBytes(b); err != nil {
		panic(err) // of another length than 32
	}
	r.Multiply(r.Square(&t), sqrtM1)
	u.Multiply(u.Add(&r, fieldOne), oneMinusDSquare)
	// v = (-1 - r*D) * (r + D)
	v.Add(v.Multiply(&r, constD), fieldOne)
	v.Multiply(v.Negate(&v), w0.Add(&r, constD))
	_, wasSquare := s.SqrtRatio(&u, &v)
	// s_prime = -CT_ABS(s*t)
	sPrime.Absolute(sPrime.Multiply(&s, &t))
	sPrime.Negate(&sPrime)
	s.Select(&s, &sPrime, wasSquare)
	// c = CT_SELECT(-1 IF was_square ELSE r)
	c.Select(c.Negate(fieldOne), &r, wasSquare)
	// N = c * (r - 1) * D_MINUS_ONE_SQ - v
	n.Multiply(&c, n.Subtract(&r, fieldOne))
	n.Subtract(n.Multiply(&n, dMinusOneSquare), &v)
	w0.Multiply(&s, &v)
	w0.Add(&w0, &w0)
	w1.Multiply(&n, sqrtADMinusOne)
	s.Square(&s)
	w2.Subtract(fieldOne, &s)
	w3.Add(fieldOne, &s)
	setPoint(p, r.Multiply(&w0, &w3), u.Multiply(&w2, &w1), v.Multiply(&w1, &w3), t.Multiply(&w0, &w2))
}
