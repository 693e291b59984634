package client_test

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kith-project/kith/client"
)

// lastSegment returns what a path ends with, and "shard" for those of shards.
func lastSegment(path string) string {
	if strings.Contains(path, "/snapshot/") {
		return "shard"
	}
	return path[strings.LastIndex(path, "/")+1:]
}

// answerErrors are what a Sync returns for an answer that it does not take.
var answerErrors = []error{
	client.ErrAnswer, client.ErrMode, client.ErrBudget, client.ErrNoEpoch, client.ErrKeyChanged, client.ErrKeyLog, client.ErrProof,
}

// FuzzSync changes all answers of one route: bytes of a body, a body, and a header. Whatever comes, a Sync ends: with what the honest
// answers would have given or less, since labels and evaluations are proven, or with an error that says nothing of numbers.
// A Sync of the honest server with the same state and cache ends too, and is complete where the lie was none about who has left,
// which is remembered.
func FuzzSync(f *testing.F) {
	routes := []string{"directory", "keylog", "evaluations", "matches", "buckets", "snapshot", "shard", "changes"}
	proven := []string{"keylog", "evaluations", "matches", "shard"}
	headers := []string{"Kith-Slots", "Kith-Tag-Bytes", "Kith-Next", "Content-Type", "Content-Length", "Content-Encoding", "Date", "ETag", "Retry-After"}
	modes := []client.Mode{client.ModeExact, client.ModeBucket, client.ModeSnapshot, client.ModeAuto}
	for route := range routes {
		for mode := range modes {
			n, m := uint8(route), uint8(mode)
			switch (route + mode) % 3 {
			case 0:
				f.Add(m, n, 200, uint16(9), byte(1), []byte(nil), uint8(9), "")
			case 1:
				f.Add(m, n, 200, uint16(0), byte(0), []byte(`{}`), uint8(0), "4097")
			case 2:
				f.Add(m, n, 429, uint16(60), byte('}'), []byte(nil), uint8(8), "-1")
			}
		}
	}
	for header, value := range []string{"18", "9", "1.99999999999999999999", "text/plain", "99999999999", "gzip", "Mon, 01 Jan 0000 00:00:00 GMT", `"`, "1e9"} {
		route := uint8(header % len(routes))
		f.Add(route, route, 200, uint16(0), byte(0), []byte(nil), uint8(header), value)
	}
	f.Add(uint8(0), uint8(1), 200, uint16(0), byte(0), []byte(`{"entries":["a","b"],"checkpoint":"kith.test\n1\nAAAA\n\n— kith.test AAAA\n"}`), uint8(9), "")
	registered := map[string]string{"+14155550000": "zero", "+14155550002": "two"}
	contacts := manyContacts(4)
	f.Fuzz(func(t *testing.T, mode, route uint8, status int, at uint16, by byte, body []byte, header uint8, value string) {
		if status < 200 || status > 599 {
			return // net/http has no such answers
		}
		s := newFakeServer(t, registered)
		s.logKeys(t)
		s.addEpoch(2, "draining", registered)
		s.logEntries(t, s.epochs[1].entry())
		lies := true
		s.rewrite = func(w http.ResponseWriter, path string, honest []byte) []byte {
			if !lies || lastSegment(path) != routes[int(route)%len(routes)] {
				return honest
			}
			if int(header) < len(headers) && !strings.ContainsAny(value, "\r\n\x00") {
				w.Header().Set(headers[header], value)
			}
			if body != nil {
				honest = bytes.Clone(body)
			}
			if len(honest) > 0 {
				honest[int(at)%len(honest)] ^= by
			}
			if status != 200 {
				w.WriteHeader(status)
			}
			return honest
		}
		o := modeOptions(s, modes[int(mode)%len(modes)])
		o.KeyLog.VerifierKey = logSigner(t).VerifierKey()
		check := func(err error) {
			t.Helper()
			problem := new(client.ProblemError)
			incompatible := new(client.IncompatibleError)
			if !errors.As(err, &problem) && !errors.As(err, &incompatible) &&
				!slices.ContainsFunc(answerErrors, func(kind error) bool { return errors.Is(err, kind) }) {
				t.Errorf("got the error %v", err)
			}
			if strings.Contains(err.Error(), "415555") {
				t.Errorf("a number in %q", err)
			}
		}
		result, err := newClient(t, o).Sync(t.Context(), client.Contacts(contacts))
		if err != nil {
			check(err)
		} else {
			for _, m := range result.Matches {
				if m.Label != "" && registered[m.Number] != m.Label {
					t.Errorf("%s has the label %q", m.Number, m.Label)
				}
			}
		}
		lies = false
		if result, err = newClient(t, o).Sync(t.Context(), client.Contacts(contacts)); err != nil {
			check(err)
		} else if len(result.Matches) < len(registered) && slices.Contains(proven, routes[int(route)%len(routes)]) {
			t.Errorf("afterwards: %d matches", len(result.Matches))
		}
	})
}
