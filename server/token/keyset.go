package token

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// maxKeys is how many usable keys a set may have: a token that names none is tried with each of them.
const maxKeys = 32

var (
	// ErrKeySet means a text that is neither PEM nor a JSON Web Key Set, or has more than 32 keys.
	ErrKeySet = errors.New("token: not a JSON Web Key Set of at most 32 keys")
	// ErrNoKey means a key set without a key that tokens can be signed with here.
	ErrNoKey = errors.New("token: key set without an Ed25519 or P-256 key for signatures")
)

// keySet is what one text of keys has. It does not change.
type keySet struct {
	keys    keyfunc.Keyfunc
	named   bool // a token that names a key which is not in the set was signed with none of them
	usable  int
	ignored int
}

// newKeySet makes a set of 1 to 32 keys.
func newKeySet(keys []jwkset.JWK, named bool, ignored int) (*keySet, error) {
	if len(keys) == 0 {
		return nil, ErrNoKey
	}
	if len(keys) > maxKeys {
		return nil, ErrKeySet
	}
	store := jwkset.NewMemoryStorage()
	if err := store.KeyReplaceAll(context.Background(), keys); err != nil {
		return nil, ErrKeySet
	}
	find, err := keyfunc.New(keyfunc.Options{Storage: store})
	if err != nil {
		return nil, ErrKeySet
	}
	return &keySet{find, named, len(keys), ignored}, nil
}

// keyFor returns the key or keys that a token may have been signed with: the one that it names, if that is for its algorithm,
// or all if it names none. Each key is used with its own algorithm alone, whatever the token says. A set whose keys have
// ids that issuers do not know, as those of PEM, is tried as a whole when the name is not found.
func (s *keySet) keyFor(t *jwt.Token) (any, error) {
	key, err := s.keys.Keyfunc(t)
	if err != nil && !s.named {
		return s.keys.VerificationKeySet(context.Background())
	}
	return key, err
}

// webKey makes a JSON Web Key of a public key, for its one algorithm. It returns ErrKey for one that can not be used.
func webKey(key any, id string) (jwkset.JWK, error) {
	alg, err := algorithm(key)
	if err != nil {
		return jwkset.JWK{}, err
	}
	jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.ALG(alg), KID: id, USE: jwkset.UseSig},
	})
	if err != nil {
		return jwkset.JWK{}, ErrKey
	}
	return jwk, nil
}

// publicKeySet makes a set of public keys that have no names of their own.
func publicKeySet(keys []any) (*keySet, error) {
	if len(keys) == 0 {
		return nil, ErrKey
	}
	var set []jwkset.JWK
	for _, key := range keys {
		if _, err := algorithm(key); err != nil {
			return nil, err
		}
		jwk, err := webKey(key, keyID(key))
		if err != nil {
			return nil, err
		}
		set = append(set, jwk)
	}
	return newKeySet(set, false, 0)
}

// parseKeySet reads a JSON Web Key Set, or PEM.
func parseKeySet(text []byte) (*keySet, error) {
	if trimmed := bytes.TrimSpace(text); len(trimmed) == 0 || trimmed[0] != '{' {
		keys, err := ParsePublicKeys(text)
		if err != nil {
			return nil, err
		}
		return publicKeySet(keys)
	}
	return parseWebKeySet(text)
}

// parseWebKeySet reads a JSON Web Key Set. Keys of other types, for other uses or malformed are left out, as RFC 7517,
// Section 5, has it: one RSA key beside others must not lock everybody out.
func parseWebKeySet(text []byte) (*keySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, ErrKeySet
	}
	var keys []jwkset.JWK
	var left leftOut
	named := make(map[string]bool)
	for _, entry := range set.Keys {
		jwk, why := parseWebKey(entry)
		id := jwk.Marshal().KID
		if why == usable && named[id] {
			why = repeated
		}
		left[why]++
		if why == usable {
			keys = append(keys, jwk)
			if id != "" {
				named[id] = true
			}
		}
	}
	if len(keys) == 0 && len(set.Keys) > 0 {
		return nil, fmt.Errorf("%w (%s)", ErrNoKey, left)
	}
	return newKeySet(keys, len(named) > 0, len(set.Keys)-len(keys))
}

// why is the reason for which a key of a set is left out.
type why int

const (
	usable why = iota
	malformed
	symmetric
	otherType
	private
	otherUse
	repeated
	whys
)

// leftOut counts keys by the reason.
type leftOut [whys]int

// String lists the reasons with their counts.
func (l leftOut) String() string {
	names := [whys]string{
		malformed: "malformed",
		symmetric: "symmetric",
		otherType: "of another type or curve",
		private:   "private",
		otherUse:  "for another use or algorithm",
		repeated:  "with the kid of another",
	}
	var text []string
	for reason, n := range l {
		if n > 0 && why(reason) != usable {
			text = append(text, fmt.Sprintf("%d %s", n, names[reason]))
		}
	}
	return strings.Join(text, ", ")
}

// parseWebKey reads one key of a set, or says why it is left out. A key that has been published with its private half is none
// that anybody should trust.
func parseWebKey(entry json.RawMessage) (jwkset.JWK, why) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(entry, &m); err != nil {
		return jwkset.JWK{}, malformed
	}
	ed, p256 := m.KTY == jwkset.KtyOKP && m.CRV == jwkset.CrvEd25519, m.KTY == jwkset.KtyEC && m.CRV == jwkset.CrvP256
	switch {
	case m.KTY == jwkset.KtyOct || m.K != "":
		return jwkset.JWK{}, symmetric
	case !ed && !p256:
		return jwkset.JWK{}, otherType
	case m.D != "":
		return jwkset.JWK{}, private
	case !forSignatures(m, ed):
		return jwkset.JWK{}, otherUse
	}
	// The numbers alone: certificates and links to them are not looked at.
	m = jwkset.JWKMarshal{KTY: m.KTY, CRV: m.CRV, X: m.X, Y: m.Y, KID: m.KID}
	parsed, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipAll: true})
	if err != nil {
		return jwkset.JWK{}, malformed
	}
	jwk, err := webKey(parsed.Key(), m.KID)
	if err != nil {
		return jwkset.JWK{}, malformed
	}
	return jwk, usable
}

// forSignatures tells whether the use, the operations and the algorithm of a key, where they are given, are those of a public key
// for tokens. RFC 9864 renames EdDSA over this curve to Ed25519.
func forSignatures(m jwkset.JWKMarshal, ed bool) bool {
	if m.USE != "" && m.USE != jwkset.UseSig {
		return false
	}
	verifies := len(m.KEYOPS) == 0
	for _, operation := range m.KEYOPS {
		verifies = verifies || operation == jwkset.KeyOpsVerify
	}
	switch m.ALG {
	case "":
		return verifies
	case jwkset.AlgEdDSA, "Ed25519":
		return verifies && ed
	case jwkset.AlgES256:
		return verifies && !ed
	default:
		return false
	}
}
