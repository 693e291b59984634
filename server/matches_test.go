package server_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server"
)

// matchAnswer is the answer in JSON as docs/protocol.md has it.
type matchAnswer struct {
	Matches []struct {
		Tag   string `json:"tag"`
		Label string `json:"label"`
	} `json:"matches"`
}

func TestMatches(t *testing.T) {
	s := newStack(t)
	const visible, hidden, deleted, unknown = "+14155552671", "+14155552672", "+14155552673", "+14155552674"
	s.put(t, registration{Number: visible, Label: "user-1"})
	s.put(t, registration{Number: hidden, Label: "user-2", Discoverable: new(false)})
	s.put(t, registration{Number: deleted, Label: "user-3"})
	s.delete(t, registration{Number: deleted})
	contacts := s.discover(t, "alice", visible, hidden, deleted, unknown)

	found := s.lookUp(t, contacts...)
	sealed, ok := found[contacts[0].tag]
	if len(found) != 1 || !ok {
		t.Fatalf("got %d matches, want the one that is visible", len(found))
	}
	if label, err := contacts[0].key.Open(contacts[0].tag, sealed); err != nil || label != "user-1" {
		t.Errorf("opened %q, %v, want user-1", label, err)
	}
	for _, other := range contacts[1:] {
		if _, err := other.key.Open(contacts[0].tag, sealed); err == nil {
			t.Error("a label opens with the key of another number")
		}
	}

	body := encodeJSON(t, map[string]any{"tags": split(packTags(contacts), crypto.TagSize)})
	a := s.send(t, call{method: "POST", path: matchesPath, mime: mimeJSON, body: body})
	var got matchAnswer
	decode(t, a, &got)
	if len(got.Matches) != 1 || got.Matches[0].Tag != base64url.EncodeToString(contacts[0].tag[:]) ||
		got.Matches[0].Label != base64url.EncodeToString(sealed[:]) {
		t.Errorf("got %s, want what the packed answer has", a.body)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
}

func TestNoMatches(t *testing.T) {
	s := newStack(t)
	tag := make([]byte, crypto.TagSize)
	body := encodeJSON(t, map[string]any{"tags": split(tag, crypto.TagSize)})
	if a := s.send(t, call{method: "POST", path: matchesPath, mime: mimeJSON, body: body}); string(a.body) != "{\"matches\":[]}\n" {
		t.Errorf("got %d %q, want an empty list", a.status, a.body)
	}
	if a := s.send(t, call{method: "POST", path: matchesPath, mime: mimePacked, body: tag}); a.status != 200 || len(a.body) != 0 {
		t.Errorf("packed: got %d %q, want an empty answer", a.status, a.body)
	}
}

func TestMatchesRefuse(t *testing.T) {
	s := newStack(t, func(c *server.Config) { c.Limits.MaxTags = 2 })
	tag := bytes.Repeat([]byte{0x5a}, crypto.TagSize)
	text := base64url.EncodeToString(tag)
	three := bytes.Repeat(tag, 3)
	tests := []struct {
		name   string
		mime   string
		body   []byte
		header http.Header
		status int
		code   string
	}{
		{"bearer token", mimePacked, tag, http.Header{"Authorization": {"Bearer " + s.mint(t, "alice", "discover")}}, 400, "credential-refused"},
		{"another credential", mimePacked, tag, http.Header{"Authorization": {"Basic eDp5"}}, 400, "credential-refused"},
		{"second credential", mimePacked, tag, http.Header{"Authorization": {"", "Bearer x"}}, 400, "credential-refused"},
		{"cookie", mimePacked, tag, http.Header{"Cookie": {"session=1"}}, 400, "credential-refused"},
		{"credential and no body", "", nil, http.Header{"Cookie": {"session=1"}}, 400, "credential-refused"},
		{"one too many", mimePacked, three, nil, 413, "too-many-tags"},
		{"one too many in JSON", mimeJSON, encodeJSON(t, map[string]any{"tags": split(three, 16)}), nil, 413, "too-many-tags"},
		{"empty", mimePacked, []byte{}, nil, 400, "malformed"},
		{"empty list", mimeJSON, []byte(`{"tags":[]}`), nil, 400, "malformed"},
		{"length", mimePacked, tag[1:], nil, 400, "malformed"},
		{"length in JSON", mimeJSON, []byte(`{"tags":["` + text[1:] + `"]}`), nil, 400, "malformed"},
		{"elements", mimeJSON, []byte(`{"elements":["` + text + `"]}`), nil, 400, "malformed"},
		{"media type", "text/plain", tag, nil, 415, "unsupported-media-type"},
		{"compressed", mimePacked, tag, http.Header{"Content-Encoding": {"br"}}, 415, "unsupported-media-type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := s.send(t, call{method: "POST", path: matchesPath, mime: test.mime, body: test.body, header: test.header})
			p := wantProblem(t, a, test.status, test.code, text, string(tag))
			if test.code == "too-many-tags" && p.Limit != 2 {
				t.Errorf("got limit %d, want 2", p.Limit)
			}
		})
	}
	for _, epoch := range []string{"2", "0", "x", "4294967296"} {
		a := s.send(t, call{method: "POST", path: "/v1/epochs/" + epoch + "/matches", mime: mimePacked, body: tag})
		wantProblem(t, a, 404, "unknown-epoch")
	}
}
