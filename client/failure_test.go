package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

// syncError returns the error of a Sync of three contacts that has to fail.
func syncError(t *testing.T, o client.Options) error {
	t.Helper()
	_, err := newClient(t, o).Sync(t.Context(), client.Contacts(manyContacts(3)))
	if err == nil {
		t.Fatal("Sync succeeded")
	}
	for _, secret := range []string{"555000", "Person", testToken} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
			t.Errorf("the error contains %q: %v", secret, err)
		}
	}
	return err
}

// TestSyncRefusesServers has answers that end a Sync at once, and where.
func TestSyncRefusesServers(t *testing.T) {
	other, err := voprf.DeriveKeyPair(make([]byte, voprf.SeedSize), []byte("other"))
	if err != nil {
		t.Fatal(err)
	}
	onRoute := func(suffix string, change func(body []byte) []byte) func(*fakeServer, *client.Options) {
		return func(s *fakeServer, _ *client.Options) {
			s.tamper = func(path string, body []byte) []byte {
				if strings.HasSuffix(path, suffix) {
					return change(body)
				}
				return body
			}
		}
	}
	directory := func(from, to string) func(*fakeServer, *client.Options) {
		return onRoute("directory", func(body []byte) []byte {
			return bytes.Replace(body, []byte(from), []byte(to), 1)
		})
	}
	instead := func(suffix string, answer http.HandlerFunc) func(*fakeServer, *client.Options) {
		return func(s *fakeServer, _ *client.Options) {
			s.failFirst(1, suffix, func(w http.ResponseWriter) { answer(w, nil) })
		}
	}
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<h1>Please log in</h1>")
	}
	moved := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://elsewhere.test/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	incompatible := errors.New("an *IncompatibleError")
	for _, tt := range []struct {
		name     string
		prepare  func(*fakeServer, *client.Options)
		want     error // by errors.Is
		requests int   // that were sent
	}{
		{"another suite", directory("ristretto255-SHA512", "P256-SHA256"), incompatible, 1},
		{"another mode of the OPRF", directory(`"mode":1`, `"mode":0`), incompatible, 1},
		{"another profile", directory("tel-e164/1", "tel-e164/2"), incompatible, 1},
		{"directory that is no JSON", directory("{", ""), client.ErrAnswer, 1},
		{"directory without limits", directory("max_elements", "max_things"), client.ErrAnswer, 1},
		{"directory without limit of tags", directory("max_tags", "max_things"), client.ErrAnswer, 1},
		{"public key of a wrong length", directory(`"public_key":"`, `"public_key":"AA`), client.ErrAnswer, 1},
		{"epoch twice", func(s *fakeServer, _ *client.Options) {
			s.addEpoch(1, "draining", nil)
		}, client.ErrAnswer, 1},
		{"migration that ends before it begins", func(s *fakeServer, _ *client.Options) {
			s.migration = map[string]any{"from": 1, "to": 2, "begins": 2, "ends": 1}
		}, client.ErrAnswer, 1},
		{"migration before 1970", func(s *fakeServer, _ *client.Options) {
			s.migration = map[string]any{"from": 1, "to": 2, "begins": -1, "ends": 1}
		}, client.ErrAnswer, 1},
		{"no active epoch", directory("active", "draining"), client.ErrNoEpoch, 1},
		{"two active epochs", func(s *fakeServer, _ *client.Options) { s.addEpoch(2, "active", nil) }, client.ErrAnswer, 1},
		{"no known lookup mode", directory(`"exact"`, `"inexact"`), client.ErrMode, 1},
		{"mode that the server lacks", func(s *fakeServer, o *client.Options) {
			s.modes, o.Mode = []string{"bucket"}, client.ModeExact
		}, client.ErrMode, 1},
		{"public key other than the pin", func(_ *fakeServer, o *client.Options) {
			o.PublicKey = other.PublicKey().Bytes()
		}, client.ErrKeyChanged, 1},
		{"captive portal", instead("directory", page), client.ErrAnswer, 1},
		{"directory of another media type", instead("directory", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, `{"suite":%q,"mode":1,"profile":%q,"limits":{"max_elements":1}}`, voprf.Suite, normalize.Profile)
		}), client.ErrAnswer, 1},
		{"redirect of the directory", instead("directory", moved), client.ErrAnswer, 1},

		{"wrong proof", onRoute("evaluations", func(body []byte) []byte {
			body[len(body)-1] ^= 1
			return body
		}), client.ErrProof, 2},
		{"evaluations swapped", onRoute("evaluations", func(body []byte) []byte {
			return append(append(bytes.Clone(body[32:64]), body[:32]...), body[64:]...)
		}), voprf.ErrProof, 2},
		{"evaluations of another key", func(s *fakeServer, _ *client.Options) {
			s.tamper = func(path string, body []byte) []byte {
				if strings.HasSuffix(path, "evaluations") {
					sent := s.requests[len(s.requests)-1].body
					evaluated, proof, err := other.BlindEvaluate(rand0{}, sent)
					s.must(err)
					return append(evaluated, proof[:]...)
				}
				return body
			}
		}, client.ErrProof, 2},
		{"evaluation that is no element", onRoute("evaluations", func(body []byte) []byte {
			clear(body[:32])
			return body
		}), client.ErrAnswer, 2},
		{"evaluations too short", onRoute("evaluations", func(body []byte) []byte { return body[32:] }), client.ErrAnswer, 2},
		{"evaluations too long", onRoute("evaluations", func(body []byte) []byte { return append(body, 0) }), client.ErrAnswer, 2},
		{"evaluations as a page", instead("evaluations", page), client.ErrAnswer, 2},
		{"redirect of evaluations", instead("evaluations", moved), client.ErrAnswer, 2},

		{"matches of a wrong length", onRoute("matches", func(body []byte) []byte { return body[1:] }), client.ErrAnswer, 3},
		{"more matches than tags", onRoute("matches", func(body []byte) []byte {
			return bytes.Repeat(body, 4)
		}), client.ErrAnswer, 3},
		{"match twice", onRoute("matches", func(body []byte) []byte { return bytes.Repeat(body, 2) }), client.ErrAnswer, 3},
		{"match that was not asked", onRoute("matches", func(body []byte) []byte {
			body[0] ^= 1
			return body
		}), client.ErrAnswer, 3},
		{"redirect of the lookup", instead("matches", moved), client.ErrAnswer, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeServer(t, map[string]string{"+14155550001": "one"})
			o := testOptions(s)
			tt.prepare(s, &o)
			err := syncError(t, o)
			if _, ok := errors.AsType[*client.IncompatibleError](err); ok {
				err = errors.Join(err, incompatible)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if len(s.requests) != tt.requests {
				t.Errorf("sent %d requests, want %d", len(s.requests), tt.requests)
			}
			// None of these keeps a later Sync from finding the match, nor makes it pay again.
			if s.tamper, s.fault = nil, nil; tt.requests > 1 {
				if result := mustSync(t, o, manyContacts(3)); len(result.Matches) != 1 || s.charged != 3 {
					t.Errorf("afterwards: %d matches, %d charged; want 1, 3", len(result.Matches), s.charged)
				}
			}
		})
	}
}

