// Package ristretto is the arithmetic of the group ristretto255 of RFC 9496, on batches: the same secret scalar times
// each of many elements, which is nearly all the work of a Kith server, and the sums of many elements that proofs need.
//
//	var b ristretto.Batch
//	if err := b.Decode(packed); err != nil { ... } // 32 bytes each; canonical, and not the identity
//	evaluated := b.AppendMultiply(nil, k)          // k * each, packed
//	b.VarTimeSum(&m, weights)                      // the sum of weights[i] * each
//
// Elements are packed: n of them are 32n bytes back to back, each in the canonical encoding of RFC 9496, Section 4.3.2.
// The identity is refused wherever an element is decoded, as DeserializeElement of RFC 9497, Section 2.1, does.
//
// A batch is computed by one of two engines, which give the same bytes: [Engine] names it. The one for every processor,
// "portable", stands on filippo.io/edwards25519. KITH_ENGINE=portable in the environment and the build tag purego
// choose it where there is another. The engine is also the way in which a [Hasher] hashes many messages.
//
// Timing: no branch, index or early return depends on a scalar or an element, except that functions whose names say
// VarTime take public ones, and that whether decoding failed is public. Intermediate values stay in memory that a Batch or a
// Hasher reuses until its Wipe.
//
// Left out: everything that RFC 9497 does not need, such as subtraction of elements, and text forms.
package ristretto

import "errors"

// Lengths in bytes.
const (
	// ElementSize is the length of an encoded element.
	ElementSize = 32
	// ScalarSize is the length of an encoded scalar.
	ScalarSize = 32
	// UniformSize is the length of the uniform bytes that make an element or a scalar.
	UniformSize = 64
)

var (
	// ErrElement means an element that is not in canonical encoding or is the identity.
	ErrElement = errors.New("ristretto: element not canonical or the identity")
	// ErrScalar means a scalar that is not in canonical encoding.
	ErrScalar = errors.New("ristretto: scalar not canonical")
	// ErrLength means packed elements whose length is not a multiple of ElementSize.
	ErrLength = errors.New("ristretto: batch has a wrong length")
)
