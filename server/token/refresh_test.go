package token_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kith-project/kith/server/token"
)

func TestLocations(t *testing.T) {
	for location, want := range map[string]error{
		"":                                  token.ErrLocation,
		"http://keys.example/jwks.json":     token.ErrLocation,
		"http://127.0.0.1.example/jwks":     token.ErrLocation,
		"http://localhost.example/jwks":     token.ErrLocation,
		"http://[2001:db8::1]/jwks":         token.ErrLocation,
		"https://user:pw@127.0.0.1:1/jwks":  token.ErrLocation,
		"https:///jwks.json":                token.ErrLocation,
		"file:///etc/passwd":                token.ErrLocation,
		"ftp://127.0.0.1/jwks":              token.ErrLocation,
		"://":                               token.ErrLocation,
		"http://127.0.0.1:1/jwks":           token.ErrUnreadable, // nobody listens there
		"http://[::1]:1/jwks":               token.ErrUnreadable,
		"http://localhost:1/jwks":           token.ErrUnreadable,
		"https://127.0.0.1:1/jwks?secret=s": token.ErrUnreadable,
		filepath.Join(t.TempDir(), "none"):  token.ErrUnreadable,
		t.TempDir():                         token.ErrUnreadable,
		"/dev/zero":                         token.ErrUnreadable,
	} {
		_, err := token.OpenKeys(context.Background(), token.KeysOptions{Location: location})
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", location, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error has the query: %v", err)
		}
	}
}

// TestBoundedURL has issuers that do not answer as they should, on loopback addresses.
func TestBoundedURL(t *testing.T) {
	_, jwk := edKey(t, `,"kid":"1"`)
	var elsewhere sync.Map
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Store("asked", true)
		_, _ = io.WriteString(w, set(jwk))
	}))
	defer target.Close()
	answers := map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"good": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, set(jwk)) }, nil},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target.URL, http.StatusFound)
		}, token.ErrUnreadable},
		"redirect to itself": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusPermanentRedirect)
		}, token.ErrUnreadable},
		"error with keys": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, set(jwk))
		}, token.ErrUnreadable},
		"no content": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, token.ErrUnreadable},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			line := bytes.Repeat([]byte(" "), 1<<16)
			for range 1 << 14 { // 1 GiB, were it read
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, token.ErrUnreadable},
		"huge headers": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("a", 1<<12))
			}
			_, _ = io.WriteString(w, set(jwk))
		}, token.ErrUnreadable},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000")
			_, _ = io.WriteString(w, set(jwk))
		}, token.ErrUnreadable},
		"web page": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, token.ErrKey},
		"compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x08\x00"))
		}, token.ErrKey},
	}
	for name, test := range answers {
		server := httptest.NewServer(test.answer)
		keys, err := token.OpenKeys(context.Background(), token.KeysOptions{Location: server.URL})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if (keys != nil) != (test.want == nil) {
			t.Errorf("%s: got keys %v with %v", name, keys != nil, err)
		}
		server.Close()
	}
	if _, asked := elsewhere.Load("asked"); asked {
		t.Error("a redirect was followed")
	}
}

// TestCertificates has a server whose certificate is trusted, and one whose is not.
func TestCertificates(t *testing.T) {
	_, jwk := edKey(t, `,"kid":"1"`)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, set(jwk)) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // which says that the second client does not trust it
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	open := func(transport http.RoundTripper) error {
		_, err := token.OpenKeys(context.Background(), token.KeysOptions{Location: server.URL, Transport: transport})
		return err
	}
	if err := open(server.Client().Transport); err != nil {
		t.Errorf("trusted: %v", err)
	}
	if err := open(nil); !errors.Is(err, token.ErrUnreadable) {
		t.Errorf("not trusted: got %v, want ErrUnreadable", err)
	}
}

// stuckServer reads a request, answers with a text and then a blank each 100 ms, and never ends.
func stuckServer(t *testing.T, first string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	done := make(chan struct{})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				_, _ = io.WriteString(c, first)
				for {
					select {
					case <-done:
						return
					case <-time.After(100 * time.Millisecond):
						_, _ = io.WriteString(c, " ")
					}
				}
			})
		}
	})
	t.Cleanup(func() { close(done); _ = l.Close(); serving.Wait() })
	return "http://" + l.Addr().String()
}

// TestSlowURL ends a read whose caller has given up; that one ends by itself after five seconds is in TestReadsEnd.
func TestSlowURL(t *testing.T) {
	for name, first := range map[string]string{
		"no answer": "", "slow headers": "HTTP/1.1 200 OK\r\nX:", "slow body": "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n{",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		_, err := token.OpenKeys(ctx, token.KeysOptions{Location: stuckServer(t, first)})
		cancel()
		if !errors.Is(err, token.ErrUnreadable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want ErrUnreadable by the deadline", name, err)
		}
	}
}

