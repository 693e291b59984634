package ristretto

import (
	"testing"

	"pgregory.net/rapid"
)

func drawElement(t *rapid.T, label string) *Element {
	switch i := rapid.IntRange(0, 7).Draw(t, label); i {
	case 0:
		return new(Element).SetIdentity()
	case 1:
		return new(Element).SetGenerator()
	default:
		b := rapid.SliceOfN(rapid.Byte(), UniformSize, UniformSize).Draw(t, label)
		return new(Element).SetUniformBytes((*[UniformSize]byte)(b))
	}
}

// TestElementLaws checks that the operations on single elements are those of one group, however receivers and arguments
// coincide.
func TestElementLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y, a, b := drawElement(t, "x"), drawElement(t, "y"), drawScalar(t, "a"), drawScalar(t, "b")
		var sum, ab Scalar
		sum.Add(a, b)
		ab.Multiply(a, b)
		g := new(Element).SetGenerator()
		multiple := func(k *Scalar, x *Element) *Element { return new(Element).Multiply(k, x) }
		want := new(Element).Add(multiple(a, x), multiple(b, y))
		check := func(name string, got, want *Element) {
			t.Helper()
			if got.Bytes() != want.Bytes() || !got.Equal(want) {
				t.Errorf("%s: got %x, want %x", name, got.Bytes(), want.Bytes())
			}
		}
		check("a*x + b*x", new(Element).Add(multiple(a, x), multiple(b, x)), multiple(&sum, x))
		check("a*(b*x)", multiple(a, multiple(b, x)), multiple(&ab, x))
		check("x + y", new(Element).Add(x, y), new(Element).Add(y, x))
		check("Sum", new(Element).Sum(a, x, b, y), want)
		check("VarTimeSum", new(Element).VarTimeSum(a, x, b, y), want)
		check("MultiplyGenerator", new(Element).MultiplyGenerator(b), multiple(b, g))
		check("VarTimeSumGenerator", new(Element).VarTimeSumGenerator(a, x, b), new(Element).Sum(a, x, b, g))

		alias := func(f func(e *Element)) *Element { e := *x; f(&e); return &e }
		check("x += y", alias(func(e *Element) { e.Add(e, y) }), new(Element).Add(x, y))
		check("x += x", alias(func(e *Element) { e.Add(e, e) }), new(Element).Add(x, x))
		check("x *= a", alias(func(e *Element) { e.Multiply(a, e) }), multiple(a, x))
		check("x = a*x + b*y", alias(func(e *Element) { e.Sum(a, e, b, y) }), want)
		check("x = a*x + b*y, VarTime", alias(func(e *Element) { e.VarTimeSum(a, e, b, y) }), want)
		check("x = a*x + b*G", alias(func(e *Element) { e.VarTimeSumGenerator(a, e, b) }), new(Element).Sum(a, x, b, g))
		check("x = b*y + a*x, VarTime", alias(func(e *Element) { e.VarTimeSum(b, y, a, e) }), want)

		encoded := x.Bytes()
		var decoded Element
		switch err := decoded.Decode(encoded[:]); {
		case x.IsIdentity() && err != ErrElement:
			t.Errorf("Decode of the identity: got %v, want ErrElement", err)
		case !x.IsIdentity() && err != nil:
			t.Errorf("Decode(%x): %v", encoded, err)
		case err == nil:
			check("Decode", &decoded, x)
		}
		if x.Equal(y) != (x.Bytes() == y.Bytes()) || x.IsIdentity() != (encoded == [ElementSize]byte{}) {
			t.Errorf("Equal or IsIdentity is not that of the encodings %x, %x", encoded, y.Bytes())
		}
	})
}

func TestDecodeKeepsReceiver(t *testing.T) {
	g := new(Element).SetGenerator()
	encoded := g.Bytes()
	for _, b := range [][]byte{nil, encoded[:31], append(encoded[:], 0), make([]byte, 32)} {
		if err := g.Decode(b); err != ErrElement || !g.Equal(new(Element).SetGenerator()) {
			t.Errorf("Decode of %d bytes: got %v, or the receiver changed; want ErrElement", len(b), err)
		}
	}
}
