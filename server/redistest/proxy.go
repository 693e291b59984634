package redistest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Cut is where a Proxy breaks a connection that sends a script call.
type Cut int32

const (
	CutNothing Cut = iota
	CutBefore      // the call never reaches the server
	CutAfter       // the call takes effect, and its reply is dropped
)

// Proxy is a TCP proxy before a Server that can break connections at a chosen moment. It may be used by many goroutines.
type Proxy struct {
	tb       testing.TB
	server   *Server
	listener net.Listener
	choose   atomic.Pointer[func() Cut] // asked for each script call
	cuts     atomic.Int32               // how many were made
}

// StartProxy starts a proxy that cuts nothing yet, stopped when the test ends.
func StartProxy(tb testing.TB, server *Server) *Proxy {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	p := &Proxy{tb: tb, server: server, listener: listener}
	p.Cutting(func() Cut { return CutNothing })
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(client) })
		}
	})
	// Runs after the clients were closed, which are made later, so that every connection ends.
	tb.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	return p
}

// Options returns the options of a client that goes through the proxy, for tests that change some before they connect.
func (p *Proxy) Options() *redis.Options {
	options := p.server.Options()
	options.Addr = p.listener.Addr().String()
	return options
}

// Client returns a client that goes through the proxy, closed when the test ends. Where retries is -1, it never repeats a
// command by itself.
func (p *Proxy) Client(retries int) *redis.Client {
	options := p.Options()
	options.MaxRetries = retries
	client := redis.NewClient(options)
	p.tb.Cleanup(func() { _ = client.Close() })
	return client
}

// Cutting sets where script calls are cut from now on.
func (p *Proxy) Cutting(choose func() Cut) { p.choose.Store(&choose) }

// CutNext cuts the next script call alone.
func (p *Proxy) CutNext(where Cut) {
	var once atomic.Bool
	p.Cutting(func() Cut {
		if once.Swap(true) {
			return CutNothing
		}
		return where
	})
}

// Cuts returns how many connections were cut.
func (p *Proxy) Cuts() int { return int(p.cuts.Load()) }

// serve copies between client and server until either ends or a cut is made.
func (p *Proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.server.Addr())
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()

	var dropReply atomic.Bool
	go func() {
		defer func() { _, _ = client.Close(), server.Close() }()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || dropReply.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()

	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(buf[:n]), []byte("eval")) {
			switch (*p.choose.Load())() {
			case CutBefore:
				p.cuts.Add(1)
				return
			case CutAfter:
				p.cuts.Add(1)
				dropReply.Store(true)
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
		if dropReply.Load() {
			// The reader of replies closes both ends once the server has answered: the call has taken effect by then.
			_, _ = io.Copy(io.Discard, client)
			return
		}
	}
}
