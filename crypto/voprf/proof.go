package voprf

import (
	"crypto/sha512"
	"encoding/binary"

	"github.com/kith-project/kith/crypto/ristretto"
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

// compositeWeights sets weights to the scalars d[i] of ComputeComposites, RFC 9497, Section 2.2.1, over two batches of packed
// elements, so many of each as there are weights. It is constant time in the elements.
func (s statement) compositeWeights(weights []ristretto.Scalar, c, d []byte) {
	const atOnce = 64 // bounds the memory; hashing takes eight at a time
	seed := s.compositeSeed()
	h := s.hasher()
	defer h.Wipe()
	var t transcript
	for first := 0; first < len(weights); first += atOnce {
		t = t[:0]
		n := min(atOnce, len(weights)-first)
		for i := first; i < first+n; i++ {
			at := i * ElementSize
			t.add(seed[:])
			t = binary.BigEndian.AppendUint16(t, uint16(i))
			t.add(c[at : at+ElementSize])
			t.add(d[at : at+ElementSize])
			t = append(t, "Composite"...)
		}
		h.ScalarsPacked(weights[first:first+n], t, len(t)/n)
	}
	clear(t[:cap(t)])
}

// compositeSeed is the seed of ComputeComposites: Hash(I2OSP(len(Bm), 2) || Bm || I2OSP(len(seedDST), 2) || seedDST).
func (s statement) compositeSeed() [sha512.Size]byte {
	t := s.transcript()
	t.add([]byte("Seed-" + s.context))
	return sha512.Sum512(t)
}

// commitmentsSize is the length of the elements that a challenge is made of, packed: M, Z, t2 and t3.
const commitmentsSize = 4 * ElementSize

// challenge sets c to the scalar of GenerateProof and VerifyProof, RFC 9497, Sections 2.2.1 and 2.2.2.
func (s statement) challenge(c *ristretto.Scalar, commitments []byte) {
	t := s.transcript()
	for ; len(commitments) > 0; commitments = commitments[ElementSize:] {
		t.add(commitments[:ElementSize])
	}
	t = append(t, "Challenge"...)
	h := s.hasher()
	defer h.Wipe()
	h.Scalar(c, t)
}

// transcript returns a transcript that begins with the keys.
func (s statement) transcript() (t transcript) {
	for _, key := range s.keys {
		t.add(key)
	}
	return t
}

// hasher is HashToScalar of the statement's context.
func (s statement) hasher() *ristretto.Hasher {
	return ristretto.NewHasher("HashToScalar-" + s.context)
}

// respond is the end of GenerateProof, RFC 9497, Section 2.2.1, with the nonce r: the proof c, s = r - c*k.
func (s statement) respond(r, k *ristretto.Scalar, commitments []byte) (proof Proof) {
	var c, answer ristretto.Scalar
	s.challenge(&c, commitments)
	answer.Subtract(r, answer.Multiply(&c, k))
	encodedC, encodedS := c.Bytes(), answer.Bytes()
	copy(proof[:ScalarSize], encodedC[:])
	copy(proof[ScalarSize:], encodedS[:])
	return proof
}

// scalars decodes a proof, or returns ErrProof. A zero scalar is canonical, though no honest proof has one.
func (p *Proof) scalars() (c, s ristretto.Scalar, err error) {
	if c.SetCanonicalBytes(p[:ScalarSize]) != nil || s.SetCanonicalBytes(p[ScalarSize:]) != nil {
		return c, s, ErrProof
	}
	return c, s, nil
}

// verify returns ErrProof unless c is the challenge that these elements make.
func (s statement) verify(c *ristretto.Scalar, m, z, t2, t3 *ristretto.Element) error {
	commitments := make([]byte, 0, commitmentsSize)
	for _, e := range []*ristretto.Element{m, z, t2, t3} {
		encoded := e.Bytes()
		commitments = append(commitments, encoded[:]...)
	}
	var made ristretto.Scalar
	if s.challenge(&made, commitments); !made.Equal(c) {
		return ErrProof
	}
	return nil
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
	w := publicWorkspace()
	defer w.release()
	if err := w.decode(blinded); err != nil {
		return err
	}
	statement, weights := evaluation(pk), w.scalars(len(blinded)/ElementSize)
	statement.compositeWeights(weights, blinded, evaluated)
	var m, z, t2, t3 ristretto.Element
	w.batch.VarTimeSum(&m, weights)
	if err := w.decode(evaluated); err != nil {
		return err
	}
	w.batch.VarTimeSum(&z, weights)
	c, s, err := proof.scalars()
	if err != nil {
		return err
	}
	t2.VarTimeSumGenerator(&c, &pk.element, &s) // t2 = s*G + c*pk
	t3.VarTimeSum(&s, &m, &c, &z)               // t3 = s*M + c*Z
	return statement.verify(&c, &m, &z, &t2, &t3)
}
