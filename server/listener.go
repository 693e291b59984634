package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

const (
	// maxHeader bounds the headers of a request, bytes.
	maxHeader = 16 << 10
	// maxConnBuffer and maxStreamBuffer bound what HTTP/2 keeps of bodies that nobody has read yet, of a connection and of
	// one request, bytes. The largest lookup, 124 KB in JSON, comes in two round trips. By the defaults, 1 MiB each, 4,096
	// connections could take 4 GiB.
	maxConnBuffer   = 128 << 10
	maxStreamBuffer = 64 << 10
)

// Timeouts bound how long a slow or hostile peer can hold a connection.
type Timeouts struct {
	// Header is the time to send the headers, and before that to finish the TLS handshake; default 5 s. In HTTP/2, where
	// headers that do not end hold up nothing but their own connection, Idle bounds them.
	Header time.Duration
	Read   time.Duration // to send headers and body; default 15 s
	// Write is the time from the end of the headers to the end of the answer; default 30 s. A single write to the network,
	// such as a TLS record of 16 KiB, may take as long: a peer that reads more slowly loses its connection.
	Write time.Duration
	Idle  time.Duration // between requests; default 60 s
}

// DefaultTimeouts are the timeouts where none are configured.
var DefaultTimeouts = Timeouts{Header: 5 * time.Second, Read: 15 * time.Second, Write: 30 * time.Second, Idle: 60 * time.Second}

// withDefaults returns the timeouts with those of DefaultTimeouts in place of zeros, which net/http takes for no bound.
func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Header: cmp.Or(t.Header, DefaultTimeouts.Header),
		Read:   cmp.Or(t.Read, DefaultTimeouts.Read),
		Write:  cmp.Or(t.Write, DefaultTimeouts.Write),
		Idle:   cmp.Or(t.Idle, DefaultTimeouts.Idle),
	}
}

// Listener is an address with what answers there.
type Listener struct {
	net.Listener
	Handler http.Handler
	Name    string      // in metrics, such as "public"; default "unnamed"
	TLS     *tls.Config // as of TLS.Config; nil for plain HTTP, as behind a proxy on the same machine
	// H2C lets clients of plain HTTP speak HTTP/2 from the first byte (RFC 9113, Section 3.3), as some proxies do. It has no
	// effect with TLS, where HTTP/2 is negotiated.
	H2C bool
	// Timeouts default to DefaultTimeouts, each by itself.
	Timeouts Timeouts
	// Connections default to DefaultConnections, each by itself.
	Connections Connections
}

// Run answers on all listeners until ctx ends, then stops accepting, lets requests under way finish for at most grace,
// and closes. It returns the first error that ended a listener, or context.DeadlineExceeded if requests were cut off.
func (s *Server) Run(ctx context.Context, grace time.Duration, listeners ...Listener) error {
	ended := make(chan error, len(listeners))
	var servers []*http.Server
	for _, l := range listeners {
		hs := newHTTPServer(l)
		l.Listener = s.track(l)
		servers = append(servers, hs)
		go func() { ended <- serve(hs, l) }()
	}
	var err error
	serving := len(listeners)
	select {
	case <-ctx.Done():
	case err = <-ended:
		serving--
	}
	s.close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	for _, hs := range servers {
		if e := hs.Shutdown(stop); e != nil {
			_ = hs.Close()
			err = errors.Join(err, e)
		}
	}
	// One that had not begun when it was shut down closes its listener only now.
	for range serving {
		err = errors.Join(err, <-ended)
	}
	return err
}

func newHTTPServer(l Listener) *http.Server {
	t := l.Timeouts.withDefaults()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(l.TLS != nil)
	protocols.SetUnencryptedHTTP2(l.TLS == nil && l.H2C)
	return &http.Server{
		Handler: closeAmbiguous(l.Handler), TLSConfig: l.TLS, Protocols: protocols, ConnState: connState,
		ReadHeaderTimeout: t.Header, ReadTimeout: t.Read, WriteTimeout: t.Write, IdleTimeout: t.Idle,
		MaxHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          l.Connections.withDefaults().Streams,
			MaxReceiveBufferPerConnection: maxConnBuffer, MaxReceiveBufferPerStream: maxStreamBuffer,
		},
		// net/http would log the addresses of peers.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// closeAmbiguous ends the connection after a request whose end another server could see elsewhere, so that what follows it
// is never taken for a request of its own: RFC 9112, Section 6.1, asks for it where Content-Length and Transfer-Encoding are
// both given, of which net/http shows only the latter, and where HTTP/1.0 has Transfer-Encoding, of which it shows nothing.
func closeAmbiguous(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 || !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func serve(hs *http.Server, l Listener) error {
	var err error
	if l.TLS != nil {
		err = hs.ServeTLS(l.Listener, "", "")
	} else {
		err = hs.Serve(l.Listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
