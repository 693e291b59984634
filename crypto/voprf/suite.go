package voprf

import (
	"encoding/binary"
	"errors"
)

// Lengths in bytes, and bounds.
const (
	// ElementSize is the length of an encoded element.
	ElementSize = 32
	// ScalarSize is the length of an encoded scalar.
	ScalarSize = 32
	// ProofSize is the length of a proof: the scalars c and s.
	ProofSize = 2 * ScalarSize
	// SeedSize is the length of the seed of DeriveKeyPair.
	SeedSize = 32
	// MaxBatch is the largest number of elements under one proof: RFC 9497, Section 2.2.1, counts them in two bytes.
	MaxBatch = 1<<16 - 1
	// MaxInput is the longest input of Blind, in bytes (RFC 9497, Section 1.2).
	MaxInput = 1<<16 - 1
)

// Suite and Mode name what this package implements, as in RFC 9497, Sections 4.1 and 3.1.
const (
	Suite = "ristretto255-SHA512"
	Mode  = 0x01
)

var (
	// ErrElement means an element that is not in canonical encoding or is the identity.
	ErrElement = errors.New("voprf: element not canonical or the identity")
	// ErrLength means packed elements whose length is not a multiple of ElementSize, or two batches of unequal length.
	ErrLength = errors.New("voprf: batch has a wrong length")
	// ErrBatch means an empty batch or one of more than MaxBatch elements.
	ErrBatch = errors.New("voprf: batch empty or too large")
	// ErrScalar means a scalar that is not in canonical encoding or is zero.
	ErrScalar = errors.New("voprf: scalar not canonical or zero")
	// ErrProof means a proof that does not hold for the public key and the batch.
	ErrProof = errors.New("voprf: proof does not verify")
	// ErrInput means an input that is too long or, with negligible probability, hashes to the identity
	// (InvalidInputError of RFC 9497).
	ErrInput = errors.New("voprf: input can not be blinded")
	// ErrDeriveKeyPair means a seed or info of a wrong length, or that 256 attempts gave no key (DeriveKeyPairError).
	ErrDeriveKeyPair = errors.New("voprf: no key pair can be derived")
)

// The context string and domain separation tags of RFC 9497, Sections 3.1 and 4.1, for mode 0x01. Those of proofs are in
// proof.go.
const (
	contextString    = "OPRFV1-\x01-" + Suite
	dstHashToGroup   = "HashToGroup-" + contextString
	dstDeriveKeyPair = "DeriveKeyPair" + contextString
)

// transcript collects the length-prefixed strings that RFC 9497, Section 2.2, hashes.
type transcript []byte

// add appends I2OSP(len(b), 2) || b.
func (t *transcript) add(b []byte) {
	*t = binary.BigEndian.AppendUint16(*t, uint16(len(b)))
	*t = append(*t, b...)
}

// batchLen returns the number of elements of a packed batch, or ErrLength or ErrBatch.
func batchLen(packed []byte) (int, error) {
	switch n := len(packed) / ElementSize; {
	case len(packed)%ElementSize != 0:
		return 0, ErrLength
	case n == 0 || n > MaxBatch:
		return 0, ErrBatch
	default:
		return n, nil
	}
}
