package voprf

import (
	"io"

	"github.com/cloudflare/circl/group"
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

	delta    group.Scalar
	from, to *PublicKey
}

// NewFactor returns the factor that moves elements of the key from to the key to.
func NewFactor(from, to *PrivateKey) *Factor {
	delta := ristretto255.NewScalar().Inv(from.k)
	delta.Mul(delta, to.k)
	return &Factor{Value: encodeScalar(delta), delta: delta, from: from.pk, to: to.pk}
}

// Rekey returns N'[i] = (k'/k) * N[i]: what Evaluate of the new key gives for the input that N[i] is of, whoever knows it.
// n may be empty and of any length, and is left as it was. It returns ErrElement if any element is not in canonical
// encoding or is the identity, and then no elements.
func (f *Factor) Rekey(n []UnblindedElement) ([]UnblindedElement, error) {
	elements, err := decodeUnblinded(n)
	if err != nil {
		return nil, err
	}
	moved := make([]UnblindedElement, len(n))
	for i, e := range elements {
		appendElement(moved[i].Value[:0], e.Mul(e, f.delta))
	}
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
	r, err := randomScalar(rand)
	if err != nil {
		return Proof{}, err
	}
	return f.prove(r, n, moved)
}

// prove takes the nonce as an argument, for the vectors. r must not be used twice.
func (f *Factor) prove(r group.Scalar, n, moved []UnblindedElement) (Proof, error) {
	if err := checkMove(n, moved); err != nil {
		return Proof{}, err
	}
	elements, err := decodeUnblinded(n)
	if err != nil {
		return Proof{}, err
	}
	statement := move(f.from, f.to)
	// ComputeCompositesFast, Section 2.2.1: with the factor known, the composite of moved is the factor times the other.
	m := weightedSum(statement.moveWeights(n, moved), elements)
	z := ristretto255.NewElement().Mul(m, f.delta)
	t2 := ristretto255.NewElement().Mul(f.from.element, r)
	t3 := ristretto255.NewElement().Mul(m, r)
	return respond(r, statement.challenge(m, z, t2, t3), f.delta), nil
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
	before, err := decodeUnblinded(n)
	if err != nil {
		return err
	}
	after, err := decodeUnblinded(moved)
	if err != nil {
		return err
	}
	c, s, err := p.scalars()
	if err != nil {
		return err
	}
	statement := move(from, to)
	weights := statement.moveWeights(n, moved)
	m, z := weightedSum(weights, before), weightedSum(weights, after)

	term := ristretto255.NewElement()
	t2 := ristretto255.NewElement().Mul(from.element, s) // t2 = s*A + c*B
	t2.Add(t2, term.Mul(to.element, c))
	t3 := ristretto255.NewElement().Mul(m, s) // t3 = s*M + c*Z
	t3.Add(t3, term.Mul(z, c))
	if !statement.challenge(m, z, t2, t3).IsEqual(c) {
		return ErrProof
	}
	return nil
}

// move is the statement that elements were moved from one key to the other.
func move(from, to *PublicKey) statement {
	return statement{keys: [][]byte{from.encoded[:], to.encoded[:]}, context: rekeyContext}
}

// moveWeights is compositeWeights for unblinded elements.
func (s statement) moveWeights(n, moved []UnblindedElement) []group.Scalar {
	c, d := pack(n), pack(moved)
	defer clear(c)
	defer clear(d)
	return s.compositeWeights(c, d)
}

// pack returns the elements back to back.
func pack(n []UnblindedElement) []byte {
	packed := make([]byte, 0, len(n)*ElementSize)
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
