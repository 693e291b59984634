package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kith-project/kith/server/token"
)

func newSigner(t testing.TB) *token.Signer {
	t.Helper()
	s, err := token.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// p256 returns a signer over an ECDSA key and that key.
func p256(t testing.TB) (*token.Signer, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := token.ParseSigner(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return s, key
}

func TestVerify(t *testing.T) {
	ed, other := newSigner(t), newSigner(t)
	ec, ecKey := p256(t)
	v, err := token.NewVerifier("kith", ed.Public(), ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	mint := func(s *token.Signer, account, scope, audience string, from time.Time, valid time.Duration) string {
		text, err := s.Mint(account, scope, audience, from, valid)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	sign := func(method jwt.SigningMethod, key any, c jwt.MapClaims) string {
		text, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	full := func() jwt.MapClaims {
		return jwt.MapClaims{"sub": "alice", "scope": "discover", "aud": "kith", "exp": now.Add(time.Hour).Unix()}
	}
	without := func(claim string) jwt.MapClaims {
		c := full()
		delete(c, claim)
		return c
	}
	with := func(claim string, value any) jwt.MapClaims {
		c := full()
		c[claim] = value
		return c
	}
	critical := func() string {
		t := jwt.NewWithClaims(jwt.SigningMethodES256, full())
		t.Header["crit"] = []string{"b64"}
		text, err := t.SignedString(ecKey)
		if err != nil {
			panic(err)
		}
		return text
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384Key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := mint(ed, "alice", "discover", "kith", now, time.Hour)
	parts := strings.Split(good, ".")
	edPublic := []byte(ed.Public().(ed25519.PublicKey))

	tests := []struct {
		name  string
		token string
		want  error
	}{
		{"EdDSA", good, nil},
		{"ES256", mint(ec, "alice", "discover", "kith", now, time.Hour), nil},
		{"several scopes", mint(ed, "alice", "register discover", "kith", now, time.Hour), nil},
		{"clocks 20 s apart", mint(ed, "alice", "discover", "kith", now.Add(20*time.Second), time.Hour), nil},
		{"no kid", sign(jwt.SigningMethodES256, ecKey, full()), nil},
		{"several audiences", sign(jwt.SigningMethodES256, ecKey, with("aud", []string{"x", "kith"})), nil},
		{"another scope", mint(ed, "alice", "register", "kith", now, time.Hour), token.ErrScope},
		{"scope as a part of a word", mint(ed, "alice", "discovery", "kith", now, time.Hour), token.ErrScope},
		{"no scope", sign(jwt.SigningMethodES256, ecKey, without("scope")), token.ErrScope},
		{"unknown key", mint(other, "alice", "discover", "kith", now, time.Hour), token.ErrToken},
		{"another audience", mint(ed, "alice", "discover", "sibling", now, time.Hour), token.ErrToken},
		{"no audience", sign(jwt.SigningMethodES256, ecKey, without("aud")), token.ErrToken},
		{"expired", mint(ed, "alice", "discover", "kith", now.Add(-2*time.Hour), time.Hour), token.ErrToken},
		{"no expiry", sign(jwt.SigningMethodES256, ecKey, without("exp")), token.ErrToken},
		{"expiry as text", sign(jwt.SigningMethodES256, ecKey, with("exp", "never")), token.ErrToken},
		{"not yet valid", sign(jwt.SigningMethodES256, ecKey, with("nbf", now.Add(time.Hour).Unix())), token.ErrToken},
		{"issued in the future", mint(ed, "alice", "discover", "kith", now.Add(time.Hour), time.Hour), token.ErrToken},
		{"no subject", sign(jwt.SigningMethodES256, ecKey, without("sub")), token.ErrToken},
		{"endless subject", sign(jwt.SigningMethodES256, ecKey, with("sub", strings.Repeat("a", 257))), token.ErrToken},
		{"none", sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, full()), token.ErrToken},
		{"HS256 under the public key", sign(jwt.SigningMethodHS256, edPublic, full()), token.ErrToken},
		{"RS256", sign(jwt.SigningMethodRS256, rsaKey, full()), token.ErrToken},
		{"PS256", sign(jwt.SigningMethodPS256, rsaKey, full()), token.ErrToken},
		{"ES384", sign(jwt.SigningMethodES384, p384Key, full()), token.ErrToken},
		{"an extension that must be understood", critical(), token.ErrToken},
		{"signature cut off", parts[0] + "." + parts[1] + ".", token.ErrToken},
		{"two parts", parts[0] + "." + parts[1], token.ErrToken},
		{"claims of another token", parts[0] + "." + base64.RawURLEncoding.EncodeToString(
			[]byte(`{"sub":"mallory","scope":"discover","aud":"kith","exp":9999999999}`)) + "." + parts[2], token.ErrToken},
		{"empty", "", token.ErrToken},
		{"too long", strings.Repeat("a", 1<<20), token.ErrToken},
		{"not a token", "discover", token.ErrToken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			account, err := v.Verify(test.token, token.ScopeDiscover)
			if err != test.want {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if (err == nil) != (account == "alice") {
				t.Errorf("got account %q with error %v", account, err)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	ed := newSigner(t)
	ec, _ := p256(t)
	private, err := ed.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	public, err := ec.MarshalPublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.ParsePublicKeys(append(public, private...))
	if err != nil || len(keys) != 2 {
		t.Fatalf("got %d keys, %v, want 2", len(keys), err)
	}
	if _, err := token.NewVerifier("kith", keys...); err != nil {
		t.Errorf("NewVerifier: %v", err)
	}

	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384DER, err := x509.MarshalPKIXPublicKey(&p384.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"empty":            nil,
		"not PEM":          []byte("ssh-ed25519 AAAA"),
		"not a key":        pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}),
		"certificate":      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p384DER}),
		"P-384":            pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p384DER}),
		"broken private":   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}),
		"one bad of two":   append(append([]byte(nil), public...), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p384DER})...),
		"second is no key": append(append([]byte(nil), public...), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY"})...),
	} {
		if _, err := token.ParsePublicKeys(text); !errors.Is(err, token.ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", name, err)
		}
	}
	if _, err := token.NewVerifier("kith"); !errors.Is(err, token.ErrKey) {
		t.Errorf("verifier without keys: got %v, want ErrKey", err)
	}
	if got := fmt.Sprintf("%v %#v", ed, ed); strings.ContainsAny(got, "0123456789") {
		t.Errorf("a signer printed %q", got)
	}
}
