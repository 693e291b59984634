package server_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/registry"
)

// matchFunc is a Directory of one function.
type matchFunc func(ctx context.Context, tags []crypto.Tag) ([]directory.Match, error)

func (f matchFunc) Match(ctx context.Context, _ directory.Layout, tags []crypto.Tag) ([]directory.Match, error) {
	return f(ctx, tags)
}

// withDirectory puts a function in the place of the directory.
func withDirectory(f matchFunc) func(*server.Config) {
	return func(c *server.Config) { c.Directory = f }
}

// aLookup is a lookup that is well formed.
var aLookup = call{method: "POST", path: matchesPath, mime: mimePacked, body: []byte("tag of 16 bytes.")}

func TestRequestIDIsTheServers(t *testing.T) {
	s := newStack(t)
	seen := make(map[string]bool)
	for range 3 {
		a := s.send(t, call{method: "GET", path: "/v1/directory", header: http.Header{"X-Request-Id": {"id-of-the-client"}}})
		id := a.header.Get("X-Request-Id")
		if len(id) < 16 || seen[id] {
			t.Errorf("got id %q, want a new one", id)
		}
		seen[id] = true
		if !strings.Contains(s.log.String(), id) {
			t.Errorf("the log does not have id %q", id)
		}
	}
	wantNone(t, "the log", s.log.String(), "id-of-the-client")
}

// dropTag panics in a function that has a tag among its arguments.
//
//go:noinline
func dropTag(tag crypto.Tag) int { panic("tag " + string(tag[:]) + " of " + number) }

func TestPanicIsInternal(t *testing.T) {
	s := newStack(t, withDirectory(func(_ context.Context, tags []crypto.Tag) ([]directory.Match, error) {
		return make([]directory.Match, dropTag(tags[0])), nil
	}))
	a := s.send(t, aLookup)
	wantProblem(t, a, 500, "internal", number, string(aLookup.body))
	log := s.log.String()
	// Neither the value nor, as debug.Stack would, the bytes of arguments.
	wantNone(t, "the log", log, number, string(aLookup.body), fmt.Sprintf("%#x", aLookup.body[0]), hex.EncodeToString(aLookup.body[:4]))
	if !strings.Contains(log, "dropTag:") || !strings.Contains(log, `"code":"internal"`) {
		t.Errorf("the log does not say where the panic was: %s", log)
	}
	if a := s.send(t, call{method: "GET", path: "/v1/directory"}); a.status != 200 {
		t.Errorf("after a panic: got %d", a.status)
	}
}

// secretError is an error that this server does not know.
type secretError struct{}

func (secretError) Error() string { return "no record of " + number }

func TestErrorsBecomeProblems(t *testing.T) {
	var cause error
	s := newStack(t, withDirectory(func(context.Context, []crypto.Tag) ([]directory.Match, error) { return nil, cause }))
	tests := []struct {
		err    error
		status int
		code   string
	}{
		{directory.ErrUnavailable, 503, "unavailable"},
		{directory.ErrIncomplete, 503, "unavailable"},
		{directory.ErrRecord, 503, "unavailable"},
		{errors.Join(directory.ErrIncomplete, secretError{}), 503, "unavailable"},
		{context.DeadlineExceeded, 503, "unavailable"},
		{context.Canceled, 503, "unavailable"},
		{quota.ErrUnavailable, 503, "unavailable"},
		{keyring.ErrUnavailable, 503, "unavailable"},
		{keyring.ErrNone, 503, "unavailable"},
		{keyring.ErrMasterKey, 503, "unavailable"},
		{keyring.ErrSealed, 503, "unavailable"},
		{keyring.ErrRecord, 503, "unavailable"},
		{registry.ErrContended, 503, "unavailable"},
		{registry.ErrNoEpoch, 503, "unavailable"},
		{fmt.Errorf("matching: %w", keyring.ErrUnknownEpoch), 404, "unknown-epoch"},
		{directory.ErrLayout, 500, "internal"},
		{secretError{}, 500, "internal"},
		{fmt.Errorf("number %s: %w", number, secretError{}), 500, "internal"},
	}
	for _, test := range tests {
		cause = test.err
		wantProblem(t, s.send(t, aLookup), test.status, test.code, number)
	}
	log := s.log.String()
	wantNone(t, "the log", log, number, number[1:])
	// What an operator needs: the sentence of an error that is known, the type of one that is not.
	for _, want := range []string{`"cause":"directory: partition missing"`, `"cause":"server_test.secretError"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
}

func TestNoSuchRoute(t *testing.T) {
	s := newStack(t)
	for _, path := range []string{"/", "/v1", "/v1/secretword", "/v1/directory/", "/v1/epochs/1", "/v1/epochs/1/secretword", "/metrics", "/healthz", "/readyz", "/debug/pprof/", "//v1/directory"} {
		wantProblem(t, s.send(t, call{method: "GET", path: path}), 404, "not-found", "secretword")
	}
	tests := []struct{ method, path, allow string }{
		{"POST", "/v1/directory", "GET"},
		{"GET", evaluationsPath, "POST"},
		{"DELETE", matchesPath, "POST"},
		{"GET", registrationsPath, "PUT"},
		{"SECRETWORD", registrationsPath, "PUT"},
	}
	for _, test := range tests {
		a := s.send(t, call{method: test.method, path: test.path})
		wantProblem(t, a, 405, "method-not-allowed", "SECRETWORD")
		if allow := a.header.Get("Allow"); !strings.Contains(allow, test.allow) {
			t.Errorf("%s %s: got Allow %q, want %s", test.method, test.path, allow, test.allow)
		}
	}
	wantNone(t, "the log", s.log.String(), "secretword", "SECRETWORD")
}
