package server_test

import (
	"strings"
	"testing"
)

// registration is the body of PUT and DELETE /v1/registrations as docs/protocol.md has it.
type registration struct {
	Number       string `json:"number"`
	Label        string `json:"label,omitempty"`
	Version      uint64 `json:"version,omitempty"`
	Discoverable *bool  `json:"discoverable,omitempty"`
}

// put registers, and reports whether the write is the one that is stored.
func (s *stack) put(t testing.TB, r registration) bool { return s.write(t, "PUT", r) }

// delete removes, and reports whether the write is the one that is stored.
func (s *stack) delete(t testing.TB, r registration) bool { return s.write(t, "DELETE", r) }

func (s *stack) write(t testing.TB, method string, r registration) bool {
	t.Helper()
	a := s.register(t, method, string(encodeJSON(t, r)))
	applied := a.header.Get("Kith-Applied")
	if a.status != 204 || len(a.body) != 0 || (applied != "true" && applied != "false") {
		t.Fatalf("%s: got %d, Kith-Applied %q: %s", method, a.status, applied, a.body)
	}
	return applied == "true"
}

// register sends a body to /v1/registrations as the account service.
func (s *stack) register(t testing.TB, method, body string) answer {
	t.Helper()
	return s.send(t, call{method: method, path: registrationsPath, token: s.mint(t, "account-service", "register"), mime: mimeJSON, body: []byte(body)})
}

const number = "+14155552671"

func TestRegisteredHiddenAndDeletedAtOnce(t *testing.T) {
	s := newStack(t)
	steps := []struct {
		name   string
		method string
		body   registration
		want   string // the label found afterwards
	}{
		{"registered", "PUT", registration{Number: number, Label: "a"}, "a"},
		{"hidden", "PUT", registration{Number: number, Label: "a", Discoverable: new(false)}, ""},
		{"shown", "PUT", registration{Number: number, Label: "b", Discoverable: new(true)}, "b"},
		{"deleted", "DELETE", registration{Number: number}, ""},
		{"deleted again", "DELETE", registration{Number: number}, ""},
		{"registered again", "PUT", registration{Number: number, Label: "c"}, "c"},
		{"punctuated", "PUT", registration{Number: "+1 (415) 555-2671", Label: "d"}, "d"},
	}
	for _, step := range steps {
		if !s.write(t, step.method, step.body) {
			t.Errorf("%s: not applied", step.name)
		}
		if got := s.labelOf(t, number); got != step.want {
			t.Errorf("%s: found %q, want %q", step.name, got, step.want)
		}
	}
}

func TestVersions(t *testing.T) {
	s := newStack(t)
	hide := new(false)
	steps := []struct {
		name    string
		method  string
		body    registration
		applied bool
		want    string
	}{
		{"first", "PUT", registration{Number: number, Label: "five", Version: 5}, true, "five"},
		{"older", "PUT", registration{Number: number, Label: "four", Version: 4}, false, "five"},
		{"repeated", "PUT", registration{Number: number, Label: "five", Version: 5}, true, "five"},
		{"older deletion", "DELETE", registration{Number: number, Version: 4}, false, "five"},
		{"hidden at the same version", "PUT", registration{Number: number, Version: 5, Discoverable: hide}, true, ""},
		{"shown at the same version", "PUT", registration{Number: number, Label: "x", Version: 5}, false, ""},
		{"deleted at the same version", "DELETE", registration{Number: number, Version: 5}, true, ""},
		{"hidden after deletion", "PUT", registration{Number: number, Version: 5, Discoverable: hide}, false, ""},
		{"newer", "PUT", registration{Number: number, Label: "six", Version: 6}, true, "six"},
		{"the last", "PUT", registration{Number: number, Label: "last", Version: 1<<53 - 1}, true, "last"},
		{"without version after the last", "PUT", registration{Number: number, Label: "x"}, false, "last"},
	}
	for _, step := range steps {
		if got := s.write(t, step.method, step.body); got != step.applied {
			t.Errorf("%s: Kith-Applied %t, want %t", step.name, got, step.applied)
		}
		if got := s.labelOf(t, number); got != step.want {
			t.Errorf("%s: found %q, want %q", step.name, got, step.want)
		}
	}
}

