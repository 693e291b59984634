package client_test

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

const testToken = "token-of-the-test"

// fakeServer is a Kith server in memory with real cryptography. It is an http.Handler, and an http.RoundTripper that
// needs no socket. Its fields may be changed while no request is under way.
type fakeServer struct {
	tb testing.TB

	suite, profile string
	modes          []string
	maxElements    int
	maxTags        int
	maxPrefixes    int
	maxLabels      int
	slots          int   // of a bucket
	perDay         int64 // bytes of changes a day, as the server says
	maxAge         int64 // of a snapshot, in seconds
	claimed        int64 // length of the snapshot in the directory, if it is another than the manifest says
	epochs         []*fakeEpoch
	migration      map[string]any // of the directory, or nil
	date           time.Time      // in the header of the directory, unless it is zero
	log            keylog.Message // the key log, if it has entries
	limited        bool           // by quota
	quota          int            // how many elements may be charged yet
	told           string         // further members of the problem of the quota, beginning with a comma
	loseAnswer     bool           // to the next evaluation: it is charged, and answered by a problem

	// fault, if set, sees each request first, and returns true if it has answered it.
	fault func(w http.ResponseWriter, r *http.Request) bool
	// tamper, if set, may change the body of each 200 answer.
	tamper func(path string, body []byte) []byte

	// rewrite, if set, is tamper that may change the header too.
	rewrite func(w http.ResponseWriter, path string, body []byte) []byte

	mu       sync.Mutex
	answers  map[string]fakeAnswer // by Idempotency-Key
	charged  int                   // elements that were paid for
	requests []seenRequest
}

type fakeEpoch struct {
	id      uint32
	state   string
	key     *voprf.PrivateKey
	labels  map[crypto.Tag]crypto.SealedLabel
	charged int // elements that were paid for in this epoch
	fakeLookups
}

type fakeAnswer struct{ request, answer []byte }

// seenRequest is a request as it arrived.
type seenRequest struct {
	path   string
	query  string
	header http.Header
	body   []byte
	remote string // address of the peer; empty without a socket
}

// newFakeServer has one active epoch, 1, in which number: label are registered.
func newFakeServer(tb testing.TB, registered map[string]string) *fakeServer {
	s := &fakeServer{
		tb: tb, suite: voprf.Suite, profile: normalize.Profile, modes: []string{"exact", "bucket", "snapshot", "of-the-future"},
		maxElements: 1024, maxTags: 4096, maxPrefixes: 4096, maxLabels: 256, slots: 16, perDay: 900, maxAge: 86400, answers: make(map[string]fakeAnswer),
	}
	s.addEpoch(1, "active", registered)
	return s
}

func (s *fakeServer) addEpoch(id uint32, state string, registered map[string]string) *fakeEpoch {
	key, err := voprf.DeriveKeyPair(make([]byte, voprf.SeedSize), fmt.Append(nil, "fake epoch ", id))
	s.must(err)
	e := &fakeEpoch{id: id, state: state, key: key, labels: make(map[crypto.Tag]crypto.SealedLabel)}
	for number, label := range registered {
		tag, sealed := s.seal(e, number, label)
		e.labels[tag] = sealed
	}
	s.publish(e)
	s.epochs = append(s.epochs, e)
	return e
}

// seal returns the tag of a number in an epoch, and its label.
func (s *fakeServer) seal(e *fakeEpoch, number, label string) (crypto.Tag, crypto.SealedLabel) {
	n, err := e.key.Evaluate([][]byte{normalize.Input(number)})
	s.must(err)
	tag, key := crypto.Derive(n[0])
	sealed, err := key.Seal(rand.Reader, tag, label)
	s.must(err)
	return tag, sealed
}

func (s *fakeServer) must(err error) {
	if s.tb != nil && err != nil {
		s.tb.Helper()
		s.tb.Fatal(err)
	}
}

// RoundTrip serves a request without a socket.
func (s *fakeServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.requests = append(s.requests, seenRequest{r.URL.Path, r.URL.RawQuery, r.Header.Clone(), body, r.RemoteAddr})
	r.Body = io.NopCloser(bytes.NewReader(body))
	if s.fault != nil && s.fault(w, r) {
		return
	}
	var id uint32
	var route string
	if _, path, _ := strings.Cut(r.URL.Path, "/v1/"); path == "directory" {
		s.serveDirectory(w)
	} else if path == "keylog" && len(s.log.Entries) > 0 {
		s.serveKeyLog(w)
	} else if _, err := fmt.Sscanf(path, "epochs/%d/%s", &id, &route); err != nil {
		problem(w, http.StatusNotFound, "not-found", "")
	} else if e := s.epoch(id); e == nil {
		problem(w, http.StatusNotFound, "unknown-epoch", "")
	} else if e.state == "retired" {
		problem(w, http.StatusGone, "epoch-retired", "")
	} else if route == "evaluations" {
		s.serveEvaluations(w, r, e, body)
	} else if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
		problem(w, http.StatusBadRequest, "credentials", "")
	} else {
		s.serveLookup(w, r, e, route, body)
	}
}

