package voprf

import (
	"bytes"
	"testing"
)

func FuzzBlindEvaluate(f *testing.F) {
	key, err := DeriveKeyPair(make([]byte, SeedSize), nil)
	if err != nil {
		f.Fatal(err)
	}
	good := key.PublicKey().Bytes()
	f.Add([]byte(nil))
	f.Add(good)
	f.Add(append(append([]byte(nil), good...), good...))
	f.Add(make([]byte, ElementSize))
	f.Add(bytes.Repeat([]byte{0xff}, ElementSize+1))
	f.Fuzz(func(t *testing.T, blinded []byte) {
		evaluated, proof, err := key.BlindEvaluate(zeroReader{}, blinded)
		if err != nil {
			if evaluated != nil {
				t.Error("an error came with elements")
			}
			return
		}
		if err := key.PublicKey().VerifyProof(blinded, evaluated, proof); err != nil {
			t.Errorf("own proof: %v", err)
		}
		if !bytes.Equal(packCircl(t, circlElements(t, blinded)), blinded) {
			t.Error("accepted elements that are not in canonical encoding")
		}
	})
}

func FuzzVerifyProof(f *testing.F) {
	key, err := DeriveKeyPair(make([]byte, SeedSize), nil)
	if err != nil {
		f.Fatal(err)
	}
	blinded := key.PublicKey().Bytes()
	evaluated, proof, err := key.BlindEvaluate(zeroReader{}, blinded)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof[:])
	f.Add(make([]byte, ProofSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var other Proof
		copy(other[:], b)
		if err := key.PublicKey().VerifyProof(blinded, evaluated, other); (err == nil) != (other == proof) {
			t.Errorf("VerifyProof: got %v for a proof that is the honest one: %t", err, other == proof)
		}
	})
}

// FuzzVerifyRekey replaces the proof, and the last of two moved elements.
func FuzzVerifyRekey(f *testing.F) {
	from, err := DeriveKeyPair(make([]byte, SeedSize), nil)
	if err != nil {
		f.Fatal(err)
	}
	to, err := DeriveKeyPair(bytes.Repeat([]byte{1}, SeedSize), nil)
	if err != nil {
		f.Fatal(err)
	}
	n := evaluate(f, from, [][]byte{[]byte("tel:+14155550100"), []byte("tel:+14155550101")})
	factor := NewFactor(from, to)
	moved, err := factor.Rekey(n)
	if err != nil {
		f.Fatal(err)
	}
	proof, err := factor.Prove(zeroReader{}, n, moved)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof[:], moved[1].Bytes())
	f.Add(proof[:], moved[0].Bytes())
	f.Add(make([]byte, ProofSize), make([]byte, ElementSize))
	f.Fuzz(func(t *testing.T, p, element []byte) {
		var other Proof
		copy(other[:], p)
		claimed := append([]UnblindedElement(nil), moved...)
		clear(claimed[1].Value[:])
		copy(claimed[1].Value[:], element)
		honest := other == proof && claimed[1] == moved[1]
		err := VerifyRekey(from.PublicKey(), to.PublicKey(), n, claimed, other)
		if (err == nil) != honest {
			t.Errorf("VerifyRekey: got %v for a move that is the honest one: %t", err, honest)
		}
		if err != nil && err != ErrProof && err != ErrElement {
			t.Errorf("VerifyRekey: got %v, want ErrProof or ErrElement", err)
		}
	})
}
