package voprf

import (
	"crypto/sha512"
	"encoding/binary"

	"github.com/cloudflare/circl/group"
)

// Proof is a DLEQ proof over a whole batch: the scalars c and s, 32 bytes each (RFC 9497, Section 2.2).
type Proof [ProofSize]byte

// statement is what a proof is about, as the transcripts name it: the encoded keys, and the context string of the domain
// separation tags.
type statement struct {
	keys    [][]byte
	context string
}

// evaluation is the statement of RFC 9497, Sections 2.2.1 and 2.2.2, where one base is the generator and goes unnamed.
func evaluation(pk *PublicKey) statement {
	return statement{keys: [][]byte{pk.encoded[:]}, context: contextString}
}

// compositeWeights returns the scalars d[i] of ComputeComposites, RFC 9497, Section 2.2.1, over two batches of packed
// elements of one length. It is constant time in the elements.
func (s statement) compositeWeights(c, d []byte) []group.Scalar {
	seed := s.compositeSeed()
	weights := make([]group.Scalar, len(c)/ElementSize)
	var t transcript
	for i := range weights {
		at := i * ElementSize
		t = t[:0]
		t.add(seed[:])
		t = binary.BigEndian.AppendUint16(t, uint16(i))
		t.add(c[at : at+ElementSize])
		t.add(d[at : at+ElementSize])
		t = append(t, "Composite"...)
		weights[i] = s.hashToScalar(t)
	}
	return weights
}

// compositeSeed is the seed of ComputeComposites: Hash(I2OSP(len(Bm), 2) || Bm || I2OSP(len(seedDST), 2) || seedDST).
func (s statement) compositeSeed() [sha512.Size]byte {
	t := s.transcript()
	t.add([]byte("Seed-" + s.context))
	return sha512.Sum512(t)
}

// challenge is the scalar c of GenerateProof and VerifyProof, RFC 9497, Sections 2.2.1 and 2.2.2.
func (s statement) challenge(m, z, t2, t3 group.Element) group.Scalar {
	t := s.transcript()
	for _, e := range []group.Element{m, z, t2, t3} {
		t.add(appendElement(nil, e))
	}
	t = append(t, "Challenge"...)
	return s.hashToScalar(t)
}

// transcript returns a transcript that begins with the keys.
func (s statement) transcript() (t transcript) {
	for _, key := range s.keys {
		t.add(key)
	}
	return t
}

func (s statement) hashToScalar(t transcript) group.Scalar {
	return ristretto255.HashToScalar(t, []byte("HashToScalar-"+s.context))
}

// generateProof is GenerateProof of RFC 9497, Section 2.2.1, over the composites m and z = k*m, with the nonce r.
func (k *PrivateKey) generateProof(r group.Scalar, m, z group.Element) Proof {
	t2 := ristretto255.NewElement().MulGen(r)
	t3 := ristretto255.NewElement().Mul(m, r)
	return respond(r, evaluation(k.pk).challenge(m, z, t2, t3), k.k)
}

// respond is the end of GenerateProof: the proof c, s = r - c*k.
func respond(r, c, k group.Scalar) (proof Proof) {
	s := ristretto255.NewScalar().Mul(c, k)
	s.Sub(r, s)
	cBytes, sBytes := encodeScalar(c), encodeScalar(s)
	copy(proof[:ScalarSize], cBytes[:])
	copy(proof[ScalarSize:], sBytes[:])
	return proof
}

// scalars decodes a proof, or returns ErrProof. A zero scalar is canonical, though no honest proof has one.
func (p *Proof) scalars() (c, s group.Scalar, err error) {
	c, s = ristretto255.NewScalar(), ristretto255.NewScalar()
	if c.UnmarshalBinary(p[:ScalarSize]) != nil || s.UnmarshalBinary(p[ScalarSize:]) != nil {
		return nil, nil, ErrProof
	}
	return c, s, nil
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
	c, s, err := proof.scalars()
	if err != nil {
		return err
	}
	statement := evaluation(pk)
	weights := statement.compositeWeights(blinded, evaluated)
	m, z := weightedSumVarTime(weights, b), weightedSumVarTime(weights, e)

	term := ristretto255.NewElement()
	t2 := ristretto255.NewElement().MulGen(s) // t2 = s*G + c*pk
	t2.Add(t2, term.Mul(pk.element, c))
	t3 := ristretto255.NewElement().Mul(m, s) // t3 = s*M + c*Z
	t3.Add(t3, term.Mul(z, c))
	if !statement.challenge(m, z, t2, t3).IsEqual(c) {
		return ErrProof
	}
	return nil
}
