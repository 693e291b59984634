package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server"
)

// evaluationAnswer is the answer in JSON as docs/protocol.md has it.
type evaluationAnswer struct {
	Epoch    uint32   `json:"epoch"`
	Elements []string `json:"elements"`
	Proof    string   `json:"proof"`
}

// packed returns the answer as it would be packed.
func (e evaluationAnswer) packed(t testing.TB) []byte {
	t.Helper()
	var out []byte
	for _, text := range append(e.Elements, e.Proof) {
		b, err := base64url.DecodeString(text)
		must(t, err)
		out = append(out, b...)
	}
	return out
}

func TestEvaluationsInJSONAndPacked(t *testing.T) {
	s := newStack(t)
	bearer := s.mint(t, "alice", "discover")
	batch := blind(t, "+14155552671", "+14155552672", "+14155552671")

	packed := s.send(t, call{method: "POST", path: evaluationsPath, token: bearer, mime: mimePacked, body: batch.packed})
	if packed.status != 200 || packed.header.Get("Content-Type") != mimePacked || packed.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v, want 200 %s that is not cached", packed.status, packed.header, mimePacked)
	}
	fromPacked := batch.unblind(t, s.publicKey(t), packed.body)

	body := encodeJSON(t, map[string]any{"elements": batch.elements()})
	var got evaluationAnswer
	decode(t, s.send(t, call{method: "POST", path: evaluationsPath, token: bearer, mime: mimeJSON + "; charset=utf-8", body: body, chunked: true}), &got)
	fromJSON := batch.unblind(t, s.publicKey(t), got.packed(t))

	if got.Epoch != 1 {
		t.Errorf("got epoch %d, want 1", got.Epoch)
	}
	for i := range fromPacked {
		if fromPacked[i].tag != fromJSON[i].tag {
			t.Errorf("element %d: another tag by JSON than packed", i)
		}
	}
	if fromPacked[0].tag != fromPacked[2].tag || fromPacked[0].tag == fromPacked[1].tag {
		t.Error("tags do not follow the numbers")
	}
	again := blind(t, "+14155552671")
	a := s.send(t, call{method: "POST", path: evaluationsPath, token: bearer, mime: mimePacked, body: again.packed})
	if c := again.unblind(t, s.publicKey(t), a.body); c[0].tag != fromPacked[0].tag {
		t.Error("under another blind the same number has another tag")
	}
}

func TestEvaluationsOfAFullBatch(t *testing.T) {
	s := newStack(t, func(c *server.Config) { c.Limits.MaxElements = 3 })
	s.discover(t, "alice", "+14155552671", "+14155552672", "+14155552673")
}

func TestIdempotencyKey(t *testing.T) {
	s := newStack(t)
	alice, bob := s.mint(t, "alice", "discover"), s.mint(t, "bob", "discover")
	first, second := blind(t, "+14155552671", "+14155552672"), blind(t, "+14155552673")
	inJSON := encodeJSON(t, map[string]any{"elements": first.elements()})
	steps := []struct {
		name    string
		token   string
		key     string
		mime    string
		body    []byte
		status  int
		charged int64 // of alice afterwards
	}{
		{"first", alice, "k1", mimePacked, first.packed, 200, 2},
		{"again", alice, "k1", mimePacked, first.packed, 200, 2},
		{"again in JSON", alice, "k1", mimeJSON, inJSON, 200, 2},
		{"another body", alice, "k1", mimePacked, second.packed, 422, 2},
		{"another account", bob, "k1", mimePacked, second.packed, 200, 2},
		{"another key", alice, "k2", mimePacked, first.packed, 200, 4},
		{"no key", alice, "", mimePacked, second.packed, 200, 5},
		{"no key again", alice, "", mimePacked, second.packed, 200, 6},
		{"the longest key", alice, strings.Repeat("k", 128), mimePacked, second.packed, 200, 7},
		{"a key too long", alice, strings.Repeat("k", 129), mimePacked, second.packed, 400, 7},
	}
	snapshot, err := s.keys.Current()
	must(t, err)
	for _, step := range steps {
		c := call{method: "POST", path: evaluationsPath, token: step.token, mime: step.mime, body: step.body, header: http.Header{}}
		if step.key != "" {
			c.header.Set("Idempotency-Key", step.key)
		}
		a := s.send(t, c)
		if a.status != step.status {
			t.Errorf("%s: got %d %s, want %d", step.name, a.status, a.body, step.status)
		}
		switch step.status {
		case 422:
			wantProblem(t, a, 422, "idempotency-key-reused", step.key+`"`)
		case 400:
			wantProblem(t, a, 400, "malformed", step.key)
		}
		if got, err := s.ledger.Charged(context.Background(), snapshot.AccountKey, "alice", 1); err != nil || got != step.charged {
			t.Errorf("%s: alice has been charged %d, %v, want %d", step.name, got, err, step.charged)
		}
	}
}

