package directory_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// cut is where a proxy breaks the next connection that sends a script call.
type cut int32

const (
	cutNothing cut = iota
	// cutBefore drops the call: it never reaches the server.
	cutBefore
	// cutAfter drops the reply: the call took effect.
	cutAfter
)

// proxy is a TCP proxy before a Redis server that can break a connection at a chosen moment.
type proxy struct {
	listener net.Listener
	target   string
	armed    atomic.Int32 // a cut, taken by the first call that meets it
	cuts     atomic.Int32 // how often it was taken
}

// startProxy starts a proxy to the server at target, stopped when the test ends.
func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(client) })
		}
	})
	// Runs after the clients were closed, which were made later, so that every connection ends.
	t.Cleanup(func() { listener.Close(); wg.Wait() })
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// arm makes the proxy break the next script call.
func (p *proxy) arm(c cut) { p.armed.Store(int32(c)) }

// serve copies between client and server until either ends or a cut is due.
func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()

	var dropReply atomic.Bool
	go func() {
		defer client.Close()
		defer server.Close()
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
			switch cut(p.armed.Swap(int32(cutNothing))) {
			case cutBefore:
				p.cuts.Add(1)
				return
			case cutAfter:
				p.cuts.Add(1)
				dropReply.Store(true)
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(buf[:n])); err != nil {
			return
		}
		if dropReply.Load() {
			// The reply's reader closes both ends once the server has answered, so the call has taken effect by then.
			_, _ = io.Copy(io.Discard, client)
			return
		}
	}
}
