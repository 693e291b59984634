package voprf

import (
	"encoding/binary"

	"github.com/cloudflare/circl/group"
)

// Proof is a DLEQ proof over a whole batch: the scalars c and s, 32 bytes each (RFC 9497, Section 2.2).
type Proof [ProofSize]byte

// compositeWeights returns the scalars d[i] of ComputeComposites, RFC 9497, Section 2.2.1, over the encoded elements
// of a batch. All of it is public.
func compositeWeights(pk *PublicKey, blinded, evaluated []byte) []group.Scalar {
	seed := compositeSeed(pk.encoded[:])
	weights := make([]group.Scalar, len(blinded)/ElementSize)
	var t transcript
	for i := range weights {
		at := i * ElementSize
		t = t[:0]
		t.add(seed[:])
		t = binary.BigEndian.AppendUint16(t, uint16(i))
		t.add(blinded[at : at+ElementSize])
		t.add(evaluated[at : at+ElementSize])
		t = append(t, "Composite"...)
		weights[i] = ristretto255.HashToScalar(t, []byte(dstHashToScalar))
	}
	return weights
}

// challenge is the scalar c of GenerateProof and VerifyProof, RFC 9497, Sections 2.2.1 and 2.2.2.
func challenge(pk *PublicKey, m, z, t2, t3 group.Element) group.Scalar {
	var t transcript
	t.add(pk.encoded[:])
	for _, e := range []group.Element{m, z, t2, t3} {
		t.add(appendElement(nil, e))
	}
	t = append(t, "Challenge"...)
	return ristretto255.HashToScalar(t, []byte(dstHashToScalar))
}

// generateProof is GenerateProof of RFC 9497, Section 2.2.1, over the composites m and z = k*m, with the nonce r.
func (k *PrivateKey) generateProof(r group.Scalar, m, z group.Element) (proof Proof) {
	t2 := ristretto255.NewElement().MulGen(r)
	t3 := ristretto255.NewElement().Mul(m, r)
	c := challenge(k.pk, m, z, t2, t3)
	s := ristretto255.NewScalar().Mul(c, k.k)
	s.Sub(r, s)
	cBytes, sBytes := encodeScalar(c), encodeScalar(s)
	copy(proof[:ScalarSize], cBytes[:])
	copy(proof[ScalarSize:], sBytes[:])
	return proof
}

// VerifyProof is VerifyProof of RFC 9497, Section 2.2.2, for the packed batches that were sent and received. A nil
// error means that every evaluated element is its blinded element times the private key of pk.
//
// It returns ErrLength if the batches differ in length, ErrBatch or ErrElement for elements that a server must not
// answer with, and ErrProof if the proof does not hold. All inputs are public.
func (pk *PublicKey) VerifyProof(blinded, evaluated []byte, proof Proof) error {
	if len(blinded) != len(evaluated) {
		return ErrLength
	}
	b, err := decodeBatchVarTime(blinded)
	if err != nil {
		return err
	}
	e, err := decodeBatchVarTime(evaluated)
	if err != nil {
		return err
	}
	// A zero scalar is canonical, though no honest proof has one.
	c, s := ristretto255.NewScalar(), ristretto255.NewScalar()
	if c.UnmarshalBinary(proof[:ScalarSize]) != nil || s.UnmarshalBinary(proof[ScalarSize:]) != nil {
		return ErrProof
	}
	weights := compositeWeights(pk, blinded, evaluated)
	m, z := weightedSumVarTime(weights, b), weightedSumVarTime(weights, e)

	term := ristretto255.NewElement()
	t2 := ristretto255.NewElement().MulGen(s) // t2 = s*G + c*pk
	t2.Add(t2, term.Mul(pk.element, c))
	t3 := ristretto255.NewElement().Mul(m, s) // t3 = s*M + c*Z
	t3.Add(t3, term.Mul(z, c))
	if !challenge(pk, m, z, t2, t3).IsEqual(c) {
		return ErrProof
	}
	return nil
}