// site is a transport that answers with a text, or fails, and counts.
type site struct {
	mu    sync.Mutex
	text  string
	err   error
	delay time.Duration // before the answer, which the request's context ends
	reads int
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.reads++
	text, err, delay := s.text, s.err, s.delay
	s.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func (s *site) set(text string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.err = text, err
}

func (s *site) slow(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = delay
}

func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// follow opens the keys of a site and runs them until the end of the test. The second result has what was reported.
func follow(t *testing.T, s *site) (*token.Verifier, *token.Keys, func() []error) {
	t.Helper()
	var mu sync.Mutex
	var reported []error
	keys, err := token.OpenKeys(t.Context(), token.KeysOptions{
		Location: "https://issuer.example/jwks", Transport: s, Refresh: 10 * time.Minute,
		Report: func(err error) { mu.Lock(); defer mu.Unlock(); reported = append(reported, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: keys}}})
	go v.Run(t.Context())
	synctest.Wait()
	return v, keys, func() []error { mu.Lock(); defer mu.Unlock(); return append([]error(nil), reported...) }
}

func keySetOf(t testing.TB, s *token.Signer) string {
	t.Helper()
	text, err := s.MarshalKeySet()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func longLived(t testing.TB, s *token.Signer) string {
	t.Helper()
	text, err := s.Mint("alice", "discover", "kith", time.Now(), 1000*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRefresh replaces the keys of an issuer: the new one is good and the old one is not, when the time has passed.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newSigner(t), newSigner(t)
		s := &site{text: keySetOf(t, first)}
		v, keys, reported := follow(t, s)
		old := longLived(t, first)
		if _, err := v.Verify(old, token.ScopeDiscover); err != nil {
			t.Fatal(err)
		}
		s.set(keySetOf(t, second), nil)
		time.Sleep(10*time.Minute - time.Second)
		if _, err := v.Verify(old, token.ScopeDiscover); err != nil || s.count() != 1 {
			t.Errorf("before the time: got %v after %d reads, want one", err, s.count())
		}
		time.Sleep(2 * time.Second)
		if _, err := v.Verify(old, token.ScopeDiscover); err != token.ErrToken {
			t.Errorf("withdrawn key: got %v, want ErrToken", err)
		}
		if _, err := v.Verify(longLived(t, second), token.ScopeDiscover); err != nil {
			t.Errorf("new key: got %v", err)
		}
		if got := reported(); len(got) != 1 || got[0] != nil {
			t.Errorf("reported %v, want one success", got)
		}
		if age := time.Since(keys.State().Read); age > 2*time.Second {
			t.Errorf("read %v ago", age)
		}
	})
}

// TestLastGoodKeysStay has the URL fail in every way: tokens stay valid, and reads are tried again with growing pauses.
func TestLastGoodKeysStay(t *testing.T) {
	for name, fail := range map[string]func(*site){
		"away":       func(s *site) { s.set("", errors.New("connection refused")) },
		"no set":     func(s *site) { s.set("<html>", nil) },
		"empty set":  func(s *site) { s.set(`{"keys":[]}`, nil) },
		"no key":     func(s *site) { s.set(set(rsaKey), nil) },
		"too long":   func(s *site) { s.set(strings.Repeat(" ", 1<<20), nil) },
		"no answer":  func(s *site) { s.slow(time.Hour) },
		"nonsensual": func(s *site) { s.set(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signer := newSigner(t)
				s := &site{text: keySetOf(t, signer)}
				v, keys, reported := follow(t, s)
				text := longLived(t, signer)
				fail(s)
				// After 10 min, then after 30 s, 1, 2, 4, 8 and 10 min more: with five seconds each for one that hangs.
				for i, after := range []time.Duration{10 * time.Minute, 30 * time.Second, time.Minute, 2 * time.Minute,
					4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
					time.Sleep(after)
					synctest.Wait()
					if got := s.count(); got != i+2 {
						t.Fatalf("failure %d: %d reads, want %d", i+1, got, i+2)
					}
					if _, err := v.Verify(text, token.ScopeDiscover); err != nil {
						t.Errorf("after %d failures: got %v", i+1, err)
					}
				}
				time.Sleep(6 * time.Second)
				if got := keys.State().Failures; got != 8 || len(reported()) != 8 {
					t.Errorf("%d failures, %d reported, want 8", got, len(reported()))
				}
				for _, err := range reported() {
					if err == nil {
						t.Error("a success was reported")
					}
				}
				s.set(keySetOf(t, signer), nil)
				s.slow(0)
				time.Sleep(10 * time.Minute)
				if got := keys.State().Failures; got != 0 {
					t.Errorf("%d failures after a success", got)
				}
			})
		})
	}
}

