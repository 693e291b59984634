package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, tt := range []struct {
		name, value, date string
		want              time.Duration
	}{
		{"missing", "", "", 0},
		{"seconds", "120", "", 2 * time.Minute},
		{"zero", "0", "", 0},
		{"negative", "-5", "", 0},
		{"fraction", "1.5", "", 0},
		{"words", "soon", "", 0},
		{"more than a year", "4000000000", "", maxRetryAfter},
		{"overflow", "99999999999999999999", "", 0},
		{"date", at(time.Hour), "", time.Hour},
		{"date in the past", at(-time.Hour), "", 0},
		{"date, and the clock of the phone is an hour late", at(2 * time.Hour), at(time.Hour), time.Hour},
		{"date far away", at(10 * maxRetryAfter), "", maxRetryAfter},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Retry-After": {tt.value}}
			if tt.date != "" {
				h.Set("Date", tt.date)
			}
			if got := retryAfter(h, now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRetryWaits(t *testing.T) {
	p := defaultRetryPolicy(time.Minute)
	p.jitter = func(limit time.Duration) time.Duration { return limit } // the longest
	network := &networkError{"test", io.ErrUnexpectedEOF}
	for _, tt := range []struct {
		name string
		err  error
		try  int
		want time.Duration // negative: no more tries
	}{
		{"network, first", network, 1, 500 * time.Millisecond},
		{"network, second", network, 2, time.Second},
		{"network, fifth", network, 5, 8 * time.Second},
		{"network, last", network, MaxTries, -1},
		{"certificate", &networkError{"test", &tls.CertificateVerificationError{Err: io.EOF}}, 1, -1},
		{"429", &ProblemError{Status: 429}, 1, 500 * time.Millisecond},
		{"429 with Retry-After", &ProblemError{Status: 429, RetryAfter: time.Minute}, 1, 60500 * time.Millisecond},
		{"429 with a longer one", &ProblemError{Status: 429, RetryAfter: time.Minute + 1}, 1, -1},
		{"500", &ProblemError{Status: 500}, 1, 500 * time.Millisecond},
		{"501", &ProblemError{Status: 501}, 1, -1},
		{"400", &ProblemError{Status: 400}, 1, -1},
		{"answer", ErrAnswer, 1, -1},
		{"token source's error", errors.New("signed out"), 1, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, again := p.wait(tt.err, tt.try)
			if again != (tt.want >= 0) || again && got != tt.want {
				t.Errorf("got %v and %v, want %v", got, again, tt.want)
			}
		})
	}
}

func TestJitterIsFull(t *testing.T) {
	p := defaultRetryPolicy(0)
	var low, high bool
	for range 1000 {
		d := p.jitter(100)
		if d < 0 || d > 100 {
			t.Fatalf("got %d, want 0 to 100", d)
		}
		low, high = low || d < 10, high || d > 90
	}
	if !low || !high {
		t.Errorf("1000 draws do not cover the range: low %v, high %v", low, high)
	}
}

func TestRetryEndsWithContext(t *testing.T) {
	p := defaultRetryPolicy(time.Hour)
	problem := &ProblemError{Status: 503, RetryAfter: time.Hour}
	t.Run("while waiting", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := p.do(ctx, func() ([]byte, error) { return nil, problem })
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, problem) {
			t.Errorf("got error %v, want that of ctx and the problem", err)
		}
	})
	t.Run("while asking", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		_, err := p.do(ctx, func() ([]byte, error) { tries++; cancel(); return nil, problem })
		if !errors.Is(err, context.Canceled) || tries != 1 {
			t.Errorf("got error %v after %d tries, want that of ctx after 1", err, tries)
		}
	})
}

// TestNetworkErrorsQuoteNothing: net/http quotes an answer that is no HTTP, which can be an echo.
func TestNetworkErrorsQuoteNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			_, _ = conn.Read(make([]byte, 1<<10))
			_, _ = io.WriteString(conn, "+14155550100 is what you sent\r\n\r\n")
			_ = conn.Close()
		}
	}()
	err = callError(t, "http://"+listener.Addr().String(), time.Minute, nil)
	if strings.Contains(err.Error(), "415") || !strings.Contains(err.Error(), "evaluations: ") {
		t.Errorf("got error %v", err)
	}
}

func TestNetworkErrors(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		if err := callError(t, "http://127.0.0.1:1", time.Minute, nil); !strings.Contains(err.Error(), "refused") {
			t.Errorf("got error %v, want connection refused", err)
		}
	})
	t.Run("certificate of an unknown authority", func(t *testing.T) {
		asked := 0
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = discardLog()
		server.StartTLS()
		defer server.Close()
		err := callError(t, server.URL, time.Minute, func(context.Context, time.Duration) error { asked++; return nil })
		if !strings.Contains(err.Error(), "certificate") || asked != 0 {
			t.Errorf("got error %v after %d waits, want the certificate's at once", err, asked)
		}
	})
	t.Run("no answer in time", func(t *testing.T) {
		hang := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}))
		defer server.Close()
		defer close(hang)
		if err := callError(t, server.URL, 20*time.Millisecond, nil); !strings.Contains(err.Error(), "in time") {
			t.Errorf("got error %v, want a timeout", err)
		}
	})
	t.Run("answer cut short", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", typePacked)
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "short")
		}))
		defer server.Close()
		if err := callError(t, server.URL, time.Minute, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got error %v, want ErrUnexpectedEOF", err)
		}
	})
}

// callError makes one call that has to fail, in all its tries. wait may be nil.
func callError(
	t *testing.T, server string, timeout time.Duration, wait func(context.Context, time.Duration) error,
) error {
	t.Helper()
	c, err := New(Options{
		Server: server, Token: StaticToken("t"), Region: "US", State: MemoryState(), RequestTimeout: timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.closeIdle()
	if wait == nil {
		wait = func(context.Context, time.Duration) error { return nil }
	}
	c.SetSleep(wait)
	q := request{name: "evaluations", via: c.metered, method: "POST", path: "/x", body: []byte{1}, accept: typePacked}
	q.limit = 64
	if _, err = c.call(t.Context(), q); err == nil {
		t.Fatal("the call succeeded")
	}
	return err
}
