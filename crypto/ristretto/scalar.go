package ristretto

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"

	"filippo.io/edwards25519"
	"github.com/kith-project/kith/crypto/secret"
)

// This file is arithmetic on secret scalars. All of it is constant time: no branch or index depends on a scalar, except
// that the time of SetCanonicalBytes tells whether it failed.

// Scalar is an integer modulo the group order l = 2^252 + 27742317777372353535851937790883648493. The zero value is zero.
// Arguments and receivers may be the same. It prints as a placeholder.
type Scalar struct{ s edwards25519.Scalar }

// half is (l+1)/2, the inverse of 2.
var half = mustScalar("f7e97a2e8d31092c6bce7b51ef7c6f0a00000000000000000000000000000008")

// mustScalar returns the scalar of a canonical encoding in hexadecimal.
func mustScalar(encoded string) *Scalar {
	b, err := hex.DecodeString(encoded)
	if err != nil {
		panic(err)
	}
	s := new(Scalar)
	if err := s.SetCanonicalBytes(b); err != nil {
		panic(err)
	}
	return s
}

// setSmall sets s = n, and returns s.
func (s *Scalar) setSmall(n int) *Scalar {
	b := [ScalarSize]byte{byte(n)}
	if err := s.SetCanonicalBytes(b[:]); err != nil {
		panic(err)
	}
	return s
}

// SetCanonicalBytes sets s to the scalar that b encodes: 32 bytes, little-endian, below l. It returns ErrScalar for
// anything else, and leaves s as it was. Zero is canonical.
func (s *Scalar) SetCanonicalBytes(b []byte) error {
	if _, err := s.s.SetCanonicalBytes(b); err != nil {
		return ErrScalar
	}
	return nil
}

// SetUniformBytes sets s to 64 bytes, little-endian, modulo l, and returns s. If they are uniform, the bias of s is below
// 2^-256.
func (s *Scalar) SetUniformBytes(b *[UniformSize]byte) *Scalar {
	canonical := reduce(b)
	if _, err := s.s.SetCanonicalBytes(canonical[:]); err != nil {
		panic(err) // not below l
	}
	return s
}

// Bytes returns the canonical encoding, 32 bytes, little-endian.
func (s *Scalar) Bytes() (b [ScalarSize]byte) {
	copy(b[:], s.s.Bytes())
	return b
}

// Set sets s = x, and returns s.
func (s *Scalar) Set(x *Scalar) *Scalar {
	s.s.Set(&x.s)
	return s
}

// Add sets s = x + y, and returns s.
func (s *Scalar) Add(x, y *Scalar) *Scalar {
	s.s.Add(&x.s, &y.s)
	return s
}

// Subtract sets s = x - y, and returns s.
func (s *Scalar) Subtract(x, y *Scalar) *Scalar {
	s.s.Subtract(&x.s, &y.s)
	return s
}

// Multiply sets s = x * y, and returns s.
func (s *Scalar) Multiply(x, y *Scalar) *Scalar {
	s.s.Multiply(&x.s, &y.s)
	return s
}

// Halve sets s = x / 2, and returns s.
func (s *Scalar) Halve(x *Scalar) *Scalar { return s.Multiply(x, half) }

// Invert sets s = 1/x, or to zero if x is zero, and returns s. It raises x to the power of l-2.
func (s *Scalar) Invert(x *Scalar) *Scalar {
	s.s.Invert(&x.s)
	return s
}

// Equal reports whether s = x.
func (s *Scalar) Equal(x *Scalar) bool { return s.s.Equal(&x.s) == 1 }

// IsZero reports whether s = 0.
func (s *Scalar) IsZero() bool { return s.Equal(new(Scalar)) }

// Wipe sets s to zero.
func (s *Scalar) Wipe() { *s = Scalar{} }

// InvertScalars replaces each of s by its inverse, and zero by zero, at the cost of one inversion and some four
// multiplications each.
func InvertScalars(s []Scalar) {
	// Montgomery's trick: the inverse of s[i] is the product of those before it times the inverse of the product up to it. A
	// zero is replaced by one, so that it spoils no other, and by zero in the end.
	before, zeros := make([]Scalar, len(s)), make([]int, len(s))
	var product, t, flag Scalar
	product.setSmall(1)
	for i := range s {
		before[i] = product
		zeros[i] = s[i].s.Equal(&t.s)
		s[i].Add(&s[i], flag.setSmall(zeros[i]))
		product.Multiply(&product, &s[i])
	}
	product.Invert(&product)
	for i := len(s) - 1; i >= 0; i-- {
		t.Multiply(&product, &before[i])
		product.Multiply(&product, &s[i])
		s[i].Subtract(&t, flag.setSmall(zeros[i]))
	}
	clear(before)
	clear(zeros)
}

// String returns a placeholder.
func (s Scalar) String() string { return secret.Placeholder }

// GoString returns a placeholder, for %#v.
func (s Scalar) GoString() string { return secret.Placeholder }

// Format writes a placeholder for every verb.
func (s Scalar) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secret.Placeholder) }

// LogValue returns a placeholder, for log/slog.
func (s Scalar) LogValue() slog.Value { return slog.StringValue(secret.Placeholder) }
