package voprf_test

import (
	"crypto/rand"
	"fmt"
	"log"

	"github.com/kith-project/kith/crypto/voprf"
)

// A client learns k*H1(x) for its input x, the server learns nothing about x, and the proof shows which key was used.
func Example() {
	key, err := voprf.GenerateKeyPair(rand.Reader) // the server's
	if err != nil {
		log.Fatal(err)
	}

	inputs := [][]byte{[]byte("tel:+14155550100")}
	blinds, err := voprf.RandomBlinds(rand.Reader, len(inputs))
	if err != nil {
		log.Fatal(err)
	}
	blinded, err := voprf.Blind(inputs, blinds)
	if err != nil {
		log.Fatal(err)
	}

	evaluated, proof, err := key.BlindEvaluate(rand.Reader, blinded) // on the server
	if err != nil {
		log.Fatal(err)
	}

	if err := key.PublicKey().VerifyProof(blinded, evaluated, proof); err != nil {
		log.Fatal(err)
	}
	n, err := voprf.Unblind(blinds, evaluated)
	if err != nil {
		log.Fatal(err)
	}

	direct, err := key.Evaluate(inputs) // what only the holder of the key could have computed
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n[0].Equal(direct[0].Value))
	// Output: true
}
