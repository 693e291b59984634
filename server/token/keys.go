package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// PEM block types.
const (
	pemPrivate = "PRIVATE KEY"
	pemPublic  = "PUBLIC KEY"
)

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

// Signer makes tokens, for trying things out and for tests; a messenger's own account service issues them otherwise. It
// holds a private key and prints as a placeholder.
type Signer struct {
	key    any // ed25519.PrivateKey or *ecdsa.PrivateKey
	public any
	method jwt.SigningMethod
}

// NewSigner makes an Ed25519 key. It returns the error of crypto/rand.
func NewSigner() (*Signer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return &Signer{private, public, jwt.SigningMethodEdDSA}, nil
}

// ParseSigner reads a private key in PEM (PKCS #8), or returns ErrKey.
func ParseSigner(text []byte) (*Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemPrivate {
		return nil, ErrKey
	}
	return parseSigner(block)
}

func parseSigner(block *pem.Block) (*Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, ErrKey
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return &Signer{key, key.Public(), jwt.SigningMethodEdDSA}, nil
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return &Signer{key, &key.PublicKey, jwt.SigningMethodES256}, nil
		}
	}
	return nil, ErrKey
}

// Public returns the public key, for NewVerifier.
func (s *Signer) Public() any { return s.public }

// MarshalPEM returns the private key in the form that ParseSigner reads.
func (s *Signer) MarshalPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		return nil, ErrKey
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), nil
}

// MarshalPublicPEM returns the public key in the form that ParsePublicKeys reads.
func (s *Signer) MarshalPublicPEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(s.public)
	if err != nil {
		return nil, ErrKey
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), nil
}

// Mint makes a token for an account: scope is words separated by spaces, and it is valid from now for the time given.
func (s *Signer) Mint(account, scope, audience string, now time.Time, valid time.Duration) (string, error) {
	t := jwt.NewWithClaims(s.method, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: account, Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(valid)),
		},
		Scope: scope,
	})
	t.Header["kid"] = keyID(s.public)
	text, err := t.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("token: signing: %w", err)
	}
	return text, nil
}

// String returns a placeholder, and GoString too.
func (s *Signer) String() string   { return "[token signing key]" }
func (s *Signer) GoString() string { return s.String() }