func TestDeletionWithLabel(t *testing.T) {
	s := newStack(t)
	s.put(t, registration{Number: number, Label: "new-owner"})
	a := s.register(t, "DELETE", `{"number":"`+number+`","label":"old-owner"}`)
	wantProblem(t, a, 412, "label-mismatch", "old-owner", "new-owner", number)
	a = s.register(t, "DELETE", `{"number":"`+number+`","label":""}`)
	wantProblem(t, a, 412, "label-mismatch", "new-owner", number)
	if got := s.labelOf(t, number); got != "new-owner" {
		t.Errorf("found %q, want new-owner", got)
	}
	if !s.delete(t, registration{Number: number, Label: "new-owner"}) {
		t.Error("not applied under the label that is registered")
	}
	if got := s.labelOf(t, number); got != "" {
		t.Errorf("found %q, want nothing", got)
	}
}

func TestRegistrationsRefuse(t *testing.T) {
	s := newStack(t)
	const label = "label-of-the-test"
	with := func(members string) string {
		return `{"number":"` + number + `","label":"` + label + `",` + members + `}`
	}
	numbered := func(number string) string { return `{"number":"` + number + `","label":"` + label + `"}` }
	tests := []struct {
		name   string
		method string
		body   string
		status int
		code   string
		reason string
	}{
		{"too short", "PUT", numbered("+1415555"), 422, "invalid-number", "too-short"},
		{"too long", "PUT", numbered("+1415555267145"), 422, "invalid-number", "too-long"},
		{"not assigned", "PUT", numbered("+10005550000"), 422, "invalid-number", "not-valid-for-region"},
		{"national", "PUT", numbered("(415) 555-2671"), 422, "invalid-number", "unknown-region"},
		{"national with zero", "PUT", numbered("0151 23456789"), 422, "invalid-number", "unknown-region"},
		{"no digits", "PUT", numbered("nobody"), 422, "invalid-number", "no-digits"},
		{"empty", "PUT", numbered(""), 422, "invalid-number", "empty"},
		{"none", "PUT", `{"label":"` + label + `"}`, 422, "invalid-number", "empty"},
		{"invalid in a deletion", "DELETE", `{"number":"+1415555"}`, 422, "invalid-number", "too-short"},
		{"label of 48 bytes", "PUT", `{"number":"` + number + `","label":"` + strings.Repeat("x", 48) + `"}`, 422, "invalid-label", ""},
		{"label of 24 letters and 48 bytes", "PUT", `{"number":"` + number + `","label":"` + strings.Repeat("é", 24) + `"}`, 422, "invalid-label", ""},
		{"label of hidden too", "PUT", `{"number":"` + number + `","discoverable":false,"label":"` + strings.Repeat("x", 48) + `"}`, 422, "invalid-label", ""},
		{"label not UTF-8", "PUT", "{\"number\":\"" + number + "\",\"label\":\"a\xffb\"}", 400, "malformed", ""},
		{"label with half a pair", "PUT", `{"number":"` + number + `","label":"\ud83d"}`, 400, "malformed", ""},
		{"label with halves apart", "PUT", `{"number":"` + number + `","label":"\ud83d \ude00"}`, 400, "malformed", ""},
		{"label with halves in the wrong order", "PUT", `{"number":"` + number + `","label":"\ude00\ud83d"}`, 400, "malformed", ""},
		{"label null", "PUT", `{"number":"` + number + `","label":null}`, 400, "malformed", ""},
		{"label a number", "PUT", `{"number":"` + number + `","label":7}`, 400, "malformed", ""},
		{"version 0", "PUT", with(`"version":0`), 422, "invalid-version", ""},
		{"version -1", "PUT", with(`"version":-1`), 422, "invalid-version", ""},
		{"version 2^53", "PUT", with(`"version":9007199254740992`), 422, "invalid-version", ""},
		{"version 2^53 in a deletion", "DELETE", `{"number":"` + number + `","version":9007199254740992}`, 422, "invalid-version", ""},
		{"version 2^64", "PUT", with(`"version":18446744073709551616`), 400, "malformed", ""},
		{"version 1.5", "PUT", with(`"version":1.5`), 400, "malformed", ""},
		{"version as text", "PUT", with(`"version":"7"`), 400, "malformed", ""},
		{"version null", "PUT", with(`"version":null`), 400, "malformed", ""},
		{"misspelt member", "PUT", with(`"discoverabel":false`), 400, "malformed", ""},
		{"discoverable in other letters", "PUT", with(`"Discoverable":false`), 400, "malformed", ""},
		{"number in other letters", "DELETE", `{"Number":"` + number + `"}`, 400, "malformed", ""},
		{"null", "PUT", `null`, 400, "malformed", ""},
		{"discoverable null", "PUT", with(`"discoverable":null`), 400, "malformed", ""},
		{"discoverable as text", "PUT", with(`"discoverable":"false"`), 400, "malformed", ""},
		{"discoverable twice", "PUT", with(`"discoverable":false,"discoverable":true`), 400, "malformed", ""},
		{"discoverable twice in other letters", "PUT", with(`"discoverable":false,"Discoverable":true`), 400, "malformed", ""},
		{"discoverable in a deletion", "DELETE", `{"number":"` + number + `","discoverable":false}`, 400, "malformed", ""},
		{"number null", "PUT", `{"number":null}`, 400, "malformed", ""},
		{"number not text", "PUT", `{"number":14155552671}`, 400, "malformed", ""},
		{"list", "PUT", `["` + number + `"]`, 400, "malformed", ""},
		{"something after", "PUT", with(`"version":1`) + `{}`, 400, "malformed", ""},
		{"cut off", "PUT", `{"number":"` + number, 400, "malformed", ""},
		{"empty body", "DELETE", ``, 400, "malformed", ""},
		{"too large", "PUT", with(`"version":1`) + strings.Repeat(" ", 4096), 413, "too-large", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := wantProblem(t, s.register(t, test.method, test.body), test.status, test.code, number, number[1:], label, "discoverabel")
			if p.Reason != test.reason {
				t.Errorf("got reason %q, want %q", p.Reason, test.reason)
			}
		})
	}
	t.Run("media type", func(t *testing.T) {
		a := s.send(t, call{method: "PUT", path: registrationsPath, token: s.mint(t, "a", "register"), mime: mimePacked, body: []byte(numbered(number))})
		wantProblem(t, a, 415, "unsupported-media-type", number)
	})
	t.Run("scope", func(t *testing.T) {
		for _, method := range []string{"PUT", "DELETE"} {
			c := call{method: method, path: registrationsPath, token: s.mint(t, "a", "discover operate"), mime: mimeJSON, body: []byte(numbered(number))}
			wantProblem(t, s.send(t, c), 403, "forbidden", number)
			c.token = ""
			wantProblem(t, s.send(t, c), 401, "unauthorized", number)
		}
	})
	if got := s.labelOf(t, number); got != "" {
		t.Errorf("what was refused is registered as %q", got)
	}
	wantNone(t, "the log", s.log.String(), number[1:], label)
}

func TestLabels(t *testing.T) {
	s := newStack(t)
	for _, test := range []struct{ name, text, want string }{
		{"47 bytes", strings.Repeat("x", 47), strings.Repeat("x", 47)},
		{"a pair escaped", `\ud83d\ude00`, "😀"},
		{"a pair as it is", "😀", "😀"},
		{"a replacement character", `\ufffd`, "\ufffd"},
		{"an escaped backslash before u", `\\ud83d`, `\ud83d`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if a := s.register(t, "PUT", `{"number":"`+number+`","label":"`+test.text+`"}`); a.status != 204 {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			if got := s.labelOf(t, number); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	s.put(t, registration{Number: number}) // without a label
	c := s.discover(t, "alice", number)[0]
	sealed, ok := s.lookUp(t, c)[c.tag]
	if !ok {
		t.Fatal("a registration without a label is not found")
	}
	if label, err := c.key.Open(c.tag, sealed); err != nil || label != "" {
		t.Errorf("opened %q, %v, want the empty label", label, err)
	}
}
