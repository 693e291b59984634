package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kith-project/kith/server/token"
)

// open writes keys into a file and opens it.
func open(t testing.TB, text string) (*token.Keys, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return token.OpenKeys(context.Background(), token.KeysOptions{Location: path})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// edKey returns an Ed25519 key and its JSON Web Key, with more members as given.
func edKey(t testing.TB, more string) (ed25519.PrivateKey, string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q%s}`, encode(public), more)
}

// ecKey is edKey for a curve.
func ecKey(t testing.TB, curve elliptic.Curve, more string) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	n := len(point) / 2
	return key, fmt.Sprintf(`{"kty":"EC","crv":%q,"x":%q,"y":%q%s}`,
		curve.Params().Name, encode(point[1:1+n]), encode(point[1+n:]), more)
}

func set(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

const rsaKey = `{"kty":"RSA","kid":"r","alg":"RS256","use":"sig","e":"AQAB","n":"` +
	"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W" +
	`-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}`

const octKey = `{"kty":"oct","kid":"o","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`

// TestKeySets says for each entry beside a good key whether it is used.
func TestKeySets(t *testing.T) {
	_, good := edKey(t, `,"kid":"good"`)
	ed := func(more string) string { _, jwk := edKey(t, more); return jwk }
	ec := func(curve elliptic.Curve, more string) string { _, jwk := ecKey(t, curve, more); return jwk }
	swap := func(old, new string) string { return strings.Replace(ec(elliptic.P256(), `,"kid":"k"`), old, new, 1) }

	for name, test := range map[string]struct {
		entry string
		used  bool
	}{
		"Ed25519":                   {ed(`,"kid":"k","alg":"EdDSA","use":"sig","key_ops":["verify"]`), true},
		"Ed25519 as RFC 9864":       {ed(`,"kid":"k","alg":"Ed25519"`), true},
		"P-256":                     {ec(elliptic.P256(), `,"kid":"k","alg":"ES256"`), true},
		"without kid":               {ed(``), true},
		"with a certificate":        {ed(`,"kid":"k","x5c":["AAAA"],"x5u":"http://127.0.0.1:1/","x5t":"AA"`), true},
		"with unknown members":      {ed(`,"kid":"k","exp":1,"iat":{}`), true},
		"RSA":                       {rsaKey, false},
		"symmetric":                 {octKey, false},
		"symmetric in disguise":     {ed(`,"kid":"k","k":"AAAA"`), false},
		"P-384":                     {ec(elliptic.P384(), `,"kid":"k","alg":"ES384"`), false},
		"P-384 as P-256":            {strings.Replace(ec(elliptic.P384(), ``), "P-384", "P-256", 1), false},
		"secp256k1":                 {swap("P-256", "secp256k1"), false},
		"X25519":                    {strings.Replace(ed(``), "Ed25519", "X25519", 1), false},
		"Ed448":                     {strings.Replace(ed(``), "Ed25519", "Ed448", 1), false},
		"of a type to come":         {`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}`, false},
		"without a type":            {`{"kid":"k"}`, false},
		"for encryption":            {ed(`,"kid":"k","use":"enc"`), false},
		"for signing alone":         {ed(`,"kid":"k","key_ops":["sign"]`), false},
		"Ed25519 for ES256":         {ed(`,"kid":"k","alg":"ES256"`), false},
		"P-256 for EdDSA":           {ec(elliptic.P256(), `,"kid":"k","alg":"EdDSA"`), false},
		"P-256 for HS256":           {ec(elliptic.P256(), `,"kid":"k","alg":"HS256"`), false},
		"P-256 for key agreement":   {ec(elliptic.P256(), `,"kid":"k","alg":"ECDH-ES"`), false},
		"private Ed25519":           {ed(`,"kid":"k","d":"` + encode(make([]byte, 32)) + `"`), false},
		"private P-256":             {ec(elliptic.P256(), `,"kid":"k","d":"AQ"`), false},
		"a kid used before":         {ed(`,"kid":"good"`), false},
		"off the curve":             {fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, encode([]byte{1}), encode([]byte{1})), false},
		"at infinity":               {`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, false},
		"coordinate beyond p":       {fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":"AQ"}`, encode(elliptic.P256().Params().P.Bytes())), false},
		"huge coordinate":           {fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":"AQ"}`, encode(new(big.Int).Lsh(big.NewInt(1), 80000).Bytes())), false},
		"without y":                 {`{"kty":"EC","crv":"P-256","x":"AQ"}`, false},
		"31 bytes":                  {fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q}`, encode(make([]byte, 31))), false},
		"33 bytes":                  {fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q}`, encode(make([]byte, 33))), false},
		"32 zeros":                  {fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q}`, encode(make([]byte, 32))), false},
		"no base64":                 {`{"kty":"OKP","crv":"Ed25519","x":"***"}`, false},
		"kid a number":              {ed(`,"kid":7`), false},
		"a string":                  {`"key"`, false},
		"null":                      {`null`, false},
		"an array":                  {`[]`, false},
		"x a number":                {`{"kty":"OKP","crv":"Ed25519","x":1}`, false},
		"RSA with a huge modulus":   {`{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("_", 100_000) + `"}`, false},
		"RSA private and malformed": {`{"kty":"RSA","e":"AQAB","n":"AQ","d":"AQ","p":"AQ","q":"AQ","dp":"AQ","dq":"AQ","qi":"AQ"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := open(t, set(good, test.entry))
			if err != nil {
				t.Fatalf("beside a good key: %v", err)
			}
			want := token.KeysState{Usable: 1, Ignored: 1}
			if test.used {
				want = token.KeysState{Usable: 2}
			}
			if got := keys.State(); got.Usable != want.Usable || got.Ignored != want.Ignored {
				t.Errorf("got %d usable, %d ignored; want %d, %d", got.Usable, got.Ignored, want.Usable, want.Ignored)
			}
			_, err = open(t, set(test.entry))
			if alone := test.used || name == "a kid used before"; alone != (err == nil) || !alone && !errors.Is(err, token.ErrNoKey) {
				t.Errorf("alone: got %v, used %v", err, test.used)
			}
		})
	}
}

func TestKeySetsRefused(t *testing.T) {
	_, ed := edKey(t, ``)
	many := make([]string, 33)
	for i := range many {
		_, many[i] = edKey(t, fmt.Sprintf(`,"kid":"%d"`, i))
	}
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"32 keys":       {set(many[:32]...), nil},
		"33 keys":       {set(many...), token.ErrKeySet},
		"empty set":     {`{"keys":[]}`, token.ErrNoKey},
		"no set":        {`{}`, token.ErrKeySet},
		"null":          {`{"keys":null}`, token.ErrKeySet},
		"a key alone":   {ed, token.ErrKeySet},
		"a map of keys": {`{"keys":{"a":` + ed + `}}`, token.ErrKeySet},
		"cut off":       {set(ed)[:40], token.ErrKeySet},
		"two sets":      {set(ed) + set(ed), token.ErrKeySet},
		"very deep":     {`{"keys":[` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `]}`, token.ErrKeySet},
		"an array":      {`[` + ed + `]`, token.ErrKey},
		"a web page":    {`<!doctype html>`, token.ErrKey},
		"nothing":       {``, token.ErrKey},
		"257 KiB":       {set(ed) + strings.Repeat(" ", 256<<10), token.ErrUnreadable},
		"white before":  {"\n\t " + set(ed), nil},
		"rsa and oct":   {set(rsaKey, octKey), token.ErrNoKey},
		"certificates":  {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", token.ErrKey},
	} {
		if _, err := open(t, test.text); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}

	_, err := open(t, set(rsaKey, octKey, rsaKey))
	const want = "token: key set without an Ed25519 or P-256 key for signatures (1 symmetric, 2 of another type or curve)"
	if err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// TestKeyIDs says which key a kid leads to.
func TestKeyIDs(t *testing.T) {
	now := time.Now()
	ed1, jwk1 := edKey(t, `,"kid":"1"`)
	ed2, jwk2 := edKey(t, `,"kid":"2"`)
	ec3, jwk3 := ecKey(t, elliptic.P256(), `,"kid":"3"`)
	ed4, jwk4 := edKey(t, ``)
	keys, err := open(t, set(rsaKey, jwk1, jwk2, jwk3, jwk4, octKey))
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: keys}}})
	sign := func(method jwt.SigningMethod, key any, header string) string {
		return forge(t, method, key, `{"alg":"`+method.Alg()+`"`+header+`}`,
			fmt.Sprintf(`{"sub":"alice","scope":"discover","aud":"kith","exp":%d}`, now.Add(time.Hour).Unix()))
	}
	ed := jwt.SigningMethodEdDSA
	octBytes, err := base64.RawURLEncoding.DecodeString(strings.Split(octKey, `"`)[15])
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"its own":                    {sign(ed, ed1, `,"kid":"1"`), nil},
		"its own of another type":    {sign(jwt.SigningMethodES256, ec3, `,"kid":"3"`), nil},
		"another's":                  {sign(ed, ed1, `,"kid":"2"`), token.ErrToken},
		"another's of another type":  {sign(ed, ed1, `,"kid":"3"`), token.ErrToken},
		"unknown":                    {sign(ed, ed2, `,"kid":"5"`), token.ErrToken},
		"empty":                      {sign(ed, ed2, `,"kid":""`), token.ErrToken},
		"none":                       {sign(ed, ed2, ``), nil},
		"none, of a key without":     {sign(ed, ed4, ``), nil},
		"none, of another type":      {sign(jwt.SigningMethodES256, ec3, ``), nil},
		"of the RSA key":             {sign(ed, ed1, `,"kid":"r"`), token.ErrToken},
		"symmetric":                  {sign(jwt.SigningMethodHS256, octBytes, `,"kid":"o"`), token.ErrToken},
		"symmetric without a name":   {sign(jwt.SigningMethodHS256, octBytes, ``), token.ErrToken},
		"symmetric under a public":   {sign(jwt.SigningMethodHS256, []byte(ed1.Public().(ed25519.PublicKey)), `,"kid":"1"`), token.ErrToken},
		"symmetric under the set":    {sign(jwt.SigningMethodHS256, []byte(jwk1), `,"kid":"1"`), token.ErrToken},
		"symmetric, told to be Ed":   {forge(t, jwt.SigningMethodHS256, octBytes, `{"alg":"EdDSA","kid":"o"}`, `{"sub":"alice","scope":"discover","aud":"kith","exp":9999999999}`), token.ErrToken},
		"longer than any name there": {sign(ed, ed1, `,"kid":"`+strings.Repeat("1", 4000)+`"`), token.ErrToken},
	} {
		if _, err := v.Verify(test.token, token.ScopeDiscover); err != test.want {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}

	// Keys without names are tried whatever a token names: so are those of PEM.
	unnamed, err := open(t, set(jwk4))
	if err != nil {
		t.Fatal(err)
	}
	v = newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: unnamed}}})
	if _, err := v.Verify(sign(ed, ed4, `,"kid":"x"`), token.ScopeDiscover); err != nil {
		t.Errorf("a set without names: got %v", err)
	}
	if _, err := v.Verify(sign(ed, ed1, `,"kid":"x"`), token.ScopeDiscover); err != token.ErrToken {
		t.Errorf("a set without names, another key: got %v, want ErrToken", err)
	}
}

