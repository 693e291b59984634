package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server"
)

// patience is how long tests wait for what must happen at last. It only makes a failure end.
const patience = time.Minute

// listening is a server that answers on one listener.
type listening struct {
	server  *server.Server
	address string
	stop    context.CancelFunc
	ended   chan error
}

// bare returns a server with nothing below it, for listeners with handlers of their own.
func bare() *server.Server { return server.New(server.Config{Metrics: server.NewMetrics()}) }

// serveOn serves a listener at a free port until end is called, or the test ends. Its name is "public", and its handler
// that of the server unless it has one.
func serveOn(t *testing.T, s *server.Server, l server.Listener) *listening {
	t.Helper()
	l.Listener, l.Name = listen(t), "public"
	if l.Handler == nil {
		l.Handler = s.Handler()
	}
	ctx, cancel := context.WithCancel(context.Background())
	running := &listening{s, l.Addr().String(), cancel, make(chan error, 1)}
	t.Cleanup(cancel)
	go func() { running.ended <- s.Run(ctx, patience, l) }()
	return running
}

// end stops the server.
func (l *listening) end(t *testing.T) {
	t.Helper()
	l.stop()
	if err := <-l.ended; err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
}

// metric reads a sample of /metrics, 0 if there is none.
func (l *listening) metric(t testing.TB, sample string) int {
	t.Helper()
	w := httptest.NewRecorder()
	l.server.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(sample) + ` (\d+)$`).FindStringSubmatch(w.Body.String())
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	must(t, err)
	return n
}

// open returns how many connections are open.
func (l *listening) open(t testing.TB) int {
	t.Helper()
	return l.metric(t, `kith_connections{listener="public"}`)
}

// closed returns how many connections the server has closed for a reason.
func (l *listening) closed(t testing.TB, why string) int {
	t.Helper()
	return l.metric(t, `kith_connections_closed_total{listener="public",why="`+why+`"}`)
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: not %s", patience, what)
		}
	}
}

// freed waits until no connection is open.
func (l *listening) freed(t *testing.T) {
	t.Helper()
	eventually(t, "all connections closed", func() bool { return l.open(t) == 0 })
}

// answered checks that a client that behaves gets an answer, which under an attack may take it more than one attempt.
func (l *listening) answered(t *testing.T, transport *http.Transport, url string) {
	t.Helper()
	transport.DisableKeepAlives = true
	client := &http.Client{Transport: transport, Timeout: patience}
	eventually(t, "answered", func() bool {
		response, err := client.Get(url)
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// answers is answered for plain HTTP.
func (l *listening) answers(t *testing.T) {
	t.Helper()
	l.answered(t, new(http.Transport), "http://"+l.address+"/v1/directory")
}

// dial opens a connection, which is closed with the test.
func (l *listening) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.address)
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// dribble writes a text, and then x after x, until the peer takes no more. The channel is closed then.
func dribble(conn net.Conn, text string) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, err := io.WriteString(conn, text); err == nil; _, err = io.WriteString(conn, "x") {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return ended
}

// directoryOnly answers GET /v1/directory with nothing, and everything else with a handler.
func directoryOnly(rest http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/directory") {
			return
		}
		rest(w, r)
	})
}
