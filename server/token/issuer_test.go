package token_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kith-project/kith/server/token"
)

// fixed returns keys of signers, as from PEM.
func fixed(t testing.TB, signers ...*token.Signer) *token.Keys {
	t.Helper()
	var public []any
	for _, s := range signers {
		public = append(public, s.Public())
	}
	keys, err := token.FixedKeys(public...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newVerifier(t testing.TB, c token.Config) *token.Verifier {
	t.Helper()
	v, err := token.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mint(t testing.TB, s *token.Signer, scope, audience string) string {
	t.Helper()
	text, err := s.Mint("alice", scope, audience, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// forge makes a token of a header and claims as they are given, signed with a key by a method.
func forge(t testing.TB, method jwt.SigningMethod, key any, header, claims string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := method.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestIssuers(t *testing.T) {
	devices, service, others := newSigner(t), newSigner(t), newSigner(t)
	v := newVerifier(t, token.Config{Issuers: []token.Issuer{
		{Name: "devices", Keys: fixed(t, devices), Scopes: []string{token.ScopeDiscover}},
		{Name: "service", Keys: fixed(t, service), Scopes: []string{token.ScopeRegister, token.ScopeOperate}, Audience: "kith-internal"},
		{Keys: fixed(t, others)},
	}})
	tests := []struct {
		name   string
		token  string
		scope  string
		result error
	}{
		{"its own", mint(t, devices.WithIssuer("devices"), "discover", "kith"), token.ScopeDiscover, nil},
		{"another issuer, its own", mint(t, service.WithIssuer("service"), "register", "kith-internal"), token.ScopeRegister, nil},
		{"a scope that the issuer may not give", mint(t, devices.WithIssuer("devices"), "discover operate", "kith"), token.ScopeOperate, token.ErrScope},
		{"beside it, one that it may", mint(t, devices.WithIssuer("devices"), "discover operate", "kith"), token.ScopeDiscover, nil},
		{"the name of another", mint(t, devices.WithIssuer("service"), "register", "kith-internal"), token.ScopeRegister, token.ErrToken},
		{"the keys of any under the name of one", mint(t, others.WithIssuer("devices"), "discover", "kith"), token.ScopeDiscover, token.ErrToken},
		{"the keys of one without a name", mint(t, devices, "discover", "kith"), token.ScopeDiscover, token.ErrToken},
		{"the audience of another", mint(t, service.WithIssuer("service"), "register", "kith"), token.ScopeRegister, token.ErrToken},
		{"any, without a name", mint(t, others, "operate", "kith"), token.ScopeOperate, nil},
		{"any, under some name", mint(t, others.WithIssuer("x"), "register", "kith"), token.ScopeRegister, nil},
		{"a name in other case", mint(t, devices.WithIssuer("Devices"), "discover", "kith"), token.ScopeDiscover, token.ErrToken},
	}
	for _, test := range tests {
		if _, err := v.Verify(test.token, test.scope); err != test.result {
			t.Errorf("%s: got %v, want %v", test.name, err, test.result)
		}
	}

	named := newVerifier(t, token.Config{Issuers: []token.Issuer{{Name: "devices", Keys: fixed(t, devices)}}})
	for _, name := range []string{"", "other"} {
		if _, err := named.Verify(mint(t, devices.WithIssuer(name), "discover", "kith"), token.ScopeDiscover); err != token.ErrToken {
			t.Errorf("issuer %q where only another is known: got %v, want ErrToken", name, err)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	keys := fixed(t, newSigner(t))
	one := []token.Issuer{{Keys: keys}}
	for name, test := range map[string]struct {
		config token.Config
		want   error
	}{
		"no issuer":         {token.Config{}, token.ErrIssuers},
		"no keys":           {token.Config{Issuers: []token.Issuer{{Name: "x"}}}, token.ErrIssuers},
		"two of one name":   {token.Config{Issuers: []token.Issuer{{Name: "x", Keys: keys}, {Name: "x", Keys: keys}}}, token.ErrIssuers},
		"two without name":  {token.Config{Issuers: []token.Issuer{{Keys: keys}, {Keys: keys}}}, token.ErrIssuers},
		"misspelt scope":    {token.Config{Issuers: []token.Issuer{{Keys: keys, Scopes: []string{"discovery"}}}}, token.ErrIssuers},
		"negative leeway":   {token.Config{Issuers: one, Leeway: -time.Second}, token.ErrLeeway},
		"an hour of leeway": {token.Config{Issuers: one, Leeway: time.Hour}, token.ErrLeeway},
		"five minutes":      {token.Config{Issuers: one, Leeway: 5 * time.Minute}, nil},
	} {
		if _, err := token.New(test.config); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

func TestLeeway(t *testing.T) {
	ec, key := p256(t)
	for _, leeway := range []time.Duration{0, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: fixed(t, ec)}}, Leeway: leeway})
			want := leeway
			if want == 0 {
				want = 30 * time.Second
			}
			start := time.Now()
			at := func(claim string, d time.Duration) string {
				return forge(t, jwt.SigningMethodES256, key, `{"alg":"ES256"}`, fmt.Sprintf(
					`{"sub":"alice","scope":"discover","aud":"kith","exp":%d,%q:%d}`,
					start.Add(time.Hour).Unix(), claim, start.Add(d).Unix()))
			}
			expiring := forge(t, jwt.SigningMethodES256, key, `{"alg":"ES256"}`,
				fmt.Sprintf(`{"sub":"alice","scope":"discover","aud":"kith","exp":%d}`, start.Add(time.Minute).Unix()))
			starting, issued := at("nbf", time.Minute), at("iat", time.Minute)
			check := func(when, name, text string, want error) {
				t.Helper()
				if _, err := v.Verify(text, token.ScopeDiscover); err != want {
					t.Errorf("leeway %v, %s, %s: got %v, want %v", leeway, when, name, err, want)
				}
			}
			check("at first", "exp", expiring, nil)
			time.Sleep(time.Minute - want - time.Nanosecond)
			check("just too early", "nbf", starting, token.ErrToken)
			check("just too early", "iat", issued, token.ErrToken)
			time.Sleep(time.Nanosecond)
			check("within leeway", "nbf", starting, nil)
			check("within leeway", "iat", issued, nil)
			time.Sleep(2*want - time.Nanosecond)
			check("within leeway", "exp", expiring, nil)
			time.Sleep(time.Nanosecond)
			check("after it", "exp", expiring, token.ErrToken)
			check("after it", "nbf", starting, nil)
		})
	}
}

// TestOneAnswerForBadTokens compares the errors themselves, and their text: nothing tells what was wrong.
func TestOneAnswerForBadTokens(t *testing.T) {
	ed, other := newSigner(t), newSigner(t)
	ec, ecKey := p256(t)
	v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Name: "devices", Keys: fixed(t, ed, ec)}}})
	const claims = `{"iss":"devices","sub":"alice","scope":"discover","aud":"kith","exp":9999999999}`
	sign := func(header, claims string) string { return forge(t, jwt.SigningMethodES256, ecKey, header, claims) }
	if _, err := v.Verify(sign(`{"alg":"ES256"}`, claims), token.ScopeDiscover); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	with := func(old, new string) string { return sign(`{"alg":"ES256"}`, strings.Replace(claims, old, new, 1)) }
	good := sign(`{"alg":"ES256"}`, claims)
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	signature := good[strings.LastIndex(good, ".")+1:]
	zeros := base64.RawURLEncoding.EncodeToString(make([]byte, 64))

	for name, text := range map[string]string{
		"unknown key":                           mint(t, other.WithIssuer("devices"), "discover", "kith"),
		"unknown issuer":                        mint(t, ed.WithIssuer("x"), "discover", "kith"),
		"claim twice":                           with(`"sub":"alice"`, `"sub":"alice","sub":"bob"`),
		"claim twice by escape":                 with(`"sub":"alice"`, `"sub":"alice","s\u0075b":"bob"`),
		"unknown claim twice":                   with(`"sub":"alice"`, `"sub":"alice","x":1,"x":1`),
		"subject in capitals":                   with(`"sub"`, `"SUB"`),
		"claims deep":                           with(`"sub":"alice"`, `"sub":"alice","x":`+nested(8)),
		"claims very deep":                      with(`"sub":"alice"`, `"sub":"alice","x":`+nested(2000)),
		"claims an array":                       sign(`{"alg":"ES256"}`, `[`+claims+`]`),
		"claims null":                           sign(`{"alg":"ES256"}`, `null`),
		"claims a string":                       sign(`{"alg":"ES256"}`, `"alice"`),
		"claims empty":                          sign(`{"alg":"ES256"}`, ``),
		"claims and more":                       sign(`{"alg":"ES256"}`, claims+`{}`),
		"claims not UTF-8":                      with(`alice`, "al\xffce"),
		"not UTF-8 in a claim that is not read": with(`"exp"`, "\"x\":\"\xff\",\"exp\""),
		"half a character":                      with(`alice`, `al\ud800ce`),
		"subject a number":                      with(`"alice"`, `1`),
		"subject an object":                     with(`"alice"`, `{"a":1}`),
		"scope an array":                        with(`"discover"`, `["discover"]`),
		"expiry a string":                       with(`9999999999`, `"9999999999"`),
		"expiry null":                           with(`9999999999`, `null`),
		"expiry beyond calendars":               with(`9999999999`, `1e300`),
		"expiry beyond floats":                  with(`9999999999`, `1e999`),
		"start beyond calendars":                with(`"exp"`, `"nbf":1e300,"exp"`),
		"issued before time":                    with(`"exp"`, `"iat":-1,"exp"`),
		"good but for its length":               with(`"exp"`, `"x":"`+strings.Repeat("a", 6000)+`","exp"`),
		"expiry before time":                    with(`9999999999`, `-1`),
		"audience a number":                     with(`"kith"`, `7`),
		"audience empty":                        with(`"kith"`, `[]`),
		"header twice alg":                      sign(`{"alg":"none","alg":"ES256"}`, claims),
		"header deep":                           sign(`{"alg":"ES256","x":`+nested(8)+`}`, claims),
		"header an array":                       sign(`["ES256"]`, claims),
		"header null":                           sign(`null`, claims),
		"header without alg":                    sign(`{}`, claims),
		"alg a number":                          sign(`{"alg":1}`, claims),
		"alg none, signed":                      sign(`{"alg":"none"}`, claims),
		"alg in other case":                     sign(`{"alg":"es256"}`, claims),
		"alg empty":                             sign(`{"alg":""}`, claims),
		"alg of the other key":                  sign(`{"alg":"EdDSA"}`, claims),
		"kid a number":                          sign(`{"alg":"ES256","kid":1}`, claims),
		"kid null":                              sign(`{"alg":"ES256","kid":null}`, claims),
		"critical":                              sign(`{"alg":"ES256","crit":["exp"],"exp":1}`, claims),
		"signature of zeros":                    strings.TrimSuffix(good, signature) + zeros,
		"signature in DER":                      strings.TrimSuffix(good, signature) + "MAYCAQECAQE",
		"signature longer":                      good + "AAAA",
		"base64 padded":                         good + "==",
		"base64 not canonical":                  good[:len(good)-1] + string(good[len(good)-1]+1),
		"line feed":                             good[:10] + "\n" + good[10:],
		"four parts":                            good + "." + signature,
		"one part":                              "eyJhbGciOiJFUzI1NiJ9",
		"dots":                                  strings.Repeat(".", 8192),
		"one byte over 8 KiB":                   strings.Repeat("a", 8193),
		"8 KiB":                                 strings.Repeat("a", 8192),
		"encrypted":                             "eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA",
		"none without a signature":              forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":"none"}`, claims),
		"None":                                  forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":"None"}`, claims),
		"ES256 without a signature":             forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":"ES256"}`, claims),
		"EdDSA without a signature":             forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":"EdDSA"}`, claims),
		"null bytes for EdDSA":                  strings.TrimSuffix(sign(`{"alg":"EdDSA"}`, claims), signature) + zeros,
		"a key of its own in the header":        ownKey(t, claims),
		"a link to a key in the header":         sign(`{"alg":"EdDSA","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/"}`, claims),
		"HS256 under a public key in PEM":       hs256(t, ec, claims),
	} {
		account, err := v.Verify(text, token.ScopeDiscover)
		if err != token.ErrToken || account != "" {
			t.Errorf("%s: got %q, %v; want ErrToken itself", name, account, err)
		}
	}
}

