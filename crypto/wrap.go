package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"

	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
)

// ErrWrapped means a wrapped element that is not the one stored under this tag and storage key.
var ErrWrapped = errors.New("crypto: wrapped element does not belong to its tag")

// StorageKey wraps the unblinded elements of one epoch's directory, 32 bytes. Without it a copy of the store can not be
// moved to another key, nor its labels be opened.
type StorageKey struct{ secret.Value }

// Wrap encrypts an unblinded element: N xor AES-256-CTR(storage key, IV = tag). The tag is derived from N, so it serves
// as synthetic IV (RFC 5297 has the idea): equal inputs give equal outputs, and two different ones never share an IV
// but with the probability of a tag collision.
func (k StorageKey) Wrap(tag Tag, n voprf.UnblindedElement) WrappedElement {
	var w WrappedElement
	k.xor(w[:], n.Value[:], tag)
	return w
}

// Unwrap decrypts what Wrap made, derives the tag from the result anew and compares in constant time, which
// authenticates it to 128 bits. It returns ErrWrapped if they differ.
func (k StorageKey) Unwrap(tag Tag, w WrappedElement) (voprf.UnblindedElement, error) {
	var n voprf.UnblindedElement
	k.xor(n.Value[:], w[:], tag)
	if derived, _ := Derive(n); subtle.ConstantTimeCompare(derived[:], tag[:]) != 1 {
		return voprf.UnblindedElement{}, ErrWrapped
	}
	return n, nil
}

func (k StorageKey) xor(dst, src []byte, tag Tag) {
	block, err := aes.NewCipher(k.Value[:])
	if err != nil {
		panic("crypto: AES-256 is not available: " + err.Error())
	}
	cipher.NewCTR(block, tag[:]).XORKeyStream(dst, src)
}