func TestEvaluationsRefuseTokens(t *testing.T) {
	s := newStack(t)
	good := s.mint(t, "alice-of-the-test", "discover")
	expired, err := s.signer.Mint("alice-of-the-test", "discover", "kith", time.Now().Add(-2*time.Hour), time.Hour)
	must(t, err)
	none := base64url.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good, ".")[1] + "."
	body := blind(t, "+14155552671").packed
	tests := []struct {
		name          string
		authorization []string
		status        int
		code          string
	}{
		{"none", nil, 401, "unauthorized"},
		{"empty", []string{""}, 401, "unauthorized"},
		{"scheme alone", []string{"Bearer"}, 401, "unauthorized"},
		{"wrong scheme", []string{"Basic " + good}, 401, "unauthorized"},
		{"no scheme", []string{good}, 401, "unauthorized"},
		{"expired", []string{"Bearer " + expired}, 401, "unauthorized"},
		{"alg none", []string{"Bearer " + none}, 401, "unauthorized"},
		{"signature cut", []string{"Bearer " + good[:len(good)-4]}, 401, "unauthorized"},
		{"wrong scope", []string{"Bearer " + s.mint(t, "alice-of-the-test", "register")}, 403, "forbidden"},
		{"other words for it", []string{"bearer  " + good}, 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := call{method: "POST", path: evaluationsPath, mime: mimePacked, body: body, header: http.Header{}}
			if test.authorization != nil {
				c.header["Authorization"] = test.authorization
			}
			a := s.send(t, c)
			if test.status == 200 {
				if a.status != 200 {
					t.Errorf("got %d %s, want 200", a.status, a.body)
				}
				return
			}
			wantProblem(t, a, test.status, test.code, good[10:60], "alice-of-the-test")
			if got := a.header.Get("WWW-Authenticate"); (got == `Bearer realm="kith"`) != (test.status == 401) {
				t.Errorf("status %d with WWW-Authenticate %q", test.status, got)
			}
		})
	}
	wantNone(t, "the log", s.log.String(), "alice-of-the-test", good[10:60])
}

