package voprf

import (
	"io"
	"runtime"

	"github.com/cloudflare/circl/group"
)

// BlindEvaluate is BlindEvaluate of RFC 9497, Section 3.3.2, for a packed batch of 1 to MaxBatch blinded elements: it
// returns the packed evaluated elements Z[i] = k * B[i], 32 bytes each, in the same order, and one proof, made with a
// nonce of 64 bytes of rand, that all of them were multiplied by the private key of k.PublicKey.
//
// It returns ErrLength, ErrBatch or ErrElement, and then nothing was evaluated; or the reader's error.
func (k *PrivateKey) BlindEvaluate(rand io.Reader, blinded []byte) (evaluated []byte, proof Proof, err error) {
	r, err := randomScalar(rand)
	if err != nil {
		return nil, Proof{}, err
	}
	return k.blindEvaluate(r, blinded)
}

// yieldEvery is after how many elements a batch lets others run, about a ms. On a core that is busy with batches a request that is
// to be refused would otherwise wait for the end of a time slice, 10 ms, and that several times.
const yieldEvery = 8

// blindEvaluate takes the proof nonce as an argument, for the published vectors. r must not be used twice.
func (k *PrivateKey) blindEvaluate(r group.Scalar, blinded []byte) ([]byte, Proof, error) {
	elements, err := decodeBatchVarTime(blinded)
	if err != nil {
		return nil, Proof{}, err
	}
	evaluated := make([]byte, 0, len(blinded))
	z := ristretto255.NewElement()
	for i, b := range elements {
		evaluated = appendElement(evaluated, z.Mul(b, k.k))
		if i%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
	}
	// ComputeCompositesFast, Section 2.2.1: with k known, the composite of the evaluated elements is k times the other.
	m := weightedSumVarTime(evaluation(k.pk).compositeWeights(blinded, evaluated), elements)
	return evaluated, k.generateProof(r, m, z.Mul(m, k.k)), nil
}
