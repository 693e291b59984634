package voprf

import (
	"io"

	"github.com/kith-project/kith/crypto/ristretto"
	"github.com/kith-project/kith/crypto/secret"
)

// BlindScalar is the blind r of one input, a nonzero scalar in canonical encoding, 32 bytes. Whoever holds it and the
// blinded element can test guesses of the input, so it is kept where the address book is kept.
type BlindScalar struct{ secret.Value }

// UnblindedElement is N = k * H1(input), 32 bytes in canonical encoding: the name that RFC 9497, Section 3.3.1, gives
// it inside Finalize. Tags and label keys derive from it.
type UnblindedElement struct{ secret.Value }

// RandomBlinds returns n blinds made of 64 bytes of rand each. It returns the reader's error.
func RandomBlinds(rand io.Reader, n int) ([]BlindScalar, error) {
	r := make([]ristretto.Scalar, n)
	defer clear(r)
	if err := randomScalars(r, rand); err != nil {
		return nil, err
	}
	blinds := make([]BlindScalar, n)
	for i := range blinds {
		blinds[i].Value = r[i].Bytes()
	}
	return blinds, nil
}

// UnmarshalBlindScalar decodes 32 bytes, or returns ErrScalar.
func UnmarshalBlindScalar(b []byte) (BlindScalar, error) {
	var r ristretto.Scalar
	defer r.Wipe()
	if err := decodeScalar(&r, b); err != nil {
		return BlindScalar{}, err
	}
	return BlindScalar{r.Bytes()}, nil
}

// Blind is Blind of RFC 9497, Section 3.3.1, for a batch, with the blinds given: it returns the packed elements
// r[i] * H1(inputs[i]), 32 bytes each. The same inputs and blinds give the same bytes, which is how an interrupted
// request is repeated. A blind must not serve two inputs.
//
// It returns ErrLength if the counts differ, ErrBatch for an empty batch or more than MaxBatch inputs, ErrInput for an
// input that can not be blinded, and ErrScalar for a blind that is zero or not canonical.
func Blind(inputs [][]byte, blinds []BlindScalar) ([]byte, error) {
	if len(inputs) != len(blinds) {
		return nil, ErrLength
	}
	if len(inputs) == 0 || len(inputs) > MaxBatch {
		return nil, ErrBatch
	}
	w := secretWorkspace()
	defer w.wipe()
	r, err := w.decodeBlinds(blinds)
	if err != nil {
		return nil, err
	}
	if err := w.hashToGroup(inputs); err != nil {
		return nil, err
	}
	return w.batch.AppendMultiplyEach(nil, r), nil
}

// decodeBlinds returns the scalars of blinds, or ErrScalar.
func (w *workspace) decodeBlinds(blinds []BlindScalar) ([]ristretto.Scalar, error) {
	r := w.scalars(len(blinds))
	for i := range r {
		if err := decodeScalar(&r[i], blinds[i].Value[:]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// hashToGroup sets the batch to H1 of RFC 9497, Section 4.1, of each input, or returns ErrInput.
func (w *workspace) hashToGroup(inputs [][]byte) error {
	for _, input := range inputs {
		if len(input) > MaxInput {
			return ErrInput
		}
	}
	h := ristretto.NewHasher(dstHashToGroup)
	defer h.Wipe()
	if w.batch.Hash(h, inputs) != nil {
		return ErrInput
	}
	return nil
}

// Unblind returns N[i] = r[i]^-1 * Z[i] for a packed batch of evaluated elements Z. The caller has verified their proof
// before ([PublicKey.VerifyProof]): unblinding what was not proven lets the server mark its users with different keys.
//
// It returns ErrLength if the counts differ, ErrBatch, ErrElement or ErrScalar.
func Unblind(blinds []BlindScalar, evaluated []byte) ([]UnblindedElement, error) {
	n, err := batchLen(evaluated)
	if err != nil {
		return nil, err
	}
	w := secretWorkspace()
	defer w.wipe()
	if err := w.decode(evaluated); err != nil {
		return nil, err
	}
	if n != len(blinds) {
		return nil, ErrLength
	}
	r, err := w.decodeBlinds(blinds)
	if err != nil {
		return nil, err
	}
	ristretto.InvertScalars(r)
	out := make([]UnblindedElement, n)
	w.bytes = w.batch.AppendMultiplyEach(w.bytes[:0], r)
	split(out, w.bytes)
	return out, nil
}

// Evaluate returns N = k * H1(input) for each input that the holder of the key knows in the clear, as the server does
// for a registration. It returns ErrInput for an input that can not be hashed to the group.
func (k *PrivateKey) Evaluate(inputs [][]byte) ([]UnblindedElement, error) {
	w := secretWorkspace()
	defer w.wipe()
	if err := w.hashToGroup(inputs); err != nil {
		return nil, err
	}
	out := make([]UnblindedElement, len(inputs))
	w.bytes = w.batch.AppendMultiply(w.bytes[:0], &k.k)
	split(out, w.bytes)
	return out, nil
}
