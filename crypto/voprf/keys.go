package voprf

import (
	"encoding/binary"
	"io"

	"github.com/kith-project/kith/crypto/ristretto"
	"github.com/kith-project/kith/crypto/secret"
)

// PrivateKey is the key k of one epoch, a nonzero scalar, with its public key. It prints as a placeholder.
type PrivateKey struct {
	secret.Value // the canonical encoding of k, 32 bytes little-endian

	k  ristretto.Scalar
	pk *PublicKey
}

// PublicKey is pk = k*G.
type PublicKey struct {
	element ristretto.Element
	encoded [ElementSize]byte
}

// GenerateKeyPair makes a key pair from 64 bytes of rand, which must be a cryptographic source such as
// crypto/rand.Reader. It returns the reader's error.
func GenerateKeyPair(rand io.Reader) (*PrivateKey, error) {
	var k ristretto.Scalar
	defer k.Wipe()
	if err := randomScalar(&k, rand); err != nil {
		return nil, err
	}
	return newPrivateKey(&k), nil
}

// DeriveKeyPair is DeriveKeyPair of RFC 9497, Section 3.2.1: the same seed, 32 bytes, and info, at most 65,535 bytes,
// always give the same key pair. It returns ErrDeriveKeyPair for lengths outside these, or if no key is found.
func DeriveKeyPair(seed, info []byte) (*PrivateKey, error) {
	h := ristretto.NewHasher(dstDeriveKeyPair)
	defer h.Wipe()
	return deriveKeyPair(seed, info, h.Scalar)
}

// deriveKeyPair takes the hash as an argument so that a test can reach the bound on the counter.
func deriveKeyPair(seed, info []byte, hashToScalar func(s *ristretto.Scalar, message []byte)) (*PrivateKey, error) {
	if len(seed) != SeedSize || len(info) > 1<<16-1 {
		return nil, ErrDeriveKeyPair
	}
	input := append([]byte(nil), seed...)
	input = binary.BigEndian.AppendUint16(input, uint16(len(info)))
	input = append(input, info...)
	input = append(input, 0)
	defer clear(input)
	var k ristretto.Scalar
	defer k.Wipe()
	for counter := 0; counter <= 255; counter++ {
		input[len(input)-1] = byte(counter)
		if hashToScalar(&k, input); !k.IsZero() {
			return newPrivateKey(&k), nil
		}
	}
	return nil, ErrDeriveKeyPair
}

// UnmarshalPrivateKey decodes 32 bytes, the canonical little-endian encoding of a nonzero scalar, or returns ErrScalar.
func UnmarshalPrivateKey(b []byte) (*PrivateKey, error) {
	var k ristretto.Scalar
	defer k.Wipe()
	if err := decodeScalar(&k, b); err != nil {
		return nil, err
	}
	return newPrivateKey(&k), nil
}

func newPrivateKey(k *ristretto.Scalar) *PrivateKey {
	pk := new(PublicKey)
	pk.encoded = pk.element.MultiplyGenerator(k).Bytes()
	return &PrivateKey{Value: k.Bytes(), k: *k, pk: pk}
}

// PublicKey returns the public key that belongs to k.
func (k *PrivateKey) PublicKey() *PublicKey { return k.pk }

// UnmarshalPublicKey decodes 32 bytes, or returns ErrElement.
func UnmarshalPublicKey(b []byte) (*PublicKey, error) {
	pk := new(PublicKey)
	if err := pk.element.Decode(b); err != nil {
		return nil, ErrElement
	}
	copy(pk.encoded[:], b)
	return pk, nil
}

// Bytes returns the encoding of the key, 32 bytes.
func (pk *PublicKey) Bytes() []byte { return append([]byte(nil), pk.encoded[:]...) }

// Equal reports whether the two keys are the same.
func (pk *PublicKey) Equal(other *PublicKey) bool { return pk.encoded == other.encoded }
