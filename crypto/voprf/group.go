package voprf

import (
	"fmt"
	"io"

	"github.com/cloudflare/circl/group"
)

// This file is all that touches the group arithmetic, by circl. Multiplications and inversions here are constant time in
// the scalar: circl's ristretto255 recodes it to signed digits and selects from its tables by masks. They are constant
// time in the element as well, as are decoding, encoding and hashing: its field arithmetic selects by masks.

var ristretto255 = group.Ristretto255

// decodeScalar decodes 32 bytes, little-endian and below the group order. It returns ErrScalar for zero as well.
func decodeScalar(b []byte) (group.Scalar, error) {
	s := ristretto255.NewScalar()
	if err := s.UnmarshalBinary(b); err != nil || s.IsZero() {
		return nil, ErrScalar
	}
	return s, nil
}

// encodeScalar is SerializeScalar, 32 bytes.
func encodeScalar(s group.Scalar) (out [ScalarSize]byte) {
	b, err := s.MarshalBinary()
	if err != nil || len(b) != ScalarSize {
		panic("voprf: a scalar has no encoding")
	}
	copy(out[:], b)
	clear(b)
	return out
}

// randomScalar returns a nonzero scalar made of 64 bytes of rand, which are hashed to the scalars, so that its bias is
// below 2^-256. (circl's own RandomScalar ignores its reader.)
func randomScalar(rand io.Reader) (group.Scalar, error) {
	var seed [64]byte
	defer clear(seed[:])
	for {
		if _, err := io.ReadFull(rand, seed[:]); err != nil {
			return nil, fmt.Errorf("voprf: reading randomness: %w", err)
		}
		if s := ristretto255.HashToScalar(seed[:], []byte("Kith-RandomScalar-v1")); !s.IsZero() {
			return s, nil
		}
	}
}

// decodeElement is DeserializeElement of RFC 9497, Section 2.1: it returns ErrElement for a non-canonical encoding and
// for the identity.
func decodeElement(b []byte) (group.Element, error) {
	e := ristretto255.NewElement()
	if err := e.UnmarshalBinary(b); err != nil || e.IsIdentity() {
		return nil, ErrElement
	}
	return e, nil
}

// appendElement appends SerializeElement, 32 bytes.
func appendElement(dst []byte, e group.Element) []byte {
	b, err := e.MarshalBinary()
	if err != nil || len(b) != ElementSize {
		panic("voprf: an element has no encoding")
	}
	return append(dst, b...)
}

// decodeUnblinded decodes unblinded elements, or returns ErrElement. Its time tells how many of them are valid before the
// first one that is not, and nothing else of them.
func decodeUnblinded(n []UnblindedElement) ([]group.Element, error) {
	elements := make([]group.Element, len(n))
	for i := range n {
		var err error
		if elements[i], err = decodeElement(n[i].Value[:]); err != nil {
			return nil, err
		}
	}
	return elements, nil
}

// decodeBatchVarTime decodes a packed batch, or returns ErrLength, ErrBatch or ErrElement.
func decodeBatchVarTime(packed []byte) ([]group.Element, error) {
	n, err := batchLen(packed)
	if err != nil {
		return nil, err
	}
	elements := make([]group.Element, n)
	for i := range elements {
		if elements[i], err = decodeElement(packed[i*ElementSize : (i+1)*ElementSize]); err != nil {
			return nil, err
		}
	}
	return elements, nil
}

// weightedSumVarTime returns the sum of weights[i] * elements[i]; both are public.
func weightedSumVarTime(weights []group.Scalar, elements []group.Element) group.Element {
	return weightedSum(weights, elements)
}

// weightedSum returns the sum of weights[i] * elements[i], in constant time.
func weightedSum(weights []group.Scalar, elements []group.Element) group.Element {
	sum, term := ristretto255.Identity(), ristretto255.NewElement()
	for i, e := range elements {
		sum.Add(sum, term.Mul(e, weights[i]))
	}
	return sum
}
