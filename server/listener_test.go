package server_test

import (
	"bufio"
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

	"go.uber.org/goleak"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/directory"
)

// running is a server in Run.
type running struct {
	public, admin string // addresses
	stop          context.CancelFunc
	ended         chan error // receives what Run returned
}

// run starts a server on two listeners of its own.
func (s *stack) run(t *testing.T, grace time.Duration, timeouts server.Timeouts) running {
	t.Helper()
	public, admin := listen(t), listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	r := running{public.Addr().String(), admin.Addr().String(), cancel, make(chan error, 1)}
	go func() {
		r.ended <- s.server.Run(ctx, grace,
			server.Listener{Listener: public, Handler: s.server.Handler(), Timeouts: timeouts},
			server.Listener{Listener: admin, Handler: s.server.AdminHandler()})
	}()
	t.Cleanup(cancel)
	return r
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

// blocking is a Directory whose lookups wait.
type blocking struct{ entered, release chan struct{} }

func newBlocking() blocking { return blocking{make(chan struct{}, 1), make(chan struct{})} }

func (b blocking) Match(ctx context.Context, _ directory.Layout, _ []crypto.Tag) ([]directory.Match, error) {
	b.entered <- struct{}{}
	select {
	case <-b.release:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lookUpLater makes a lookup in the background and returns where its status arrives, 0 for none.
func lookUpLater(client *http.Client, address string) <-chan int {
	status := make(chan int, 1)
	go func() {
		response, err := client.Post("http://"+address+matchesPath, mimePacked, strings.NewReader("tag of 16 bytes."))
		if err != nil {
			status <- 0
			return
		}
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	return status
}

// leavesNothing returns a function that fails the test if goroutines are left that do not run now. The keyring's
// subscription, which may be about to begin, is of the stack.
func leavesNothing(t *testing.T) func() {
	subscription := "github.com/redis/go-redis/v9.(*channel)."
	options := []goleak.Option{
		goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction(subscription + "initMsgChan.func1"),
		goleak.IgnoreAnyFunction(subscription + "initHealthCheck.func1"),
	}
	return func() { goleak.VerifyNone(t, options...) }
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	slow := newBlocking()
	s := newStack(t, func(c *server.Config) { c.Directory = slow })
	defer leavesNothing(t)()
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()

	r := s.run(t, time.Minute, server.Timeouts{})
	status := lookUpLater(client, r.public)
	<-slow.entered
	ready := func() int {
		response, err := client.Get("http://" + r.admin + "/readyz")
		must(t, err)
		_ = response.Body.Close()
		return response.StatusCode
	}
	if got := ready(); got != 200 {
		t.Errorf("/readyz before: got %d, want 200", got)
	}
	r.stop()
	for { // until the public address takes no more
		conn, err := net.Dial("tcp", r.public)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	if got := ready(); got != 503 {
		t.Errorf("/readyz while shutting down: got %d, want 503", got)
	}
	select {
	case err := <-r.ended:
		t.Fatalf("Run returned %v with a request under way", err)
	default:
	}
	close(slow.release)
	if got := <-status; got != 200 {
		t.Errorf("the request under way: got %d, want 200", got)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
}

func TestShutdownCutsOffAfterGrace(t *testing.T) {
	slow := newBlocking()
	s := newStack(t, func(c *server.Config) { c.Directory = slow })
	defer leavesNothing(t)()
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()

	r := s.run(t, 50*time.Millisecond, server.Timeouts{})
	status := lookUpLater(client, r.public)
	<-slow.entered
	r.stop()
	if err := <-r.ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: got %v, want DeadlineExceeded", err)
	}
	if got := <-status; got != 0 {
		t.Errorf("the request under way: got %d, want none", got)
	}
}

func TestRunEndsWithTheErrorOfAListener(t *testing.T) {
	s := newStack(t)
	defer leavesNothing(t)()
	broken, whole := listen(t), listen(t)
	must(t, broken.Close())
	err := s.server.Run(context.Background(), time.Second,
		server.Listener{Listener: whole, Handler: s.server.Handler()},
		server.Listener{Listener: broken, Handler: s.server.AdminHandler()})
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run: got %v, want ErrClosed", err)
	}
	if _, err := net.Dial("tcp", whole.Addr().String()); err == nil {
		t.Error("the other listener is still open")
	}
}

// TestRunLeavesNoListenerOpen ends Run before its listeners have begun.
func TestRunLeavesNoListenerOpen(t *testing.T) {
	s := newStack(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		a, b := listen(t), listen(t)
		err := s.server.Run(ctx, time.Second,
			server.Listener{Listener: a, Handler: s.server.Handler()},
			server.Listener{Listener: b, Handler: s.server.AdminHandler()})
		if err != nil {
			t.Fatalf("Run: %v", err)
		}
		for _, l := range []net.Listener{a, b} {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				t.Fatal("a listener is still open")
			}
		}
	}
}

// TestSlowAndLargeRequestsAreCut sends what would hold a connection for ever.
func TestSlowAndLargeRequestsAreCut(t *testing.T) {
	s := newStack(t)
	timeouts := server.Timeouts{Header: 200 * time.Millisecond, Read: 300 * time.Millisecond}
	r := s.run(t, time.Second, timeouts)
	const post = "POST " + matchesPath + " HTTP/1.1\r\nHost: x\r\nContent-Type: " + mimePacked + "\r\n"
	tests := []struct {
		name   string
		sent   string
		status int // of the answer, 0 for none
	}{
		{"nothing", "", 0},
		{"headers without end", "GET /v1/directory HTTP/1.1\r\nHost: x\r\n", 0},
		{"body without end", post + "Content-Length: 16\r\n\r\ntag", 408},
		{"chunk without end", post + "Transfer-Encoding: chunked\r\n\r\n10\r\ntag", 408},
		{"headers of 32 KiB", "GET /v1/directory HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", 431},
		{"path of 32 KiB", "GET /" + strings.Repeat("x", 32<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", r.public)
			must(t, err)
			defer conn.Close()
			// Only so that a failure ends; how long the server takes is not what is tested.
			must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			_, err = io.WriteString(conn, test.sent)
			must(t, err)
			reader := bufio.NewReader(conn)
			status := 0
			if response, err := http.ReadResponse(reader, nil); err == nil {
				status = response.StatusCode
				_, _ = io.Copy(io.Discard, response.Body)
			}
			if status != test.status {
				t.Errorf("got %d, want %d", status, test.status)
			}
			if _, err := io.Copy(io.Discard, reader); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
				t.Error("the connection stays open")
			}
		})
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func TestTLS(t *testing.T) {
	s := newStack(t)
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate and a client that trusts it
	defer certified.Close()
	l := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- s.server.Run(ctx, time.Second, server.Listener{
			Listener: l, Handler: s.server.Handler(),
			TLS: &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS13},
		})
	}()
	client := certified.Client()
	response, err := client.Get("https://" + l.Addr().String() + "/v1/directory")
	must(t, err)
	_ = response.Body.Close()
	if response.StatusCode != 200 || response.TLS.Version != tls.VersionTLS13 || response.TLS.CurveID != tls.X25519MLKEM768 {
		t.Errorf("got %d over TLS %#x with %v, want 200 over TLS 1.3 with X25519MLKEM768", response.StatusCode, response.TLS.Version, response.TLS.CurveID)
	}
	client.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