func TestSignerKeySet(t *testing.T) {
	ec, _ := p256(t)
	for _, s := range []*token.Signer{newSigner(t), ec} {
		text, err := s.MarshalKeySet()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"d"`) {
			t.Error("the set has the private half")
		}
		keys, err := open(t, string(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: keys}}})
		if _, err := v.Verify(mint(t, s, "discover", "kith"), token.ScopeDiscover); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestSmallOrderKeys shows that anyone can sign under such keys, and that they are refused.
func TestSmallOrderKeys(t *testing.T) {
	signature := make([]byte, ed25519.SignatureSize) // R the identity, S zero
	signature[0] = 1
	for _, text := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		forged := false
		for i := range 500 {
			forged = forged || ed25519.Verify(key, fmt.Append(nil, i), signature)
		}
		if !forged {
			t.Errorf("%s: nothing signed under it: is it of small order?", text)
		}
		if _, err := token.FixedKeys(ed25519.PublicKey(key)); !errors.Is(err, token.ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", text, err)
		}
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]any{
		"no curve": &ecdsa.PublicKey{}, "nil": (*ecdsa.PublicKey)(nil), "short": ed25519.PublicKey("x"), "private": p256,
	} {
		if _, err := token.FixedKeys(key); !errors.Is(err, token.ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", name, err)
		}
	}
}
