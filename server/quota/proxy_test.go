package quota_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/redistest"
)

// cut is where a proxy breaks a connection that sends a script call.
type cut int32

const (
	cutNothing cut = iota
	cutBefore      // the call never reaches the server
	cutAfter       // the call takes effect, and its reply is dropped
)

// proxy is a TCP proxy before a Redis server that can break connections at a chosen moment.
type proxy struct {
	server   *redistest.Server
	listener net.Listener
	choose   atomic.Pointer[func() cut] // asked for each script call
	cuts     atomic.Int32               // how many were made
}

// startProxy starts a proxy that cuts nothing yet, stopped when the test ends.
func startProxy(t *testing.T, server *redistest.Server) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{server: server, listener: listener}
	p.cutting(func() cut { return cutNothing })
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
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return p
}

// client returns a client that goes through the proxy. Where retries is -1, it never repeats a command by itself.
func (p *proxy) client(t *testing.T, retries int) *redis.Client {
	t.Helper()
	options := p.server.Options()
	options.Addr, options.MaxRetries = p.listener.Addr().String(), retries
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// cutting sets where script calls are cut from now on.
func (p *proxy) cutting(choose func() cut) { p.choose.Store(&choose) }

// cutNext cuts the next script call alone.
func (p *proxy) cutNext(where cut) {
	var once atomic.Bool
	p.cutting(func() cut {
		if once.Swap(true) {
			return cutNothing
		}
		return where
	})
}

// serve copies between client and server until either ends or a cut is made.
func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server.Addr())
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
			switch (*p.choose.Load())() {
			case cutBefore:
				p.cuts.Add(1)
				return
			case cutAfter:
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
