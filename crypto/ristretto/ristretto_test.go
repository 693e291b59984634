package ristretto

import (
	"crypto/sha512"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"
)

// eachEngine runs f with every engine that there is here.
func eachEngine[T interface {
	Run(string, func(T)) bool
}](t T, f func(T, engine)) {
	for _, e := range engines() {
		t.Run(e.name, func(t T) { f(t, e) })
	}
}

// uniform returns 64 bytes that look random, the same for the same label.
func uniform(label string, i int) *[UniformSize]byte {
	sum := sha512.Sum512(fmt.Appendf(nil, "%s/%d", label, i))
	return &sum
}

func randomScalar(label string) *Scalar { return &randomScalars(label, 1)[0] }

func randomScalars(label string, n int) []Scalar {
	scalars := make([]Scalar, n)
	for i := range scalars {
		scalars[i].SetUniformBytes(uniform(label, i))
	}
	return scalars
}

// randomElements returns n packed elements.
func randomElements(label string, n int) []byte {
	var packed []byte
	var e Element
	for i := range n {
		b := e.SetUniformBytes(uniform(label, i)).Bytes()
		packed = append(packed, b[:]...)
	}
	return packed
}

func toCircl(s *Scalar) group.Scalar {
	b, c := s.Bytes(), group.Ristretto255.NewScalar()
	if err := c.UnmarshalBinary(b[:]); err != nil {
		panic(err)
	}
	return c
}

// circlEvaluate is decode, multiply and encode of one element by circl. It returns nil if circl does not decode it.
func circlEvaluate(t testing.TB, b []byte, k group.Scalar) []byte {
	e := group.Ristretto255.NewElement()
	if err := e.UnmarshalBinary(b); err != nil {
		return nil
	}
	out, err := e.Mul(e, k).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