// TestUnknownKeyIsLookedUp begins to use a key between two planned reads: its first token waits for one read, and a crowd for the
// same. Tokens that name what nobody has cause a read each 30 s at most, and are refused at once between them.
func TestUnknownKeyIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newSigner(t), newSigner(t)
		s := &site{text: keySetOf(t, first), delay: 200 * time.Millisecond}
		v, _, _ := follow(t, s)
		time.Sleep(time.Minute)
		s.set(keySetOf(t, second), nil)
		text := longLived(t, second)
		var crowd sync.WaitGroup
		for range 100 {
			crowd.Go(func() {
				if _, err := v.Verify(text, token.ScopeDiscover); err != nil {
					t.Errorf("new key: got %v", err)
				}
			})
		}
		crowd.Wait()
		if got := s.count(); got != 2 {
			t.Errorf("a crowd caused %d reads, want one", got-1)
		}

		began, unknown := time.Now(), longLived(t, newSigner(t))
		for range 1000 {
			if _, err := v.Verify(unknown, token.ScopeDiscover); err != token.ErrToken {
				t.Fatalf("unknown key: got %v, want ErrToken", err)
			}
		}
		if took := time.Since(began); took != 0 || s.count() != 2 {
			t.Errorf("a thousand unknown keys took %v and %d reads, want none", took, s.count()-2)
		}
		time.Sleep(time.Minute)
		for range 850 { // 85 s
			_, _ = v.Verify(unknown, token.ScopeDiscover)
			time.Sleep(100 * time.Millisecond)
		}
		if got := s.count() - 2; got != 3 {
			t.Errorf("unknown keys for 85 s caused %d reads, want 3", got)
		}
		s.slow(time.Hour)
		time.Sleep(time.Minute)
		began = time.Now()
		_, _ = v.Verify(unknown, token.ScopeDiscover)
		if took := time.Since(began); took != time.Second {
			t.Errorf("a token waited %v for an issuer that hangs, want 1 s", took)
		}
	})
}

// TestReadsEnd ends a read of an issuer that hangs after five seconds, and Run with its context.
func TestReadsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{delay: time.Hour}
		began := time.Now()
		_, err := token.OpenKeys(t.Context(), token.KeysOptions{Location: "https://issuer.example/", Transport: s})
		if took := time.Since(began); !errors.Is(err, token.ErrUnreadable) || took != 5*time.Second {
			t.Errorf("got %v after %v, want ErrUnreadable after 5 s", err, took)
		}

		signer := newSigner(t)
		s = &site{text: keySetOf(t, signer)}
		keys, err := token.OpenKeys(t.Context(), token.KeysOptions{
			Location: "https://issuer.example/", Transport: s,
			Report: func(err error) { t.Errorf("reported %v for a read that shutdown ended", err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		s.slow(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { keys.Run(ctx); close(done) }()
		time.Sleep(5*time.Minute + time.Second) // a read is under way
		cancel()
		<-done
		if took := time.Since(began); took != 5*time.Minute+6*time.Second {
			t.Errorf("Run ended late, after %v", took)
		}
		// Without Run nobody waits.
		time.Sleep(time.Minute)
		began = time.Now()
		v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: keys}}})
		if _, err := v.Verify(longLived(t, newSigner(t)), token.ScopeDiscover); err != token.ErrToken || time.Since(began) != 0 {
			t.Errorf("unknown key without Run: got %v after %v", err, time.Since(began))
		}
	})
}

// TestFileIsFollowed writes another file in the place of the first, as a mounted secret changes.
func TestFileIsFollowed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	first, second := newSigner(t), newSigner(t)
	path := filepath.Join(t.TempDir(), "keys.pem")
	write := func(text []byte, err error) {
		t.Helper()
		if err == nil {
			err = os.WriteFile(path+".new", text, 0o600)
		}
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(first.MarshalPublicPEM())
	read := make(chan error, 100)
	keys, err := token.OpenKeys(t.Context(), token.KeysOptions{
		Location: path, Refresh: 5 * time.Millisecond,
		Report: func(err error) {
			select {
			case read <- err:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, token.Config{Issuers: []token.Issuer{{Keys: keys}}})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { v.Run(ctx) })
	defer running.Wait()
	defer cancel()
	write(second.MarshalKeySet())
	for {
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(longLived(t, second), token.ScopeDiscover); err == nil {
			break
		}
	}
	if _, err := v.Verify(longLived(t, first), token.ScopeDiscover); err != token.ErrToken {
		t.Errorf("the key that is gone: got %v, want ErrToken", err)
	}
}
