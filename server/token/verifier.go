package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

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
	// DefaultLeeway is how far the clocks of issuer and server may differ where nothing else is said.
	DefaultLeeway = 30 * time.Second
	// maxLeeway is the most that may be said.
	maxLeeway = 5 * time.Minute
	// maxToken is the longest token that is looked at, in bytes.
	maxToken = 8 << 10
	// maxSubject is the longest account id, in bytes.
	maxSubject = 256
)

var (
	// ErrToken means a token that is malformed, expired, not yet valid, of an unknown issuer, for another audience, without
	// a subject, or not signed by a key of its issuer with an algorithm that is allowed.
	ErrToken = errors.New("token: not valid")
	// ErrScope means a valid token that is not for this.
	ErrScope = errors.New("token: scope missing")
	// ErrKey means a key that is neither Ed25519 nor ECDSA over P-256, or not PEM.
	ErrKey = errors.New("token: key is not an Ed25519 or P-256 key in PEM")
	// ErrIssuers means a verifier without an issuer, with one that has no keys or an unknown scope, or with two of one name.
	ErrIssuers = errors.New("token: an issuer needs keys, a name of its own and scopes that there are")
	// ErrLeeway means a leeway below zero or above five minutes.
	ErrLeeway = errors.New("token: leeway is not between 0 and 5 minutes")
)

// Issuer is who may make tokens. Account ids of all issuers are in one space: the same sub is the same account.
type Issuer struct {
	// Name is the claim iss of its tokens. Empty: those of any name that no other issuer has, or of none.
	Name string
	// Audience is what the claim aud has to name; DefaultAudience if empty.
	Audience string
	// Scopes are those that its tokens are good for, whatever more they claim; all if empty.
	Scopes []string
	// Keys are those that its tokens are signed with.
	Keys *Keys
}

// Config is what a Verifier is made of.
type Config struct {
	// Issuers are one or more, each with its own name.
	Issuers []Issuer
	// Leeway is how far the clocks of issuer and server may differ; DefaultLeeway if zero.
	Leeway time.Duration
}

// Verifier checks tokens against the keys of their issuers.
type Verifier struct {
	issuers  map[string]*issuer
	parser   *jwt.Parser
	verified verified
}

type issuer struct {
	Issuer
	claims *jwt.Validator
}

// New returns a verifier for tokens of the issuers. It returns ErrIssuers or ErrLeeway.
func New(config Config) (*Verifier, error) {
	leeway := config.Leeway
	if leeway == 0 {
		leeway = DefaultLeeway
	}
	if leeway < 0 || leeway > maxLeeway {
		return nil, ErrLeeway
	}
	v := &Verifier{
		issuers: make(map[string]*issuer),
		// The claims are validated by Verify, since the audience follows from the issuer.
		parser: jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation(),
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg(), jwt.SigningMethodES256.Alg()})),
	}
	for _, i := range config.Issuers {
		if i.Audience == "" {
			i.Audience = DefaultAudience
		}
		if len(i.Scopes) == 0 {
			i.Scopes = []string{ScopeDiscover, ScopeRegister, ScopeOperate}
		}
		if v.issuers[i.Name] != nil || !i.complete() {
			return nil, ErrIssuers
		}
		v.issuers[i.Name] = &issuer{i, jwt.NewValidator(jwt.WithAudience(i.Audience),
			jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithIssuedAt())}
	}
	if len(v.issuers) == 0 {
		return nil, ErrIssuers
	}
	return v, nil
}

// complete tells whether an issuer has keys, and only scopes that there are: one misspelt would never be granted.
func (i Issuer) complete() bool {
	for _, scope := range i.Scopes {
		if scope != ScopeDiscover && scope != ScopeRegister && scope != ScopeOperate {
			return false
		}
	}
	return i.Keys != nil
}

// NewVerifier returns a verifier for tokens of any issuer for one audience, signed by one of keys, which are those of
// FixedKeys, whose errors it returns.
func NewVerifier(audience string, keys ...any) (*Verifier, error) {
	fixed, err := FixedKeys(keys...)
	if err != nil {
		return nil, err
	}
	return New(Config{Issuers: []Issuer{{Audience: audience, Keys: fixed}}})
}

// Run keeps the keys of all issuers up to date until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, i := range v.issuers {
		running.Go(func() { i.Keys.Run(ctx) })
	}
	running.Wait()
}

// Verify returns the account that a token names, if it is valid and has the scope. It returns ErrToken or ErrScope. It may wait for
// a second, for the keys of the issuer to be read again.
func (v *Verifier) Verify(token, scope string) (account string, err error) {
	if len(token) > maxToken {
		return "", ErrToken
	}
	s, err := v.signed(token)
	if err != nil || s.from.claims.Validate(&s.claims) != nil || !validSubject(s.claims.Subject) {
		return "", ErrToken
	}
	if !slices.Contains(strings.Fields(s.claims.Scope), scope) || !slices.Contains(s.from.Scopes, scope) {
		return "", ErrScope
	}
	return s.claims.Subject, nil
}

// signed returns a token's claims if a key of its issuer has signed it, or an error.
func (v *Verifier) signed(token string) (signed, error) {
	hash := sha256.Sum256([]byte(token))
	if s, ok := v.verified.find(hash); ok {
		return s, nil
	}
	if !plainHeader(token) {
		return signed{}, ErrToken
	}
	var s signed
	if _, err := v.parser.ParseWithClaims(token, &s.claims, func(t *jwt.Token) (any, error) {
		if s.from = v.issuerOf(&s.claims); s.from == nil {
			return nil, ErrToken
		}
		s.set = s.from.Keys.current.Load() // before the key is found: if they change meanwhile, the token is checked again
		return s.from.Keys.keyFor(t)
	}); err != nil {
		return signed{}, err
	}
	if len(token) <= maxRemembered {
		v.verified.remember(hash, s)
	}
	return s, nil
}

// issuerOf returns the issuer whose keys must have signed a token, or nil. The name is not to be trusted before that.
func (v *Verifier) issuerOf(c *claims) *issuer {
	if named := v.issuers[c.Issuer]; named != nil {
		return named
	}
	return v.issuers[""]
}

// validSubject tells whether a claim sub names an account. The replacement character stands for what is not a character, so
// that different names would be one.
func validSubject(sub string) bool {
	return sub != "" && len(sub) <= maxSubject && !strings.ContainsRune(sub, utf8.RuneError)
}