// rand0 reads as bytes that nobody chose.
type rand0 struct{}

func (rand0) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestKeyChanged is about the key that an earlier Sync has seen.
func TestKeyChanged(t *testing.T) {
	s := newFakeServer(t, nil)
	o := testOptions(s)
	mustSync(t, o, nil) // even an empty book makes the key known
	forged := s.addEpoch(9, "active", nil)
	s.epochs = []*fakeEpoch{{id: 1, state: "active", key: forged.key}}
	s.requests = nil
	if err := syncError(t, o); !errors.Is(err, client.ErrKeyChanged) || len(s.requests) != 1 {
		t.Errorf("got error %v after %d requests, want ErrKeyChanged after 1", err, len(s.requests))
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name, route      string
		status           int
		code, retryAfter string
		requests         int  // in the first Sync
		resumed          bool // the next Sync, without the problem, sends the evaluation of the first again
	}{
		{"unauthorized", "evaluations", 401, client.CodeUnauthorized, "", 2, true},
		{"forbidden", "evaluations", 403, client.CodeForbidden, "", 2, true},
		{"too many elements", "evaluations", 413, client.CodeTooManyElements, "", 2, false},
		{"invalid element", "evaluations", 400, client.CodeInvalidElement, "", 2, false},
		{"idempotency key always reused", "evaluations", 422, client.CodeIdempotencyKeyReused, "", 5, false},
		{"quota used up for long", "evaluations", 429, client.CodeQuotaExceeded, "3600", 2, true},
		{"quota used up for short", "evaluations", 429, client.CodeQuotaExceeded, "10", 7, true},
		{"new accounts' budget used up for long", "evaluations", 429, client.CodeYoungAccounts, "3600", 2, true},
		{"account blocked", "evaluations", 403, client.CodeAccountBlocked, "", 2, true},
		{"idempotency key always exhausted", "evaluations", 422, client.CodeKeyExhausted, "", 5, false},
		{"overloaded", "matches", 503, client.CodeOverloaded, "1", 8, false},
		{"internal", "evaluations", 500, client.CodeInternal, "", 7, true},
		{"bad gateway", "directory", 502, "", "", 6, false},
		{"gateway timeout", "evaluations", 504, "", "", 7, true},
		{"code that could hold something", "directory", 400, "+14155550001", "", 1, false},
		{"code of a newer server", "directory", 451, "not-here", "", 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeServer(t, nil)
			o := testOptions(s)
			s.failFirst(100, tt.route, func(w http.ResponseWriter) { problem(w, tt.status, tt.code, tt.retryAfter) })
			err := syncError(t, o)
			var got *client.ProblemError
			wantCode := strings.TrimLeft(tt.code, "+0123456789")
			if !errors.As(err, &got) || got.Status != tt.status || got.Code != wantCode || got.Request != tt.route {
				t.Fatalf("got error %#v, want status %d, code %q of %s", err, tt.status, wantCode, tt.route)
			}
			wantAfter, _ := time.ParseDuration(tt.retryAfter + "s")
			if got.RetryAfter != wantAfter || got.Title != "a problem" {
				t.Errorf("got %+v, want RetryAfter %v", got, wantAfter)
			}
			if len(s.requests) != tt.requests {
				t.Errorf("sent %d requests, want %d", len(s.requests), tt.requests)
			}
			s.fault = nil
			mustSync(t, o, manyContacts(3))
			sent := s.seen("evaluations")
			first, last := sent[0], sent[len(sent)-1]
			resumed := len(sent) > 1 && bytes.Equal(first.body, last.body)
			if resumed != tt.resumed || s.charged != 3 {
				t.Errorf("afterwards: resumed %v and %d charged, want %v and 3", resumed, s.charged, tt.resumed)
			}
		})
	}
}

