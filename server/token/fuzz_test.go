package token_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/token"
)

// textTransport answers every request with a text.
type textTransport string

func (s textTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(s))), Request: r}, nil
}

// FuzzKeySet has any text as an issuer's keys: it is refused, or has 1 to 32 keys, and no token of nobody's is valid.
func FuzzKeySet(f *testing.F) {
	_, ed := edKey(f, `,"kid":"1","use":"sig","alg":"EdDSA","key_ops":["verify"]`)
	stranger := newSigner(f)
	text := mint(f, stranger, "discover", "kith")
	pem, err := newSigner(f).MarshalPublicPEM()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{set(ed), set(rsaKey, octKey, ed), string(pem), `{"keys":[]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		keys, err := token.OpenKeys(context.Background(), token.KeysOptions{
			Location: "https://issuer.example/", Transport: textTransport(given),
		})
		if err != nil {
			return
		}
		if n := keys.State().Usable; n < 1 || n > 32 {
			t.Errorf("%d keys", n)
		}
		v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: keys}}})
		if _, err := v.Verify(text, token.ScopeDiscover); err != token.ErrToken {
			t.Errorf("a stranger's token: got %v, want ErrToken", err)
		}
	})
}

// FuzzVerify has any text as a token: only the one that was signed is valid, byte for byte, since an EdDSA signature and
// canonical base64 have one form.
func FuzzVerify(f *testing.F) {
	signer := newSigner(f)
	v := newVerifier(f, token.Config{Issuers: []token.Issuer{{Keys: fixed(f, signer)}}})
	good := mint(f, signer, "discover", "kith")
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.")
	f.Add("..")
	f.Add("eyJhbGciOiJFZERTQSIsImtpZCI6W119.e30.AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		account, err := v.Verify(text, token.ScopeDiscover)
		switch {
		case text == good && (err != nil || account != "alice"):
			t.Errorf("the good one: got %q, %v", account, err)
		case text != good && (err != token.ErrToken || account != ""):
			t.Errorf("got %q, %v; want ErrToken", account, err)
		}
	})
}
