package server_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
)

// storeCalls returns a call of each route that needs the store.
func storeCalls(t testing.TB, s *stack) map[string]call {
	t.Helper()
	body := encodeJSON(t, registration{Number: number, Label: "a"})
	service := s.mint(t, "account-service", "register")
	evaluation := blind(t, number).packed
	return map[string]call{
		"evaluations": {method: "POST", path: evaluationsPath, token: s.mint(t, "alice", "discover"), mime: mimePacked, body: evaluation},
		"quota":       {method: "GET", path: "/v1/quota", token: s.mint(t, "alice", "discover")},
		"matches":     {method: "POST", path: matchesPath, mime: mimePacked, body: make([]byte, crypto.TagSize)},
		"buckets":     {method: "POST", path: bucketsPath, mime: mimePacked, body: make([]byte, 4)},
		"labels":      {method: "POST", path: bucketsPath + "?labels=true", mime: mimePacked, body: make([]byte, 4)},
		"PUT":         {method: "PUT", path: registrationsPath, token: service, mime: mimeJSON, body: body},
		"DELETE":      {method: "DELETE", path: registrationsPath, token: service, mime: mimeJSON, body: body},
		"import":      {method: "POST", path: importPath, token: service, mime: mimeLines, body: append(body, '\n')},
		// An epoch that is not known is looked for in the store.
		"another epoch": {method: "POST", path: "/v1/epochs/2/matches", mime: mimePacked, body: make([]byte, crypto.TagSize)},
	}
}

// wantAnswers checks that each route that needs the store has an answer.
func wantAnswers(t *testing.T, s *stack) {
	t.Helper()
	for name, c := range storeCalls(t, s) {
		want := map[string]int{"PUT": http.StatusNoContent, "DELETE": http.StatusNoContent, "another epoch": http.StatusNotFound}[name]
		if want == 0 {
			want = http.StatusOK
		}
		if a := s.send(t, c); a.status != want {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.body, want)
		}
	}
}

// wantUnavailable checks that each route that needs the store says that it can not answer.
func wantUnavailable(t *testing.T, s *stack) {
	t.Helper()
	// An unknown epoch is not looked for within 100 ms of another.
	time.Sleep(150 * time.Millisecond)
	for name, c := range storeCalls(t, s) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, s.send(t, c), 503, "unavailable", number)
		})
	}
}

// waitReadiness waits until /readyz answers with a status.
func (s *stack) waitReadiness(t *testing.T, status int) {
	t.Helper()
	for send(t, s.admin.URL, call{method: "GET", path: "/readyz"}).status != status {
		time.Sleep(20 * time.Millisecond)
	}
}

func TestRedisKilledIsUnavailable(t *testing.T) {
	s := newStack(t)
	wantAnswers(t, s)
	s.redis.Kill()
	t.Run("killed", func(t *testing.T) { wantUnavailable(t, s) })
	s.redis.Restart()
	s.waitReadiness(t, http.StatusOK)
	wantAnswers(t, s)
}

// TestRedisPausedIsUnavailable shows that a server whose Redis does not answer does not wait for ever.
func TestRedisPausedIsUnavailable(t *testing.T) {
	s := newStack(t)
	wantAnswers(t, s)
	s.redis.Pause()
	t.Run("paused", func(t *testing.T) { wantUnavailable(t, s) })
	s.redis.Resume()
	s.waitReadiness(t, http.StatusOK)
	wantAnswers(t, s)
}

// TestLostDataIsUnavailable shows that a store that has lost everything is not an empty directory, and that no server
// starts a new one by itself.
func TestLostDataIsUnavailable(t *testing.T) {
	ctx := context.Background()
	s := newStack(t)
	s.put(t, registration{Number: number, Label: "a"})
	must(t, s.rdb.FlushAll(ctx).Err())

	// At once, where registrations are concerned.
	for name, c := range storeCalls(t, s) {
		if name == "matches" || name == "PUT" || name == "DELETE" || name == "import" {
			wantProblem(t, s.send(t, c), 503, "unavailable", number)
		}
	}
	// As soon as the server has looked, everywhere.
	s.waitReadiness(t, http.StatusServiceUnavailable)
	t.Run("flushed", func(t *testing.T) { wantUnavailable(t, s) })
	wantProblem(t, s.send(t, call{method: "GET", path: "/v1/directory"}), 503, "unavailable")
	if n, err := s.rdb.Exists(ctx, "kith:keyring").Result(); err != nil || n != 0 {
		t.Errorf("%d keyrings in the store, %v, want none", n, err)
	}
}
