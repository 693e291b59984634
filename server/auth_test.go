package server_test

import (
	"net/http"
	"testing"
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
