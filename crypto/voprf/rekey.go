package voprf

import (
	"io"
	"slices"

	"github.com/kith-project/kith/crypto/ristretto"
	"github.com/kith-project/kith/crypto/secret"
)

// This file moves unblinded elements from one key to another. All of it is constant time in the keys, the factor, the
// nonces and the elements: those are as secret here as anywhere, since tags and label keys derive from them.

// rekeyContext takes the place of the suite's context string in the transcripts of proofs of a move, so that no proof of
// an evaluation is one of a move.
const rekeyContext = "Kith-Rekey-v1"

// Factor is k'/k for two keys k and k', a nonzero scalar, 32 bytes little-endian, with the public keys of both. It takes
// what k made to what k' would have made, so it is as secret as k: whoever has it and one of the keys has the other. It
// prints as a placeholder.
type Factor struct {
	secret.Value // the canonical encoding of k'/k

	delta    ristretto.Scalar
	from, to *PublicKey
}

// NewFactor returns the factor that moves elements of the key from to the key to.
func NewFactor(from, to *PrivateKey) *Factor {
	f := &Factor{from: from.pk, to: to.pk}
	f.delta.Multiply(f.delta.Invert(&from.k), &to.k)
	f.Value = f.delta.Bytes()
	return f
}

// Rekey returns N'[i] = (k'/k) * N[i]: what Evaluate of the new key gives for the input that N[i] is of, whoever knows it.
// n may be empty and of any length, and is left as it was. It returns ErrElement if any element is not in canonical
// encoding or is the identity, and then no elements.
func (f *Factor) Rekey(n []UnblindedElement) ([]UnblindedElement, error) {
	w := secretWorkspace()
	defer w.wipe()
	if err := w.decodeUnblinded(n); err != nil {
		return nil, err
	}
	moved := make([]UnblindedElement, len(n))
	w.bytes = w.batch.AppendMultiply(w.bytes[:0], &f.delta)
	split(moved, w.bytes)
	return moved, nil
}

// Prove returns a proof, made with a nonce of 64 bytes of rand, that moved, which is what Rekey returned for n, was made
// with this factor and no other: for VerifyRekey, which needs the public keys alone. It is GenerateProof of RFC 9497,
// Section 2.2.1, with k = k'/k, A = pk, B = pk', C = n and D = moved, except that the context string is "Kith-Rekey-v1"
// and that A, which is not the generator here, stands before B in the transcripts. docs/protocol.md has it in full.
//
// It returns ErrLength if the counts differ, ErrBatch for an empty batch or more than MaxBatch elements, ErrElement for an
// invalid element of n, or the reader's error. Of a moved that Rekey did not return for n it makes a proof that does not
// verify.
func (f *Factor) Prove(rand io.Reader, n, moved []UnblindedElement) (Proof, error) {
	var r ristretto.Scalar
	defer r.Wipe()
	if err := randomScalar(&r, rand); err != nil {
		return Proof{}, err
	}
	return f.prove(&r, n, moved)
}

// prove takes the nonce as an argument, for the vectors. r must not be used twice.
func (f *Factor) prove(r *ristretto.Scalar, n, moved []UnblindedElement) (Proof, error) {
	if err := checkMove(n, moved); err != nil {
		return Proof{}, err
	}
	w := secretWorkspace()
	defer w.wipe()
	if err := w.decodeUnblinded(n); err != nil {
		return Proof{}, err
	}
	statement := move(f.from, f.to)
	weights := w.scalars(len(n))
	statement.moveWeights(weights, n, moved)
	// ComputeCompositesFast, Section 2.2.1: with the factor known, the composite of moved is the factor times the other.
	m := make([]ristretto.Element, 1)
	w.batch.Sum(&m[0], weights)
	commitments := w.batch.AppendCommitments(nil, m, &f.delta, &f.from.element, []ristretto.Scalar{*r})
	return statement.respond(r, &f.delta, commitments), nil
}

// VerifyRekey is VerifyProof of RFC 9497, Section 2.2.2, for a proof by Prove. A nil error means that moved[i] is n[i]
// times the one factor that takes from to to, for every i: an input's element under the one key was replaced by the
// same input's element under the other.
//
// It returns ErrLength if the counts differ, ErrBatch for an empty batch or more than MaxBatch elements, ErrElement for an
// invalid element of either, and ErrProof if the proof does not hold.
func VerifyRekey(from, to *PublicKey, n, moved []UnblindedElement, p Proof) error {
	if err := checkMove(n, moved); err != nil {
		return err
	}
	w := secretWorkspace()
	defer w.wipe()
	if err := w.decodeUnblinded(n); err != nil {
		return err
	}
	statement, weights := move(from, to), w.scalars(len(n))
	statement.moveWeights(weights, n, moved)
	var m, z, t2, t3 ristretto.Element
	w.batch.Sum(&m, weights)
	if err := w.decodeUnblinded(moved); err != nil {
		return err
	}
	w.batch.Sum(&z, weights)
	c, s, err := p.scalars()
	if err != nil {
		return err
	}
	t2.Sum(&s, &from.element, &c, &to.element) // t2 = s*A + c*B
	t3.Sum(&s, &m, &c, &z)                     // t3 = s*M + c*Z
	return statement.verify(&c, &m, &z, &t2, &t3)
}

// move is the statement that elements were moved from one key to the other.
func move(from, to *PublicKey) statement {
	return statement{keys: [][]byte{from.encoded[:], to.encoded[:]}, context: rekeyContext}
}

// moveWeights is compositeWeights for unblinded elements.
func (s statement) moveWeights(weights []ristretto.Scalar, n, moved []UnblindedElement) {
	c, d := pack(nil, n), pack(nil, moved)
	defer clear(c)
	defer clear(d)
	s.compositeWeights(weights, c, d)
}

// pack appends the elements back to back.
func pack(packed []byte, n []UnblindedElement) []byte {
	packed = slices.Grow(packed, len(n)*ElementSize)
	for i := range n {
		packed = append(packed, n[i].Value[:]...)
	}
	return packed
}

// checkMove returns ErrLength or ErrBatch.
func checkMove(n, moved []UnblindedElement) error {
	if len(n) != len(moved) {
		return ErrLength
	}
	if len(n) == 0 || len(n) > MaxBatch {
		return ErrBatch
	}
	return nil
}
