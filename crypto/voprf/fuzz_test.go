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
		elements, err := decodeBatchVarTime(blinded)
		if err != nil {
			t.Fatalf("accepted what does not decode: %v", err)
		}
		var again []byte
		for _, e := range elements {
			again = appendElement(again, e)
		}
		if !bytes.Equal(again, blinded) {
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