func (s *fakeServer) epoch(id uint32) *fakeEpoch {
	for _, e := range s.epochs {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (s *fakeServer) answer(w http.ResponseWriter, path, mediaType string, body []byte) {
	if s.tamper != nil {
		body = s.tamper(path, bytes.Clone(body))
	}
	w.Header().Set("Content-Type", mediaType)
	if s.rewrite != nil {
		body = s.rewrite(w, path, bytes.Clone(body))
	}
	_, _ = w.Write(body)
}

func (s *fakeServer) serveDirectory(w http.ResponseWriter) {
	var epochs []map[string]any
	for _, e := range s.epochs {
		if e.state == "retired" {
			continue
		}
		key := base64.RawURLEncoding.EncodeToString(e.key.PublicKey().Bytes())
		epochs = append(epochs, map[string]any{"id": e.id, "state": e.state, "public_key": key, "bucket_bits": fakeBits,
			"slots": s.slots, "tag_bytes": fakeTagBytes, "snapshot": map[string]any{
				"bytes": cmp.Or(s.claimed, e.manifest.Bytes), "keys": 0, "changes_bytes_a_day": s.perDay}})
	}
	body, err := json.Marshal(map[string]any{
		"suite": s.suite, "mode": voprf.Mode, "profile": s.profile, "epochs": epochs, "modes": s.modes,
		"limits": map[string]any{"max_elements": s.maxElements, "max_tags": s.maxTags,
			"max_prefixes": s.maxPrefixes, "max_label_prefixes": s.maxLabels},
		"future": map[string]any{"member": true}, "migration": s.migration,
	})
	s.must(err)
	if !s.date.IsZero() {
		w.Header().Set("Date", s.date.Format(http.TimeFormat))
	}
	s.answer(w, "/v1/directory", "application/json; charset=utf-8", body)
}

func (s *fakeServer) serveKeyLog(w http.ResponseWriter) {
	body, err := json.Marshal(s.log)
	s.must(err)
	s.answer(w, "/v1/keylog", "application/json", body)
}

func (s *fakeServer) serveEvaluations(w http.ResponseWriter, r *http.Request, e *fakeEpoch, body []byte) {
	key := r.Header.Get("Idempotency-Key")
	before, known := s.answers[key]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+testToken:
		problem(w, http.StatusUnauthorized, "unauthorized", "")
	case len(body) > s.maxElements*voprf.ElementSize:
		problem(w, http.StatusRequestEntityTooLarge, "too-many-elements", "")
	case known && !bytes.Equal(before.request, body):
		problem(w, http.StatusUnprocessableEntity, "idempotency-key-reused", "")
	case known:
		s.answer(w, r.URL.Path, "application/octet-stream", before.answer)
	case s.limited && len(body)/voprf.ElementSize > s.quota:
		w.Header().Set("Retry-After", "3600")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprintf(w, `{"type":"about:blank","title":"a problem","status":429,"code":%q%s}`, client.CodeQuotaExceeded, s.told)
	default:
		evaluated, proof, err := e.key.BlindEvaluate(rand.Reader, body)
		if err != nil {
			problem(w, http.StatusBadRequest, "invalid-element", "")
			return
		}
		n := len(body) / voprf.ElementSize
		s.charged, e.charged, s.quota = s.charged+n, e.charged+n, s.quota-n
		s.answers[key] = fakeAnswer{body, append(evaluated, proof[:]...)}
		if s.loseAnswer {
			s.loseAnswer = false
			problem(w, http.StatusForbidden, "forbidden", "")
			return
		}
		s.answer(w, r.URL.Path, "application/octet-stream", s.answers[key].answer)
	}
}

func (s *fakeServer) serveMatches(w http.ResponseWriter, r *http.Request, e *fakeEpoch, body []byte) {
	if len(body)%crypto.TagSize != 0 || len(body) > s.maxTags*crypto.TagSize {
		problem(w, http.StatusBadRequest, "invalid-request", "")
		return
	}
	var matches []byte
	for ; len(body) > 0; body = body[crypto.TagSize:] {
		tag := crypto.Tag(body[:crypto.TagSize])
		if label, ok := e.labels[tag]; ok {
			matches = append(append(matches, tag[:]...), label[:]...)
		}
	}
	s.answer(w, r.URL.Path, "application/octet-stream", matches)
}

func problem(w http.ResponseWriter, status int, code, retryAfter string) {
	w.Header().Set("Content-Type", "application/problem+json")
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"about:blank","title":"a problem","status":%d,"code":%q}`, status, code)
}

// seen returns the requests whose path ends with suffix.
func (s *fakeServer) seen(suffix string) []seenRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []seenRequest
	for _, r := range s.requests {
		if strings.HasSuffix(r.path, suffix) {
			found = append(found, r)
		}
	}
	return found
}

// failFirst makes the first n requests whose path ends with suffix fail.
func (s *fakeServer) failFirst(n int, suffix string, fail func(w http.ResponseWriter)) {
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if n == 0 || !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		n--
		fail(w)
		return true
	}
}
