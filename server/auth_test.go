package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server/token"
)

// TestTwoCredentialsAreRefused has a request from which it can not be told whose it is.
func TestTwoCredentialsAreRefused(t *testing.T) {
	s := newStack(t)
	batch := blind(t, number).packed
	alice, bob := "Bearer "+s.mint(t, "alice", "discover"), "Bearer "+s.mint(t, "bob", "discover")
	for name, given := range map[string][]string{"one": {alice}, "two": {alice, bob}, "the same twice": {alice, alice}} {
		a := s.send(t, call{method: "POST", path: evaluationsPath, mime: mimePacked, body: batch, header: http.Header{"Authorization": given}})
		if len(given) == 1 {
			if a.status != http.StatusOK {
				t.Errorf("%s: got %d", name, a.status)
			}
			continue
		}
		wantProblem(t, a, 401, "unauthorized")
	}
}

// TestHeadWhereThereIsGet: RFC 9110, Section 9.1.
func TestHeadWhereThereIsGet(t *testing.T) {
	s := newStack(t)
	s.runLookups(t)
	m := s.waitManifest(t, 0)
	for _, path := range []string{"/v1/directory", snapshotPath, snapshotPath + "/" + m.Shards[0].ID, changesPath + "?since=" + m.ChangesSince} {
		get, head := s.send(t, call{method: "GET", path: path}), s.send(t, call{method: "HEAD", path: path})
		if head.status != http.StatusOK || len(head.body) != 0 || head.header.Get("Etag") != get.header.Get("Etag") {
			t.Errorf("HEAD %s: got %d with %d bytes, ETag %s", path, head.status, len(head.body), head.header.Get("Etag"))
		}
	}
}

// TestRefusalsOfTokensAreOne shows that nobody learns from an answer what is wrong with a token.
func TestRefusalsOfTokensAreOne(t *testing.T) {
	s := newStack(t)
	other, err := token.NewSigner()
	must(t, err)
	mint := func(signer *token.Signer, audience string, from time.Time) string {
		text, err := signer.Mint("alice", "discover", audience, from, time.Hour)
		must(t, err)
		return text
	}
	good := mint(s.signer, "kith", time.Now())
	var first string
	for name, text := range map[string]string{
		"none": "", "not one": "secretword", "expired": mint(s.signer, "kith", time.Now().Add(-2*time.Hour)), "cut": good[:len(good)-4],
		"not yet valid": mint(s.signer, "kith", time.Now().Add(2*time.Hour)), "other audience": mint(s.signer, "other", time.Now()),
		"other key": mint(other, "kith", time.Now()), "other issuer": mint(other.WithIssuer("other"), "kith", time.Now()), "too long": good + strings.Repeat("A", 9000),
	} {
		a := s.send(t, call{method: "GET", path: "/v1/quota", token: text})
		wantProblem(t, a, 401, "unauthorized")
		a.header.Del("X-Request-Id")
		a.header.Del("Date")
		got := fmt.Sprint(a.header, string(a.body))
		if first == "" {
			first = got
		}
		if got != first || a.header.Get("WWW-Authenticate") != `Bearer realm="kith"` {
			t.Errorf("%s: got %s, another bad token got %s", name, got, first)
		}
	}
}