// TestSyncOutlastsFailures has failures that pass.
func TestSyncOutlastsFailures(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(w http.ResponseWriter)
	}{
		{"rate limited", func(w http.ResponseWriter) { problem(w, 429, client.CodeQuotaExceeded, "1") }},
		{"unavailable", func(w http.ResponseWriter) { problem(w, 503, client.CodeUnavailable, "") }},
		{"proxy without an upstream", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }},
	} {
		for _, route := range []string{"directory", "evaluations", "matches"} {
			t.Run(tt.name+" at "+route, func(t *testing.T) {
				s := newFakeServer(t, map[string]string{"+14155550001": "one"})
				s.failFirst(5, route, tt.fail)
				result := mustSync(t, testOptions(s), manyContacts(3))
				if len(result.Matches) != 1 || s.charged != 3 || len(s.requests) != 8 {
					t.Errorf("%d matches, %d charged, %d requests; want 1, 3, 8", len(result.Matches), s.charged, len(s.requests))
				}
			})
		}
	}
}

// TestIdempotencyKeyReused: an answer that says the key had another body, once.
func TestIdempotencyKeyReused(t *testing.T) {
	s := newFakeServer(t, nil)
	s.failFirst(1, "evaluations", func(w http.ResponseWriter) { problem(w, 422, client.CodeIdempotencyKeyReused, "") })
	mustSync(t, testOptions(s), manyContacts(3))
	sent := s.seen("evaluations")
	if len(sent) != 2 || s.charged != 3 {
		t.Fatalf("sent %d and charged %d, want 2 and 3", len(sent), s.charged)
	}
	if bytes.Equal(sent[0].body, sent[1].body) ||
		sent[0].header.Get("Idempotency-Key") == sent[1].header.Get("Idempotency-Key") {
		t.Error("the second request was not blinded anew, or has the old key")
	}
}

