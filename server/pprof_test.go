package server_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"
)

// TestProfiles shows that profiles are for operators, on the admin listener alone, and hold nothing of requests.
func TestProfiles(t *testing.T) {
	s, _ := newOperated(t)
	s.put(t, registration{Number: number, Label: "label-of-the-test", Version: 6})
	for _, path := range []string{"/debug/pprof/heap", "/debug/pprof/allocs", "/debug/pprof/goroutine", "/debug/pprof/profile?seconds=1"} {
		a := s.operate(t, "GET", path, "")
		if a.status != 200 || a.header.Get("Content-Type") != mimePacked || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: got %d %v", path, a.status, a.header)
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(a.body))
		must(t, err)
		text, err := io.ReadAll(unpacked)
		must(t, err)
		if !bytes.Contains(text, []byte("nanoseconds")) && !bytes.Contains(text, []byte("count")) {
			t.Errorf("%s is no profile: %d bytes", path, len(text))
		}
		wantNone(t, path, string(text), number, "label-of-the-test", "account-of-olga")

		wantProblem(t, send(t, s.admin.URL, call{method: "GET", path: path}), 401, "unauthorized")
		wantProblem(t, send(t, s.admin.URL, call{method: "GET", path: path, token: s.mint(t, "alice", "register")}), 403, "forbidden")
	}
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/debug/pprof/cmdline":           {404, "not-found"},
		"/debug/pprof/profile?seconds=9": {400, "malformed"},
		"/debug/pprof/profile?seconds=x": {400, "malformed"},
	} {
		wantProblem(t, s.operate(t, "GET", path, ""), want.status, want.code)
	}
	// Not by send: the public document has no such route.
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap"} {
		r, err := http.NewRequest("GET", s.public.URL+path, nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+s.mint(t, "olga", "operate"))
		a, err := http.DefaultClient.Do(r)
		must(t, err)
		_ = a.Body.Close()
		if a.StatusCode != 404 {
			t.Errorf("%s on the public listener: got %d, want 404", path, a.StatusCode)
		}
	}
}