// ownKey returns a token that brings the key that it is signed with.
func ownKey(t *testing.T, claims string) string {
	t.Helper()
	signer, key := p256(t)
	set, err := signer.MarshalKeySet()
	if err != nil {
		t.Fatal(err)
	}
	jwk := strings.TrimSuffix(strings.TrimPrefix(string(set), `{"keys":[`), `]}`)
	return forge(t, jwt.SigningMethodES256, key, `{"alg":"ES256","jwk":`+jwk+`}`, claims)
}

func hs256(t *testing.T, s *token.Signer, claims string) string {
	t.Helper()
	public, err := s.MarshalPublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	return forge(t, jwt.SigningMethodHS256, public, `{"alg":"HS256"}`, claims)
}

// TestBoundsAllow has claims just as deep and nearly as long as is allowed, and brackets that are none.
func TestBoundsAllow(t *testing.T) {
	ec, key := p256(t)
	v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: fixed(t, ec)}}})
	for _, extra := range []string{`[[[[[[[]]]]]]]`, `{"a":[{"b":[{"c":[{}]}]}]}`, `"[[[[[[[[[[[[[[[["`, `"\"[[[[[[[[[[[["`, `"\\"`, `"` + strings.Repeat("a", 5900) + `"`} {
		text := forge(t, jwt.SigningMethodES256, key, `{"alg":"ES256"}`,
			`{"sub":"alice","scope":"discover","aud":"kith","exp":9999999999,"x":`+extra+`}`)
		if _, err := v.Verify(text, token.ScopeDiscover); err != nil {
			t.Errorf("%s: got %v", extra, err)
		}
	}
}

func TestRunOfFixedKeysEnds(t *testing.T) {
	v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: fixed(t, newSigner(t))}}})
	v.Run(context.Background())
}

// BenchmarkVerify verifies tokens for the first time, but for one that it has seen before.
func BenchmarkVerify(b *testing.B) {
	ed := newSigner(b)
	ec, _ := p256(b)
	known := mint(b, ed, "discover", "kith")
	long := strings.Repeat("a", 1100) // longer than what is remembered
	for _, bench := range []struct {
		name, token string
		want        error
	}{
		{"EdDSA", mint(b, ed, "discover "+long, "kith"), nil},
		{"ES256", mint(b, ec, "discover "+long, "kith"), nil},
		{"seen before", known, nil},
		{"unknown key", mint(b, newSigner(b), "discover", "kith"), token.ErrToken},
		{"8 KiB of brackets", base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 6100))), token.ErrToken},
	} {
		b.Run(bench.name, func(b *testing.B) {
			v := newVerifier(b, token.Config{Issuers: []token.Issuer{{Keys: fixed(b, ed, ec)}}})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(bench.token, token.ScopeDiscover); err != bench.want {
					b.Fatal(err)
				}
			}
		})
	}
}
