package voprf

import (
	"io"

	"github.com/kith-project/kith/crypto/ristretto"
)

// Evaluation is the answer to one batch, or why there is none.
type Evaluation struct {
	// Evaluated is the packed evaluated elements, 32 bytes each, with room for a proof behind them.
	Evaluated []byte
	Proof     Proof
	// Err is nil, ErrLength, ErrBatch or ErrElement, or what the reader returned.
	Err error
}

// BlindEvaluate is BlindEvaluate of RFC 9497, Section 3.3.2, for a packed batch of 1 to MaxBatch blinded elements: it
// returns the packed evaluated elements Z[i] = k * B[i], 32 bytes each, in the same order, and one proof, made with a
// nonce of 64 bytes of rand, that all of them were multiplied by the private key of k.PublicKey.
//
// It returns ErrLength, ErrBatch or ErrElement, and then nothing was evaluated; or the reader's error.
func (k *PrivateKey) BlindEvaluate(rand io.Reader, blinded []byte) (evaluated []byte, proof Proof, err error) {
	e := k.BlindEvaluateEach(rand, [][]byte{blinded})[0]
	return e.Evaluated, e.Proof, e.Err
}

// BlindEvaluateEach is BlindEvaluate of several batches, each with a proof of its own. They are computed together, so that many
// small batches cost like one of all their elements. What is wrong with one of them does not concern the others.
func (k *PrivateKey) BlindEvaluateEach(rand io.Reader, blinded [][]byte) []Evaluation {
	answers, nonces := make([]Evaluation, len(blinded)), make([]ristretto.Scalar, len(blinded))
	defer clear(nonces)
	err := randomScalars(nonces, rand)
	for i := range answers {
		if answers[i].Err = err; err == nil {
			_, answers[i].Err = batchLen(blinded[i])
		}
	}
	k.blindEvaluate(answers, nonces, blinded)
	return answers
}

// blindEvaluate answers those of the batches that have no error yet, which are not empty. It takes the nonces as an argument, for the
// published vectors. None must be used twice.
func (k *PrivateKey) blindEvaluate(answers []Evaluation, nonces []ristretto.Scalar, blinded [][]byte) {
	w := publicWorkspace()
	defer w.release()
	packed := w.decodeEach(answers, blinded)
	if len(packed) == 0 {
		return
	}
	evaluated := w.batch.AppendMultiply(make([]byte, 0, len(packed)+ProofSize), &k.k)
	var good []*Evaluation
	var r []ristretto.Scalar
	w.lengths = w.lengths[:0]
	for i := range answers {
		if answers[i].Err != nil {
			continue
		}
		good, r = append(good, &answers[i]), append(r, nonces[i])
		w.lengths = append(w.lengths, len(blinded[i])/ElementSize)
		size := len(blinded[i])
		answers[i].Evaluated = evaluated[:size:size]
		if len(evaluated) == size { // the last one: what is behind it is its own
			answers[i].Evaluated = evaluated
		}
		evaluated = evaluated[size:]
	}
	defer clear(r)
	k.prove(w, good, r, packed)
}

// decodeEach sets the batch to the elements of all batches without an error, and returns them packed. Those with elements that do not
// decode get ErrElement and are left out.
func (w *workspace) decodeEach(answers []Evaluation, blinded [][]byte) (packed []byte) {
	if len(blinded) == 1 && answers[0].Err == nil { // the usual one, which need not be copied
		answers[0].Err = w.decode(blinded[0])
		return blinded[0][:w.batch.Len()*ElementSize]
	}
	for {
		w.bytes = w.bytes[:0]
		for i := range answers {
			if answers[i].Err == nil {
				w.bytes = append(w.bytes, blinded[i]...)
			}
		}
		if w.batch.Decode(w.bytes) == nil {
			return w.bytes
		}
		for i := range answers {
			if answers[i].Err == nil {
				answers[i].Err = w.decode(blinded[i])
			}
		}
	}
}

// prove makes the proofs of answers to batches of w.lengths elements, which are packed and in the workspace's batch.
func (k *PrivateKey) prove(w *workspace, answers []*Evaluation, r []ristretto.Scalar, packed []byte) {
	statement := evaluation(k.pk)
	weights, from := w.scalars(len(packed)/ElementSize), 0
	for i, n := range w.lengths {
		statement.compositeWeights(weights[from:from+n], packed[from*ElementSize:], answers[i].Evaluated)
		from += n
	}
	// ComputeCompositesFast, Section 2.2.1: with k known, the composite of the evaluated elements is k times the other.
	m := make([]ristretto.Element, len(answers))
	w.batch.VarTimeSums(m, w.lengths, weights)
	commitments := w.batch.AppendCommitments(nil, m, &k.k, nil, r)
	for i := range answers {
		answers[i].Proof = statement.respond(&r[i], &k.k, commitments[i*commitmentsSize:(i+1)*commitmentsSize])
	}
}