func TestEvaluationsRefuseBodies(t *testing.T) {
	s := newStack(t, func(c *server.Config) { c.Limits.MaxElements = 4 })
	bearer := s.mint(t, "alice", "discover")
	element := blind(t, "+14155552671").packed
	five := bytes.Repeat(element, 5)
	identity := make([]byte, voprf.ElementSize)
	notCanonical := bytes.Repeat([]byte{0xff}, voprf.ElementSize)
	object := func(elements ...string) []byte { return encodeJSON(t, map[string]any{"elements": elements}) }
	text := base64url.EncodeToString(element)
	// An element whose text differs between the alphabets.
	odd := bytes.Repeat([]byte{0xfb}, voprf.ElementSize)
	tests := []struct {
		name    string
		mime    string
		body    []byte
		chunked bool
		status  int
		code    string
	}{
		{"empty", mimePacked, []byte{}, false, 400, "malformed"},
		{"empty list", mimeJSON, object(), false, 400, "malformed"},
		{"null list", mimeJSON, []byte(`{"elements":null}`), false, 400, "malformed"},
		{"one byte short", mimePacked, element[1:], false, 400, "malformed"},
		{"one byte long", mimePacked, append([]byte{1}, element...), false, 400, "malformed"},
		{"one too many", mimePacked, five, false, 413, "too-many-elements"},
		{"one too many, chunked", mimePacked, five, true, 413, "too-many-elements"},
		{"one byte too many", mimePacked, five[:4*32+1], false, 413, "too-many-elements"},
		{"a megabyte, chunked", mimePacked, make([]byte, 1<<20), true, 413, "too-many-elements"},
		{"one too many in JSON", mimeJSON, object(text, text, text, text, text), false, 413, "too-many-elements"},
		{"a megabyte of JSON", mimeJSON, bytes.Repeat([]byte(" "), 1<<20), false, 413, "too-many-elements"},
		{"a megabyte of JSON, chunked", mimeJSON, bytes.Repeat([]byte(" "), 1<<20), true, 413, "too-many-elements"},
		{"not canonical", mimePacked, append(element[:32:32], notCanonical...), false, 400, "invalid-element"},
		{"identity", mimePacked, append(element[:32:32], identity...), false, 400, "invalid-element"},
		{"identity in JSON", mimeJSON, object(text, base64url.EncodeToString(identity)), false, 400, "invalid-element"},
		{"too short in JSON", mimeJSON, object(base64url.EncodeToString(element[1:])), false, 400, "malformed"},
		{"too long in JSON", mimeJSON, object(base64url.EncodeToString(five[:33])), false, 400, "malformed"},
		{"nothing in JSON", mimeJSON, object(""), false, 400, "malformed"},
		{"null in JSON", mimeJSON, []byte(`{"elements":[null]}`), false, 400, "malformed"},
		{"padded", mimeJSON, object(text + "="), false, 400, "malformed"},
		{"standard alphabet", mimeJSON, object(base64.RawStdEncoding.EncodeToString(odd)), false, 400, "malformed"},
		{"line break in base64", mimeJSON, object(text[:20] + "\n" + text[20:]), false, 400, "malformed"},
		{"bits after the end", mimeJSON, object(text[:42] + nextLetter(text[42])), false, 400, "malformed"},
		{"unknown member", mimeJSON, []byte(`{"elements":["` + text + `"],"secretword":1}`), false, 400, "malformed"},
		{"other member", mimeJSON, []byte(`{"secretword":["` + text + `"]}`), false, 400, "malformed"},
		{"other letters", mimeJSON, []byte(`{"Elements":["` + text + `"]}`), false, 400, "malformed"},
		{"member twice", mimeJSON, []byte(`{"elements":["secretword"],"elements":["` + text + `"]}`), false, 400, "malformed"},
		{"no member", mimeJSON, []byte(`{}`), false, 400, "malformed"},
		{"wrong type of list", mimeJSON, []byte(`{"elements":"secretword"}`), false, 400, "malformed"},
		{"wrong type of element", mimeJSON, []byte(`{"elements":[1]}`), false, 400, "malformed"},
		{"not an object", mimeJSON, []byte(`["secretword"]`), false, 400, "malformed"},
		{"null", mimeJSON, []byte(`null`), false, 400, "malformed"},
		{"something after", mimeJSON, append(object(text), `{"secretword":1}`...), false, 400, "malformed"},
		{"cut off", mimeJSON, object(text)[:30], false, 400, "malformed"},
		{"not JSON", mimeJSON, []byte(`secretword`), false, 400, "malformed"},
		{"nothing", mimeJSON, []byte{}, false, 400, "malformed"},
		{"not UTF-8", mimeJSON, []byte("{\"elements\":[\"\xff\"]}"), false, 400, "malformed"},
		{"no media type", "", element, false, 415, "unsupported-media-type"},
		{"another media type", "text/secretword", element, false, 415, "unsupported-media-type"},
		{"not a media type", "secretword;;", element, false, 415, "unsupported-media-type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := s.send(t, call{method: "POST", path: evaluationsPath, token: bearer, mime: test.mime, body: test.body, chunked: test.chunked})
			p := wantProblem(t, a, test.status, test.code, "secretword", text)
			if test.code == "too-many-elements" && p.Limit != 4 {
				t.Errorf("got limit %d, want 4", p.Limit)
			}
		})
	}
	t.Run("compressed", func(t *testing.T) {
		a := s.send(t, call{
			method: "POST", path: evaluationsPath, token: bearer, mime: mimePacked, body: element,
			header: http.Header{"Content-Encoding": {"gzip"}},
		})
		wantProblem(t, a, 415, "unsupported-media-type")
	})
	wantNone(t, "the log", s.log.String(), "secretword", text)
}

// TestRefusedWithoutReading shows that a body whose length is declared too large is not read, and that the connection of
// one whose length is not is closed rather than drained.
func TestRefusedWithoutReading(t *testing.T) {
	s := newStack(t, func(c *server.Config) { c.Limits.MaxElements = 1 })
	for _, chunked := range []bool{false, true} {
		a := s.send(t, call{
			method: "POST", path: evaluationsPath, token: s.mint(t, "alice", "discover"), mime: mimePacked,
			body: make([]byte, 1<<16), chunked: chunked,
		})
		wantProblem(t, a, 413, "too-many-elements")
		if chunked && !a.closed {
			t.Error("the connection stays open")
		}
	}
	snapshot, err := s.keys.Current()
	must(t, err)
	if got, err := s.ledger.Charged(context.Background(), snapshot.AccountKey, "alice", 1); err != nil || got != 0 {
		t.Errorf("charged %d, %v for what was refused by its size", got, err)
	}
}

// nextLetter returns the letter of base64url after one, which differs in its lowest bit or more.
func nextLetter(c byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return fmt.Sprintf("%c", letters[(strings.IndexByte(letters, c)+1)%len(letters)])
}
