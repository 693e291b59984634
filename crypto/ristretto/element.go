package ristretto

import (
	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// Element is one element. Its zero value is not valid, except as a receiver. Arguments and receivers may be the same.
type Element struct{ p edwards25519.Point }

// SetGenerator sets e to the generator of RFC 9496, Section 4, and returns e.
func (e *Element) SetGenerator() *Element {
	e.p.Set(edwards25519.NewGeneratorPoint())
	return e
}

// SetIdentity sets e to the identity, and returns e.
func (e *Element) SetIdentity() *Element {
	e.p.Set(edwards25519.NewIdentityPoint())
	return e
}

// SetUniformBytes sets e to the element that 64 uniform bytes make, RFC 9496, Section 4.3.4, and returns e.
func (e *Element) SetUniformBytes(b *[UniformSize]byte) *Element {
	derive(&e.p, b)
	return e
}

// Decode sets e to the element that b encodes. It returns ErrElement if b is not 32 bytes long, not canonical, or the
// identity, and leaves e as it was.
func (e *Element) Decode(b []byte) error {
	var p edwards25519.Point
	if len(b) != ElementSize || decode(&p, b) != 1 {
		return ErrElement
	}
	e.p.Set(&p)
	return nil
}

// Bytes returns the canonical encoding of e, 32 bytes.
func (e *Element) Bytes() (b [ElementSize]byte) {
	encode(b[:], &e.p)
	return b
}

// Add sets e = x + y, and returns e.
func (e *Element) Add(x, y *Element) *Element {
	e.p.Add(&x.p, &y.p)
	return e
}

// Multiply sets e = k * x, in constant time, and returns e.
func (e *Element) Multiply(k *Scalar, x *Element) *Element {
	e.p.ScalarMult(&k.s, &x.p)
	return e
}

// MultiplyGenerator sets e to k times the generator, in constant time, from a table, and returns e.
func (e *Element) MultiplyGenerator(k *Scalar) *Element {
	e.p.ScalarBaseMult(&k.s)
	return e
}

// VarTimeSumGenerator sets e = a*x + b*G with the generator G, and returns e.
func (e *Element) VarTimeSumGenerator(a *Scalar, x *Element, b *Scalar) *Element {
	e.p.VarTimeDoubleScalarBaseMult(&a.s, &x.p, &b.s)
	return e
}

// VarTimeSum sets e = a*x + b*y, and returns e.
func (e *Element) VarTimeSum(a *Scalar, x *Element, b *Scalar, y *Element) *Element {
	e.p.VarTimeMultiScalarMult([]*edwards25519.Scalar{&a.s, &b.s}, []*edwards25519.Point{&x.p, &y.p})
	return e
}

// Sum sets e = a*x + b*y, in constant time, and returns e.
func (e *Element) Sum(a *Scalar, x *Element, b *Scalar, y *Element) *Element {
	e.p.MultiScalarMult([]*edwards25519.Scalar{&a.s, &b.s}, []*edwards25519.Point{&x.p, &y.p})
	return e
}

// Equal reports whether e and x are the same element, in constant time (RFC 9496, Section 4.3.3).
func (e *Element) Equal(x *Element) bool {
	var a, b field.Element
	x1, y1, _, _ := e.p.ExtendedCoordinates()
	x2, y2, _, _ := x.p.ExtendedCoordinates()
	equal := a.Multiply(x1, y2).Equal(b.Multiply(y1, x2))
	return equal|a.Multiply(y1, y2).Equal(b.Multiply(x1, x2)) == 1
}

// IsIdentity reports whether e is the identity, in constant time.
func (e *Element) IsIdentity() bool { return isIdentity(&e.p) == 1 }

// isIdentity returns 1 for the four points that stand for the identity: (0, 1), (0, -1) and those with y = 0.
func isIdentity(p *edwards25519.Point) int {
	x, y, _, _ := p.ExtendedCoordinates()
	return x.Equal(fieldZero) | y.Equal(fieldZero)
}
