package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kith-project/kith/server"
)

// endpoint is one address of the flags, open.
type endpoint struct {
	net.Listener
	name    string // of the listener, in metrics and logs
	said    string // what announce calls it
	tls     *server.TLS
	handler func(*server.Server) http.Handler
}

// url returns where the endpoint answers.
func (e *endpoint) url() string {
	scheme := "http"
	if e.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + e.Addr().String()
}

// endpoints are the addresses of the flags: that of the public routes first.
type endpoints []*endpoint

// listen opens the addresses of the flags and reads the certificates.
func (f *transportFlags) listen(logger *slog.Logger, metrics *server.Metrics) (endpoints, error) {
	var open endpoints
	add := func(name, said, address string, files server.TLSFiles, handler func(*server.Server) http.Handler) error {
		e := &endpoint{name: name, said: said, handler: handler}
		var err error
		if e.tls, err = loadTLS(name, files, logger, metrics); err != nil {
			return err
		}
		if e.Listener, err = listenTCP(address); err != nil {
			return err
		}
		open = append(open, e)
		return nil
	}
	public := (*server.Server).Handler
	if f.RegisterAddr != "" {
		public = (*server.Server).DeviceHandler
	}
	err := add("public", "serving", f.Listen, server.TLSFiles{Cert: f.TLSCert, Key: f.TLSKey, ClientCA: f.TLSClientCA}, public)
	if err == nil && f.RegisterAddr != "" {
		cert, key := f.registerFiles()
		err = add("account-service", "register", f.RegisterAddr, server.TLSFiles{Cert: cert, Key: key, ClientCA: f.RegisterCA}, (*server.Server).AccountServiceHandler)
	}
	if err == nil && f.Admin != "" {
		err = add("admin", "admin", f.Admin, server.TLSFiles{Cert: f.AdminCert, Key: f.AdminKey, ClientCA: f.AdminCA}, (*server.Server).AdminHandler)
	}
	if err != nil {
		open.close()
		return nil, err
	}
	return open, nil
}

// loadTLS reads the files of a listener. It returns nil for one without a certificate.
func loadTLS(name string, files server.TLSFiles, logger *slog.Logger, metrics *server.Metrics) (*server.TLS, error) {
	if files.Cert == "" {
		return nil, nil
	}
	files.Logger = logger.With("listener", name)
	files.OnLoad = func(expires time.Time) { metrics.CertificateExpires(name, expires) }
	t, err := server.LoadTLS(files)
	if err != nil {
		return nil, certificateError(name, err)
	}
	return t, nil
}

// certificateError says which listener's files can not be used.
func certificateError(name string, err error) error {
	err = fmt.Errorf("certificate of the %s address: %w", name, err)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return withHint(err, "check the path, and that the server may read it")
	case errors.Is(err, server.ErrExpired):
		return withHint(err, "renew it: no client would connect")
	default:
		return withHint(err, "certificates and keys are in PEM, and the key is that of the first certificate")
	}
}

func listenTCP(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, withHint(err, "is another server running there? port 0 takes a free one")
	}
	return l, nil
}

// close closes the addresses; those that served are closed already.
func (all endpoints) close() {
	for _, e := range all {
		_ = e.Close()
	}
}

// serving puts a server behind the addresses.
func (all endpoints) serving(s *server.Server, f *transportFlags) []server.Listener {
	var listeners []server.Listener
	for _, e := range all {
		l := server.Listener{
			Listener: e.Listener, Handler: e.handler(s), Name: e.name, H2C: f.H2C && e.name != "admin", Connections: f.connections(e.name),
		}
		if e.tls != nil {
			l.TLS = e.tls.Config()
		}
		listeners = append(listeners, l)
	}
	return listeners
}

// hangups returns a channel of SIGHUP, which ends the process no more.
func hangups() <-chan os.Signal {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup
}

// follow reads certificates again when they change, and at once on a hangup, until ctx ends.
func (all endpoints) follow(ctx context.Context, hangup <-chan os.Signal) {
	for _, e := range all {
		if e.tls != nil {
			go e.tls.Follow(ctx)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			for _, e := range all {
				if e.tls != nil {
					_ = e.tls.Reload() // logged
				}
			}
		}
	}
}

// announce prints where the server answers.
func (all endpoints) announce(w io.Writer) {
	for _, e := range all {
		fmt.Fprintf(w, "%-8s %s\n", e.said, e.url())
	}
}
