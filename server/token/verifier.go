package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Scopes, the words of the claim scope.
const (
	ScopeDiscover = "discover" // evaluations and the account's own quota
	ScopeRegister = "register" // registrations
	ScopeOperate  = "operate"  // the admin listener
)

const (
	// DefaultAudience is the audience of tokens where none is configured.
	DefaultAudience = "kith"
	// leeway is how far the clocks of issuer and server may differ.
	leeway = 30 * time.Second
	// maxToken is the longest token that is looked at, in bytes.
	maxToken = 8 << 10
	// maxSubject is the longest account id, in bytes.
	maxSubject = 256
)

var (
	// ErrToken means a token that is malformed, expired, not yet valid, for another audience, without a subject, or not
	// signed by a known key with an algorithm that is allowed.
	ErrToken = errors.New("token: not valid")
	// ErrScope means a valid token that is not for this.
	ErrScope = errors.New("token: scope missing")
	// ErrKey means a key that is neither Ed25519 nor ECDSA over P-256, or not PEM.
	ErrKey = errors.New("token: key is not an Ed25519 or P-256 key in PEM")
)

// Verifier checks tokens against a set of public keys.
type Verifier struct {
	keys   []publicKey
	parser *jwt.Parser
}

type publicKey struct {
	id  string // kid, or "" if unknown
	alg string
	key any
}

// NewVerifier returns a verifier for tokens of one audience, signed by one of keys, each an ed25519.PublicKey or an
// *ecdsa.PublicKey over P-256. It returns ErrKey for others or for none.
func NewVerifier(audience string, keys ...any) (*Verifier, error) {
	v := &Verifier{parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg(), jwt.SigningMethodES256.Alg()}),
		jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithIssuedAt(),
	)}
	for _, key := range keys {
		alg, err := algorithm(key)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, publicKey{keyID(key), alg, key})
	}
	if len(v.keys) == 0 {
		return nil, ErrKey
	}
	return v, nil
}

// algorithm returns the one JWS algorithm that a public key is used with, or ErrKey.
func algorithm(key any) (string, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return jwt.SigningMethodEdDSA.Alg(), nil
		}
	case *ecdsa.PublicKey:
		if key.Curve != nil && key.Curve.Params().BitSize == 256 {
			return jwt.SigningMethodES256.Alg(), nil
		}
	}
	return "", ErrKey
}

type claims struct {
	jwt.RegisteredClaims
	Scope string `json:"scope"`
}

// Verify returns the account that a token names, if it is valid and has the scope. It returns ErrToken or ErrScope.
func (v *Verifier) Verify(token, scope string) (account string, err error) {
	if len(token) > maxToken {
		return "", ErrToken
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(token, &c, v.candidates); err != nil {
		return "", ErrToken
	}
	if c.Subject == "" || len(c.Subject) > maxSubject {
		return "", ErrToken
	}
	if !slices.Contains(strings.Fields(c.Scope), scope) {
		return "", ErrScope
	}
	return c.Subject, nil
}

// candidates returns the keys that a token may have been signed with: those of its algorithm, and of its kid if it
// names one that is known. The key decides the algorithm, never the token alone.
func (v *Verifier) candidates(t *jwt.Token) (any, error) {
	// RFC 7515, Section 4.1.11: extensions that must be understood, of which there are none here.
	if _, critical := t.Header["crit"]; critical {
		return nil, ErrToken
	}
	kid, _ := t.Header["kid"].(string)
	var named, all jwt.VerificationKeySet
	for _, k := range v.keys {
		if k.alg != t.Method.Alg() {
			continue
		}
		all.Keys = append(all.Keys, k.key)
		if kid != "" && k.id == kid {
			named.Keys = append(named.Keys, k.key)
		}
	}
	if len(named.Keys) > 0 {
		return named, nil
	}
	if len(all.Keys) == 0 {
		return nil, ErrKey
	}
	return all, nil
}
