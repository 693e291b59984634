package server_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
)

// TestNothingOfRequestsIsLoggedOrStored makes requests of all kinds, and holds the package comment to its word about
// the log, and docs/threat-model.md to its own about the store.
func TestNothingOfRequestsIsLoggedOrStored(t *testing.T) {
	s := newStack(t)
	const account, label, key = "account-of-alice", "label-of-bob", "key-of-a-request"
	bearer, service := s.mint(t, account, "discover"), s.mint(t, "name-of-the-service", "register")
	registrations := func(method, body string) {
		s.send(t, call{method: method, path: registrationsPath, token: service, mime: mimeJSON, body: []byte(body)})
	}
	body := `{"number":"` + number + `","label":"` + label + `"}`
	registrations("PUT", body)
	batch := blind(t, number, "+4915123456789")
	evaluation := call{
		method: "POST", path: evaluationsPath, token: bearer, mime: mimePacked, body: batch.packed,
		header: map[string][]string{"Idempotency-Key": {key}, "X-Forwarded-For": {"192.0.2.77"}, "User-Agent": {"agent-of-alice"}},
	}
	evaluated := s.send(t, evaluation)
	contacts := batch.unblind(t, s.publicKey(t), evaluated.body)
	found := s.lookUp(t, contacts...)
	if len(found) != 1 {
		t.Fatalf("got %d matches, want 1", len(found))
	}

	// Refusals and failures, which tempt to log more.
	evaluation.body = batch.packed[:len(batch.packed)-32]
	s.send(t, evaluation)
	evaluation.body = append(batch.packed[:32:32], make([]byte, 32)...)
	evaluation.header = nil
	s.send(t, evaluation)
	s.send(t, call{method: "POST", path: matchesPath, token: bearer, mime: mimePacked, body: packTags(contacts)})
	s.send(t, call{method: "GET", path: "/v1/registrations/" + number})
	s.send(t, call{method: "GET", path: "/v1/directory?number=" + number})
	registrations("PUT", strings.Replace(body, "2671", "267", 1))
	registrations("PUT", strings.Replace(body, label, label+strings.Repeat("x", 48), 1))
	registrations("DELETE", strings.Replace(body, label, "label-of-carol", 1))
	registrations("PUT", body[:len(body)-1])
	lines := body + "\n" + strings.Replace(body, "2671", "267", 1) + "\n" + body[:len(body)-1]
	s.importLines(t, lines)
	s.redis.Kill()
	registrations("DELETE", body)
	s.send(t, s.importCall(t, lines))
	s.send(t, call{method: "POST", path: matchesPath, mime: mimePacked, body: packTags(contacts)})
	s.redis.Restart()

	// What must be nowhere.
	secrets := []string{
		"4155552671", "415-555-2671", "415555267", "15123456789", label, "label-of", account, "name-of-the-service",
		key, "agent-of-alice", "192.0.2.77",
	}
	for _, text := range []string{bearer, service} {
		secrets = append(secrets, strings.Split(text, ".")[1:]...) // the first part is the same for all tokens
	}
	elements := append(batch.packed, evaluated.body...)
	for i := 0; i+voprf.ElementSize <= len(elements); i += voprf.ElementSize {
		secrets = append(secrets, inText(elements[i:i+voprf.ElementSize])...)
	}
	log := s.log.String()
	if !strings.Contains(log, `"route":"/v1/epochs/:epoch/matches"`) {
		t.Fatalf("nothing was logged: %s", log)
	}
	wantNone(t, "the log", log, secrets...)
	wantNone(t, "the store", s.dump(t), secrets...)

	// What must not be in the log. Tags and sealed labels are what the store is made of.
	logged := []string{"/v1/epochs/1", "127.0.0.1", "[::1]", s.redis.Password()}
	for _, c := range contacts {
		logged = append(logged, inText(c.tag[:])...)
		sealed := found[c.tag]
		logged = append(logged, inText(sealed[:])...)
	}
	wantNone(t, "the log", log, logged...)
}

// inText returns the ways in which bytes appear in texts.
func inText(b []byte) []string {
	return []string{
		string(b), hex.EncodeToString(b[:8]), strings.ToUpper(hex.EncodeToString(b[:8])),
		base64.RawURLEncoding.EncodeToString(b[:12]), base64.RawStdEncoding.EncodeToString(b[:12]),
		strings.Trim(fmt.Sprint(b[:6]), "[]"),
	}
}

// dump returns all keys and values of the store.
func (s *stack) dump(t testing.TB) string {
	t.Helper()
	ctx := context.Background()
	keys, err := s.rdb.Keys(ctx, "*").Result()
	must(t, err)
	var out strings.Builder
	for _, key := range keys {
		out.WriteString(key + "\n")
		switch kind := s.rdb.Type(ctx, key).Val(); kind {
		case "hash":
			fmt.Fprintln(&out, s.rdb.HGetAll(ctx, key).Val())
		case "stream":
			fmt.Fprintln(&out, s.rdb.XRange(ctx, key, "-", "+").Val())
		case "string":
			fmt.Fprintln(&out, s.rdb.Get(ctx, key).Val())
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
	}
	if out.Len() < crypto.SealedLabelSize {
		t.Fatal("nothing is stored")
	}
	return out.String()
}
