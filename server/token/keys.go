package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// PEM block types.
const (
	pemPrivate = "PRIVATE KEY"
	pemPublic  = "PUBLIC KEY"
)

// algorithm returns the one JWS algorithm that a public key is used with, or ErrKey.
func algorithm(key any) (string, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize && !smallOrder(key) {
			return jwt.SigningMethodEdDSA.Alg(), nil
		}
	case *ecdsa.PublicKey:
		if key != nil && key.Curve == elliptic.P256() {
			return jwt.SigningMethodES256.Alg(), nil
		}
	}
	return "", ErrKey
}

// smallOrders are the encodings of the points whose order divides 8, with the sign bit clear, those that are not canonical
// included: y = 0, 1, two square roots of order 8, p-1, p and p+1.
var smallOrders = [][ed25519.PublicKeySize]byte{
	{},
	{1},
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
	nearPrime(0xec),
	nearPrime(0xed),
	nearPrime(0xee),
}

// nearPrime is 2^255 - 256 + last, little-endian.
func nearPrime(last byte) (b [ed25519.PublicKeySize]byte) {
	for i := range b {
		b[i] = 0xff
	}
	b[0], b[31] = last, 0x7f
	return b
}

// smallOrder tells whether anyone can sign under a key: the product of such a point and the hash of the text is the identity
// for one text in eight or more. A key of zeros, left where the real one should have been, is one of them.
func smallOrder(key ed25519.PublicKey) bool {
	y := [ed25519.PublicKeySize]byte(key)
	y[31] &= 0x7f
	return slices.Contains(smallOrders, y)
}

// keyID returns the kid of a public key: 16 characters of the SHA-256 of its SubjectPublicKeyInfo.
func keyID(public any) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// ParsePublicKeys reads every public key of a PEM text (PKIX, "PUBLIC KEY"; from a "PRIVATE KEY" its public half). It
// returns ErrKey if there is none, or one that can not be used.
func ParsePublicKeys(text []byte) ([]any, error) {
	var keys []any
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		key, err := publicOf(block)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
		text = rest
	}
	if len(keys) == 0 {
		return nil, ErrKey
	}
	return keys, nil
}

func publicOf(block *pem.Block) (any, error) {
	if block.Type == pemPrivate {
		s, err := parseSigner(block)
		if err != nil {
			return nil, err
		}
		return s.Public(), nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if block.Type != pemPublic || err != nil {
		return nil, ErrKey
	}
	if _, err := algorithm(key); err != nil {
		return nil, err
	}
	return key, nil
}
