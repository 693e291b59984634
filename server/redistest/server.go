package redistest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// portAttempts bounds how often another port is tried when somebody took the free one first.
	portAttempts = 5
	// startTimeout is how long a server may take until it answers, for slow machines; it is not a speed that is expected.
	startTimeout = 30 * time.Second
	pollInterval = 10 * time.Millisecond
)

var errExited = errors.New("redistest: redis-server exited while starting")

// Server is a redis-server process that belongs to one test.
type Server struct {
	tb     testing.TB
	dir    string
	port   int
	config config

	process *exec.Cmd
	exited  chan struct{} // closed when process has ended and was reaped

	client *redis.Client // of control, or nil
}

// Start starts a server and returns when it answers. It ends the test if there is no redis-server or it does not start.
// The server is killed, and its data removed, when the test ends.
func Start(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		tb.Fatal("redistest: no redis-server on PATH; install it with `apt-get install redis-server` or `brew install redis`")
	}
	logging.Disable()

	s := &Server{tb: tb, dir: tb.TempDir(), config: config{password: rand.Text()}}
	for _, opt := range opts {
		opt(&s.config)
	}
	tb.Cleanup(s.Kill)

	for range portAttempts {
		s.port = freePort(tb)
		s.writeConfig()
		err := s.launch()
		if err == nil {
			return s
		}
		if !errors.Is(err, errExited) || !strings.Contains(s.log(), "Address already in use") {
			tb.Fatalf("%v\n%s", err, s.log())
		}
	}
	tb.Fatalf("redistest: no free port in %d attempts", portAttempts)
	return nil
}

// Addr returns the host and port of the server.
func (s *Server) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// Password returns the password of the server's default user.
func (s *Server) Password() string {
	return s.config.password
}

// URL returns the address in the form of redis.ParseURL: redis://:password@host:port/0.
func (s *Server) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", s.config.password), Host: s.Addr(), Path: "/0"}
	return u.String()
}

// Client returns a new client of the server with go-redis's defaults, closed when the test ends.
func (s *Server) Client() *redis.Client {
	client := redis.NewClient(s.Options())
	s.tb.Cleanup(func() { client.Close() })
	return client
}

// control returns the client that the package itself asks the server by.
func (s *Server) control() *redis.Client {
	if s.client == nil {
		s.client = s.Client()
	}
	return s.client
}

// Options returns the options of a client of the server, for tests that change some before they connect.
func (s *Server) Options() *redis.Options {
	return &redis.Options{
		Addr:                     s.Addr(),
		Password:                 s.config.password,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Kill ends the process with SIGKILL, as a crash would, and returns when it is gone. Without a process it does nothing.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	s.signal(syscall.SIGKILL)
	<-s.exited
	s.process = nil
}

// Restart starts the process again after Kill, on the same port and data, and returns when it answers. A server that
// still runs is killed first.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	if err := s.launch(); err != nil {
		s.tb.Fatalf("%v\n%s", err, s.log())
	}
}

// Pause stops the process with SIGSTOP: connections stay open, and nothing is answered until Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume continues a process after Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	// An error means that the process has ended by itself, which the waiting goroutine sees as well.
	_ = s.process.Process.Signal(sig)
}

// launch starts the process and waits until it answers. It returns an error wrapping errExited if the process ends
// before that.
func (s *Server) launch() error {
	cmd := exec.Command("redis-server", filepath.Join(s.dir, "redis.conf"))
	cmd.Dir = s.dir
	cmd.SysProcAttr = endWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // a killed process is no error here
		close(exited)
	}()
	s.process, s.exited = cmd, exited
	return s.waitReady()
}

// waitReady returns when the server has loaded its data and answers, or an error when it ended or startTimeout passed.
func (s *Server) waitReady() error {
	client := redis.NewClient(s.Options())
	defer client.Close()
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		if err := client.Ping(context.Background()).Err(); err == nil {
			return nil
		}
		select {
		case <-s.exited:
			s.process = nil
			return errExited
		case <-time.After(pollInterval):
		}
	}
	return fmt.Errorf("redistest: redis-server not ready within %v", startTimeout)
}

// writeConfig writes the server's redis.conf: the shipped one, the test's options, and what makes the server private.
func (s *Server) writeConfig() {
	s.tb.Helper()
	directives := append([]directive{}, s.config.directives...)
	directives = append(directives,
		directive{"bind", "127.0.0.1"},
		directive{"port", strconv.Itoa(s.port)},
		directive{"dir", s.dir},
		directive{"logfile", filepath.Join(s.dir, "log")},
		directive{"requirepass", s.config.password},
		directive{"masterauth", s.config.password},
	)
	var text strings.Builder
	fmt.Fprintf(&text, "include %q\n", shippedConfig(s.tb))
	for _, d := range directives {
		fmt.Fprintf(&text, "%s %q\n", d.name, d.value)
	}
	// Only the owner may read it: it holds the password.
	if err := os.WriteFile(filepath.Join(s.dir, "redis.conf"), []byte(text.String()), 0o600); err != nil {
		s.tb.Fatalf("redistest: %v", err)
	}
}

// log returns what the server wrote to its log file, for the message of a failure to start.
func (s *Server) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text)
}

// shippedConfig returns the path of deploy/redis.conf, found from the test's folder upwards: the source path that the
// compiler records is not a file path when tests are built with -trimpath.
func shippedConfig(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "deploy", "redis.conf")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	tb.Fatal("redistest: no deploy/redis.conf above the test's folder")
	return ""
}

// freePort returns a port that was free a moment ago.
func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
