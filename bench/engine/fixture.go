package engine

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"

	"github.com/kith-project/kith/crypto/ristretto"
	"github.com/kith-project/kith/crypto/voprf"
)

// Numbers of elements: of a full request, and of the contacts of a client.
const (
	full     = 1024
	contacts = 1000
)

// proven are the sizes of batches whose proof is compared, with the shares of their duels.
var proven = []struct {
	elements int
	share    float64
}{{full, 0.3}, {16, 0.1}, {1, 0.1}}

// fixture is one key and what is computed with it, in the forms of both.
type fixture struct {
	key    *voprf.PrivateKey
	inputs [][]byte
	// blinded is packed, as a server gets it.
	blinded []byte

	// The same key for package ristretto and for circl.
	batch     ristretto.Batch
	scalar    ristretto.Scalar
	evaluated []byte
	// outputs is what the first client got.
	outputs []byte
	circl   circl
}

// circl is the opponent's key, server and client.
type circl struct {
	scalar group.Scalar
	server oprf.VerifiableServer
	client oprf.VerifiableClient
}

func newFixture() (*fixture, error) {
	f := new(fixture)
	var err error
	if f.key, err = voprf.GenerateKeyPair(rand.Reader); err != nil {
		return nil, err
	}
	if err := f.scalar.SetCanonicalBytes(f.key.Bytes()); err != nil {
		return nil, err
	}
	if err := f.circl.init(f.key.Bytes()); err != nil {
		return nil, err
	}
	for i := range full {
		f.inputs = append(f.inputs, fmt.Appendf(nil, "tel:+1415555%04d", i))
	}
	blinds, err := voprf.RandomBlinds(rand.Reader, full)
	if err != nil {
		return nil, err
	}
	f.blinded, err = voprf.Blind(f.inputs, blinds)
	return f, err
}

func (c *circl) init(key []byte) error {
	c.scalar = group.Ristretto255.NewScalar()
	if err := c.scalar.UnmarshalBinary(key); err != nil {
		return err
	}
	private := new(oprf.PrivateKey)
	if err := private.UnmarshalBinary(oprf.SuiteRistretto255, key); err != nil {
		return err
	}
	c.server = oprf.NewVerifiableServer(oprf.SuiteRistretto255, private)
	c.client = oprf.NewVerifiableClient(oprf.SuiteRistretto255, private.Public())
	return nil
}

// check compares what both return, and has each verify the other's proofs.
func (f *fixture) check() error {
	if err := f.evaluate(); err != nil {
		return err
	}
	kith := bytes.Clone(f.evaluated)
	if err := f.circlEvaluate(); err != nil {
		return err
	}
	if !bytes.Equal(f.evaluated, kith) {
		return ErrDiffer
	}
	for _, p := range proven {
		if err := f.checkProofs(f.blinded[:p.elements*voprf.ElementSize]); err != nil {
			return err
		}
	}
	return nil
}

// checkProofs returns ErrDiffer unless both evaluate a batch alike, and each verifies the other's proof.
func (f *fixture) checkProofs(blinded []byte) error {
	evaluated, proof, err := f.key.BlindEvaluate(rand.Reader, blinded)
	if err != nil {
		return err
	}
	circlEvaluated, circlProof, err := f.circl.answer(blinded)
	if err != nil {
		return err
	}
	if !bytes.Equal(evaluated, circlEvaluated) || f.key.PublicKey().VerifyProof(blinded, circlEvaluated, voprf.Proof(circlProof)) != nil ||
		!f.circl.verifies(blinded, evaluated, proof[:]) {
		return ErrDiffer
	}
	return nil
}

// duels returns what is compared.
func (f *fixture) duels() []*duel {
	duels := []*duel{{
		name: "evaluate", elements: full, share: 0.2,
		by: [2]contender{
			byCircl: func() (time.Duration, error) { return timed(f.circlEvaluate) },
			byKith:  func() (time.Duration, error) { return timed(f.evaluate) },
		},
	}}
	for _, p := range proven {
		blinded := f.blinded[:p.elements*voprf.ElementSize]
		duels = append(duels, &duel{
			name: fmt.Sprintf("prove_%d", p.elements), elements: p.elements, share: p.share,
			by: [2]contender{
				byCircl: func() (time.Duration, error) {
					return timed(func() error { _, _, err := f.circl.answer(blinded); return err })
				},
				byKith: func() (time.Duration, error) {
					return timed(func() error { _, _, err := f.key.BlindEvaluate(rand.Reader, blinded); return err })
				},
			},
		})
	}
	return append(duels, &duel{
		name: "client_1000", elements: contacts, share: 0.3,
		by: [2]contender{byCircl: f.circlClient, byKith: f.client},
	})
}

// evaluate sets evaluated to the key times each element, by package ristretto.
func (f *fixture) evaluate() error {
	if err := f.batch.Decode(f.blinded); err != nil {
		return err
	}
	f.evaluated = f.batch.AppendMultiply(f.evaluated[:0], &f.scalar)
	return nil
}

// circlEvaluate is evaluate by circl.
func (f *fixture) circlEvaluate() error {
	f.evaluated = f.evaluated[:0]
	elements, err := decode(f.blinded)
	if err != nil {
		return err
	}
	for _, e := range elements {
		encoded, err := e.Mul(e, f.circl.scalar).MarshalBinaryCompress()
		if err != nil {
			return err
		}
		f.evaluated = append(f.evaluated, encoded...)
	}
	return nil
}
