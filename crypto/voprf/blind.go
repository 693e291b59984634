package voprf

import (
	"io"

	"github.com/cloudflare/circl/group"
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
	blinds := make([]BlindScalar, n)
	for i := range blinds {
		r, err := randomScalar(rand)
		if err != nil {
			return nil, err
		}
		blinds[i].Value = encodeScalar(r)
	}
	return blinds, nil
}

// UnmarshalBlindScalar decodes 32 bytes, or returns ErrScalar.
func UnmarshalBlindScalar(b []byte) (BlindScalar, error) {
	r, err := decodeScalar(b)
	if err != nil {
		return BlindScalar{}, err
	}
	return BlindScalar{encodeScalar(r)}, nil
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
	blinded := make([]byte, 0, len(inputs)*ElementSize)
	for i, input := range inputs {
		r, err := decodeScalar(blinds[i].Value[:])
		if err != nil {
			return nil, err
		}
		p, err := hashToGroup(input)
		if err != nil {
			return nil, err
		}
		blinded = appendElement(blinded, p.Mul(p, r))
	}
	return blinded, nil
}

// hashToGroup is H1 of RFC 9497, Section 4.1, or ErrInput.
func hashToGroup(input []byte) (group.Element, error) {
	if len(input) > MaxInput {
		return nil, ErrInput
	}
	p := ristretto255.HashToElement(input, []byte(dstHashToGroup))
	if p.IsIdentity() {
		return nil, ErrInput
	}
	return p, nil
}

// Unblind returns N[i] = r[i]^-1 * Z[i] for a packed batch of evaluated elements Z. The caller has verified their proof
// before ([PublicKey.VerifyProof]): unblinding what was not proven lets the server mark its users with different keys.
//
// It returns ErrLength if the counts differ, ErrBatch, ErrElement or ErrScalar.
func Unblind(blinds []BlindScalar, evaluated []byte) ([]UnblindedElement, error) {
	elements, err := decodeBatchVarTime(evaluated)
	if err != nil {
		return nil, err
	}
	if len(elements) != len(blinds) {
		return nil, ErrLength
	}
	out := make([]UnblindedElement, len(elements))
	for i, z := range elements {
		r, err := decodeScalar(blinds[i].Value[:])
		if err != nil {
			return nil, err
		}
		z.Mul(z, r.Inv(r))
		appendElement(out[i].Value[:0], z)
	}
	return out, nil
}

// Evaluate returns N = k * H1(input) for each input that the holder of the key knows in the clear, as the server does
// for a registration. It returns ErrInput for an input that can not be hashed to the group.
func (k *PrivateKey) Evaluate(inputs [][]byte) ([]UnblindedElement, error) {
	out := make([]UnblindedElement, len(inputs))
	for i, input := range inputs {
		p, err := hashToGroup(input)
		if err != nil {
			return nil, err
		}
		p.Mul(p, k.k)
		appendElement(out[i].Value[:0], p)
	}
	return out, nil
}
