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

// maxHeader bounds the headers of a request, bytes.
const maxHeader = 16 << 10

// Timeouts bound how long a slow or hostile peer can hold a connection.
type Timeouts struct {
	Header time.Duration // to send the headers; default 5 s
	Read   time.Duration // to send headers and body; default 15 s
	Write  time.Duration // from the end of the headers to the end of the answer; default 30 s
	Idle   time.Duration // between requests; default 60 s
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
	TLS     *tls.Config // nil for plain HTTP, as behind a proxy on the same machine
	// Timeouts default to DefaultTimeouts, each by itself.
	Timeouts Timeouts
}

// Run answers on all listeners until ctx ends, then stops accepting, lets requests under way finish for at most grace,
// and closes. It returns the first error that ended a listener, or context.DeadlineExceeded if requests were cut off.
func (s *Server) Run(ctx context.Context, grace time.Duration, listeners ...Listener) error {
	ended := make(chan error, len(listeners))
	var servers []*http.Server
	for _, l := range listeners {
		hs := newHTTPServer(l)
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
	s.closing.Store(true)
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
	return &http.Server{
		Handler: l.Handler, TLSConfig: l.TLS,
		ReadHeaderTimeout: t.Header, ReadTimeout: t.Read, WriteTimeout: t.Write, IdleTimeout: t.Idle,
		MaxHeaderBytes: maxHeader,
		// net/http would log the addresses of peers.
		ErrorLog: log.New(io.Discard, "", 0),
	}
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
