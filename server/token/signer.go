package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// Signer makes tokens, for trying things out and for tests; a messenger's own account service issues them otherwise. It
// holds a private key and prints as a placeholder.
type Signer struct {
	key    any // ed25519.PrivateKey or *ecdsa.PrivateKey
	public any
	method jwt.SigningMethod
	issuer string // iss of its tokens, or "" for none
}

// NewSigner makes an Ed25519 key. It returns the error of crypto/rand.
func NewSigner() (*Signer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return &Signer{key: private, public: public, method: jwt.SigningMethodEdDSA}, nil
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
		return &Signer{key: key, public: key.Public(), method: jwt.SigningMethodEdDSA}, nil
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return &Signer{key: key, public: &key.PublicKey, method: jwt.SigningMethodES256}, nil
		}
	}
	return nil, ErrKey
}

// WithIssuer returns a signer with the same key whose tokens name an issuer (iss).
func (s *Signer) WithIssuer(name string) *Signer {
	named := *s
	named.issuer = name
	return &named
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

// MarshalKeySet returns the public key as a JSON Web Key Set (RFC 7517), with the kid that its tokens name.
func (s *Signer) MarshalKeySet() ([]byte, error) {
	jwk, err := webKey(s.public, keyID(s.public))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{jwk.Marshal()}})
	if err != nil {
		return nil, ErrKey
	}
	return text, nil
}

// Mint makes a token for an account: scope is words separated by spaces, and it is valid from now for the time given.
func (s *Signer) Mint(account, scope, audience string, now time.Time, valid time.Duration) (string, error) {
	t := jwt.NewWithClaims(s.method, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: s.issuer, Subject: account, Audience: jwt.ClaimStrings{audience},
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