// TestRefusalsThatSayHowMuch: the server says how many elements it would take, of fewer than it allows in the directory.
func TestRefusalsThatSayHowMuch(t *testing.T) {
	const book = 7
	t.Run("what is left of the quota is used", func(t *testing.T) {
		s := newFakeServer(t, nil)
		o := testOptions(s)
		s.limited, s.quota, s.told = true, 5, `,"limit":6,"remaining":5`
		w := mustSync(t, o, manyContacts(book)).Waiting
		if w == nil || w.Refusal.Code != client.CodeQuotaExceeded || w.Refusal.Limit != 6 || w.Refusal.RetryAfter != time.Hour || s.charged != 5 {
			t.Fatalf("got %+v after %d charged, want quota-exceeded of 6 after 5", w, s.charged)
		}
		s.quota = 2
		if result := mustSync(t, o, manyContacts(book)); result.Evaluated != 2 || s.charged != book {
			t.Errorf("afterwards: evaluated %d, charged %d; want 2 and %d", result.Evaluated, s.charged, book)
		}
	})
	t.Run("an account that may send less at once", func(t *testing.T) {
		s := newFakeServer(t, nil)
		s.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "evaluations") || r.ContentLength <= 3*voprf.ElementSize {
				return false
			}
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			_, _ = w.Write([]byte(`{"type":"about:blank","title":"a problem","status":413,"code":"too-many-elements","limit":3}`))
			return true
		}
		if result := mustSync(t, testOptions(s), manyContacts(book)); result.Evaluated != book || len(s.seen("evaluations")) != 4 {
			t.Errorf("evaluated %d by %d requests, want %d by 4", result.Evaluated, len(s.seen("evaluations")), book)
		}
	})
}

// TestLimitLowered: a page left behind by an interrupted Sync is larger than the server takes now.
func TestLimitLowered(t *testing.T) {
	s := newFakeServer(t, nil)
	o := testOptions(s)
	s.failFirst(100, "evaluations", func(w http.ResponseWriter) { problem(w, 500, client.CodeInternal, "") })
	_ = syncError(t, o)
	s.fault, s.maxElements = nil, 2
	if result := mustSync(t, o, manyContacts(3)); result.Evaluated != 3 || s.charged != 3 {
		t.Errorf("evaluated %d, charged %d; want 3", result.Evaluated, s.charged)
	}
}

func TestTokenSource(t *testing.T) {
	failure := errors.New("signed out")
	for _, tt := range []struct {
		name   string
		source client.TokenSource
		want   error
	}{
		{"its own error", func(context.Context) (string, error) { return "", failure }, failure},
		{"empty token", client.StaticToken(""), client.ErrToken},
		{"token with a line break", client.StaticToken("a\r\nX: y"), client.ErrToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeServer(t, nil)
			o := testOptions(s)
			o.Token = tt.source
			if err := syncError(t, o); !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if len(s.seen("evaluations")) != 0 {
				t.Error("an evaluation was sent")
			}
			o.State = client.MemoryState()
			mustSync(t, o, nil) // nothing to pay for: the source is not asked
		})
	}
}

func TestRandomnessFails(t *testing.T) {
	failure := errors.New("no entropy")
	// The key of 16 bytes, three blinds of 64, the seed of the shuffle of 32.
	for _, n := range []int{0, 16, 16 + 64, 16 + 3*64} {
		s := newFakeServer(t, nil)
		o := testOptions(s)
		o.Rand = &failingRand{n, failure}
		if err := syncError(t, o); !errors.Is(err, failure) {
			t.Errorf("after %d bytes: got error %v, want the reader's", n, err)
		}
	}
}

type failingRand struct {
	left int
	err  error
}

func (r *failingRand) Read(p []byte) (int, error) {
	if len(p) > r.left {
		return 0, r.err
	}
	r.left -= len(p)
	return len(p), nil
}
