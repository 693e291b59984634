package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server"
)

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// pair is a certificate and its private key in PEM.
type pair struct{ cert, key []byte }

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{certificate, key}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// pool returns the authority as the one that is trusted.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// issue returns a certificate of a serial number for 127.0.0.1 that lasts for a time.
func (a *authority) issue(t testing.TB, serial int64, usage x509.ExtKeyUsage, lasts time.Duration) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "kith"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(lasts),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, a.certificate, key.Public(), a.key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// server returns a certificate for a server.
func (a *authority) server(t testing.TB, serial int64) pair {
	t.Helper()
	return a.issue(t, serial, x509.ExtKeyUsageServerAuth, time.Hour)
}

// write puts a pair into files of a folder.
func (p pair) write(t testing.TB, files server.TLSFiles) {
	t.Helper()
	must(t, os.WriteFile(files.Cert, p.cert, 0o600))
	must(t, os.WriteFile(files.Key, p.key, 0o600))
}

// tlsFiles returns files in a folder of the test's, with a pair in them.
func tlsFiles(t testing.TB, p pair) server.TLSFiles {
	t.Helper()
	dir := t.TempDir()
	files := server.TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	p.write(t, files)
	return files
}

func loadTLS(t testing.TB, files server.TLSFiles) *server.TLS {
	t.Helper()
	loaded, err := server.LoadTLS(files)
	must(t, err)
	return loaded
}

// over makes one request on a connection of its own, and returns what was negotiated.
func (l *listening) over(t testing.TB, config *tls.Config) (*http.Response, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	response, err := client.Get("https://" + l.address + "/v1/directory")
	if err == nil {
		_ = response.Body.Close()
	}
	return response, err
}

// nothing answers every request with 200.
var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// TestTLSVersionAndKeyExchange shows that a client which has the hybrid key exchange gets it, that others are served, and that
// TLS 1.2 is not spoken.
func TestTLSVersionAndKeyExchange(t *testing.T) {
	defer leavesNothing(t)()
	ca := newAuthority(t, "ca")
	l := serveOn(t, bare(), server.Listener{Handler: nothing, TLS: loadTLS(t, tlsFiles(t, ca.server(t, 7))).Config()})
	tests := []struct {
		name   string
		client *tls.Config
		want   tls.CurveID // 0 for none
	}{
		{"the default of Go", &tls.Config{}, tls.X25519MLKEM768},
		{"hybrid alone", &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}, tls.X25519MLKEM768},
		{"hybrid last", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP256, tls.X25519, tls.X25519MLKEM768}}, tls.X25519MLKEM768},
		{"X25519 alone", &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}}, tls.X25519},
		{"P-256 alone", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP256}}, tls.CurveP256},
		{"P-521 alone", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP521}}, 0},
		{"TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, 0},
		{"TLS 1.0", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.client.RootCAs = ca.pool()
			response, err := l.over(t, test.client)
			if test.want == 0 {
				if err == nil {
					t.Errorf("got TLS %#x with %v, want none", response.TLS.Version, response.TLS.CurveID)
				}
				return
			}
			must(t, err)
			if response.TLS.Version != tls.VersionTLS13 || response.TLS.CurveID != test.want || response.ProtoMajor != 2 {
				t.Errorf("got HTTP/%d over TLS %#x with %v, want HTTP/2 over TLS 1.3 with %v", response.ProtoMajor, response.TLS.Version, response.TLS.CurveID, test.want)
			}
		})
	}
	l.freed(t)
	l.end(t)
}

// TestConnectionsAreNotResumed shows that a client gets no ticket by which its next connection could be told to be its own.
func TestConnectionsAreNotResumed(t *testing.T) {
	defer leavesNothing(t)()
	ca := newAuthority(t, "ca")
	l := serveOn(t, bare(), server.Listener{Handler: nothing, TLS: loadTLS(t, tlsFiles(t, ca.server(t, 7))).Config()})
	cache := new(ticketCounter)
	for range 3 {
		response, err := l.over(t, &tls.Config{RootCAs: ca.pool(), ClientSessionCache: cache})
		must(t, err)
		if response.TLS.DidResume {
			t.Error("a connection is the continuation of another")
		}
	}
	if cache.tickets != 0 {
		t.Errorf("got %d tickets, want none", cache.tickets)
	}
	l.end(t)
}

// ticketCounter is a cache of sessions that counts what it is given.
type ticketCounter struct {
	tls.ClientSessionCache
	tickets int
}

func (c *ticketCounter) Get(string) (*tls.ClientSessionState, bool) { return nil, false }

func (c *ticketCounter) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		c.tickets++
	}
}

// serial returns the serial number of the certificate that a new connection is shown.
func (l *listening) serial(t testing.TB, ca *authority) int64 {
	t.Helper()
	response, err := l.over(t, &tls.Config{RootCAs: ca.pool()})
	must(t, err)
	return response.TLS.PeerCertificates[0].SerialNumber.Int64()
}

// TestCertificateIsReplaced replaces the files under a running server: once as an editor does, and once by a symbolic link.
func TestCertificateIsReplaced(t *testing.T) {
	defer leavesNothing(t)()
	ca := newAuthority(t, "ca")
	files := tlsFiles(t, ca.server(t, 1))
	s := bare()
	expires := make(chan time.Time, 10)
	files.Every = time.Millisecond
	files.OnLoad = func(at time.Time) { expires <- at }
	loaded := loadTLS(t, files)
	l := serveOn(t, s, server.Listener{Handler: nothing, TLS: loaded.Config()})
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		loaded.Follow(ctx)
	}()
	kept := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool()}, ForceAttemptHTTP2: true}}
	defer kept.CloseIdleConnections()
	if _, err := kept.Get("https://" + l.address); err != nil {
		t.Error(err)
	}
	if got := l.serial(t, ca); got != 1 {
		t.Errorf("at first: got certificate %d, want 1", got)
	}
	ca.server(t, 2).write(t, files)
	eventually(t, "the second certificate", func() bool { return l.serial(t, ca) == 2 })

	elsewhere := tlsFiles(t, ca.server(t, 3))
	for from, to := range map[string]string{elsewhere.Cert: files.Cert, elsewhere.Key: files.Key} {
		must(t, os.Symlink(from, to+".new"))
		must(t, os.Rename(to+".new", to))
	}
	eventually(t, "the third certificate", func() bool { return l.serial(t, ca) == 3 })

	response, err := kept.Get("https://" + l.address)
	must(t, err)
	if got := response.TLS.PeerCertificates[0].SerialNumber.Int64(); got != 1 {
		t.Errorf("the connection from before has certificate %d: it was cut", got)
	}
	cancel()
	<-followed
	if len(expires) != 3 || time.Until(<-expires) < 30*time.Minute {
		t.Errorf("OnLoad was called %d more times, want 3 with an hour to go", len(expires))
	}
	kept.CloseIdleConnections()
	l.end(t)
}

// TestBadCertificateIsNotTaken puts what can not be used in place of what is: a start fails, and a running server stays as it
// was, says so once, and recovers.
func TestBadCertificateIsNotTaken(t *testing.T) {
	defer leavesNothing(t)()
	ca := newAuthority(t, "ca")
	good, other := ca.server(t, 1), ca.server(t, 2)
	expired := ca.issue(t, 3, x509.ExtKeyUsageServerAuth, -time.Hour)
	write := func(path string, text []byte) func() error {
		return func() error { return os.WriteFile(path, text, 0o600) }
	}
	for _, test := range []struct {
		name string
		bad  func(server.TLSFiles) func() error
		want error // nil for any
	}{
		{"no certificate in PEM", func(f server.TLSFiles) func() error { return write(f.Cert, []byte("not PEM")) }, nil},
		{"an empty certificate", func(f server.TLSFiles) func() error { return write(f.Cert, nil) }, nil},
		{"half of a key", func(f server.TLSFiles) func() error { return write(f.Key, good.key[:len(good.key)/2]) }, nil},
		{"key and certificate exchanged", func(f server.TLSFiles) func() error {
			return func() error { pair{good.key, good.cert}.write(t, f); return nil }
		}, nil},
		{"the key of another", func(f server.TLSFiles) func() error { return write(f.Key, other.key) }, nil},
		{"expired", func(f server.TLSFiles) func() error { return func() error { expired.write(t, f); return nil } }, server.ErrExpired},
		{"no file", func(f server.TLSFiles) func() error { return func() error { return os.Remove(f.Key) } }, fs.ErrNotExist},
		{"too large", func(f server.TLSFiles) func() error { return write(f.Cert, make([]byte, 1<<20+1)) }, server.ErrFileSize},
		{"no client CA in PEM", func(f server.TLSFiles) func() error { return write(f.ClientCA, good.key) }, server.ErrClientCA},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := tlsFiles(t, good)
			files.ClientCA = filepath.Join(t.TempDir(), "ca.pem")
			must(t, os.WriteFile(files.ClientCA, ca.pem(), 0o600))
			log := new(logBuffer)
			files.Logger = slog.New(slog.NewTextHandler(log, nil))
			loaded := loadTLS(t, files)
			shown := func() int64 {
				config, err := loaded.Config().GetConfigForClient(nil)
				must(t, err)
				leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
				must(t, err)
				return leaf.SerialNumber.Int64()
			}

			must(t, test.bad(files)())
			for range 3 {
				if err := loaded.Reload(); err == nil || !errors.Is(err, test.want) && test.want != nil {
					t.Errorf("Reload: got %v, want %v", err, test.want)
				}
			}
			if _, err := server.LoadTLS(files); err == nil || !errors.Is(err, test.want) && test.want != nil {
				t.Errorf("LoadTLS: got %v, want %v", err, test.want)
			}
			if got := shown(); got != 1 {
				t.Errorf("got certificate %d, want that of before", got)
			}
			if got := strings.Count(log.String(), "level=ERROR"); got != 2 { // the running server and the start
				t.Errorf("said %d times, want once each: %s", got, log)
			}
			wantNone(t, "the log", log.String(), secretWords(good.key)...)

			other.write(t, files)
			must(t, os.WriteFile(files.ClientCA, ca.pem(), 0o600))
			must(t, loaded.Reload())
			if got := shown(); got != 2 {
				t.Errorf("got certificate %d, want the new one", got)
			}
		})
	}
}

// secretWords returns the lines of a private key in PEM.
func secretWords(key []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(key)), "\n")
	return lines[1 : len(lines)-1]
}

// TestTLSPrintsNoKey prints what holds the private key.
func TestTLSPrintsNoKey(t *testing.T) {
	p := newAuthority(t, "ca").server(t, 1)
	loaded := loadTLS(t, tlsFiles(t, p))
	block, _ := pem.Decode(p.key)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(t, err)
	secret, err := key.(*ecdsa.PrivateKey).Bytes()
	must(t, err)
	decimal := new(big.Int).SetBytes(secret).String()
	var text bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&text, verb+verb, loaded, loaded.Config())
	}
	wantNone(t, "fmt", text.String(), append(secretWords(p.key), decimal, fmt.Sprintf("%x", secret))...)
}

// TestClientCertificates is a listener that asks for client certificates.
func TestClientCertificates(t *testing.T) {
	defer leavesNothing(t)()
	ca, clients, next := newAuthority(t, "ca"), newAuthority(t, "clients"), newAuthority(t, "next clients")
	files := tlsFiles(t, ca.server(t, 1))
	files.ClientCA = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(files.ClientCA, clients.pem(), 0o600))
	loaded := loadTLS(t, files)
	l := serveOn(t, bare(), server.Listener{Handler: nothing, TLS: loaded.Config()})
	of := func(a *authority, usage x509.ExtKeyUsage, lasts time.Duration) *pair {
		p := a.issue(t, 9, usage, lasts)
		return &p
	}
	first, second := of(clients, x509.ExtKeyUsageClientAuth, time.Hour), of(next, x509.ExtKeyUsageClientAuth, time.Hour)
	tests := []struct {
		name string
		pair *pair
		let  bool
	}{
		{"a client's", first, true},
		{"none", nil, false},
		{"of another authority", second, false},
		{"of the authority of servers", of(ca, x509.ExtKeyUsageClientAuth, time.Hour), false},
		{"of another authority of the same name", of(newAuthority(t, "clients"), x509.ExtKeyUsageClientAuth, time.Hour), false},
		{"a server's", of(clients, x509.ExtKeyUsageServerAuth, time.Hour), false},
		{"expired", of(clients, x509.ExtKeyUsageClientAuth, -time.Hour), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := l.show(t, ca, test.pair); (err == nil) != test.let {
				t.Errorf("got %v, want it let in: %t", err, test.let)
			}
		})
	}

	must(t, os.WriteFile(files.ClientCA, next.pem(), 0o600))
	must(t, loaded.Reload())
	if err := l.show(t, ca, first); err == nil {
		t.Error("a client of the authority of before is let in")
	}
	if err := l.show(t, ca, second); err != nil {
		t.Errorf("a client of the new authority: %v", err)
	}
	l.freed(t)
	l.end(t)
}

// show makes a request with a client certificate, or none.
func (l *listening) show(t testing.TB, ca *authority, p *pair) error {
	t.Helper()
	config := &tls.Config{RootCAs: ca.pool()}
	if p != nil {
		certificate, err := tls.X509KeyPair(p.cert, p.key)
		must(t, err)
		// Not by Certificates, of which package tls sends those alone that the server has an authority of.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
	_, err := l.over(t, config)
	return err
}

// TestHandshakeStall fills a listener with TLS handshakes that are not begun, not finished, or come a byte at a time.
func TestHandshakeStall(t *testing.T) {
	defer leavesNothing(t)()
	const total = 12
	ca := newAuthority(t, "ca")
	l := serveOn(t, bare(), server.Listener{
		Handler: nothing, TLS: loadTLS(t, tlsFiles(t, ca.server(t, 1))).Config(),
		Connections: server.Connections{Total: total, PerSource: -1}, Timeouts: server.Timeouts{Header: time.Second},
	})
	var stalled []<-chan struct{}
	for i := range 2 * total {
		conn := l.dial(t)
		switch i % 3 {
		case 0:
			stalled = append(stalled, readSlowly(conn))
		case 1:
			_, _ = conn.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 0xfc}) // the beginning of a ClientHello
			stalled = append(stalled, readSlowly(conn))
		default:
			stalled = append(stalled, dribble(conn, "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc"))
		}
	}
	for range 3 {
		l.answered(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool()}}, "https://"+l.address)
	}
	for _, ended := range stalled {
		<-ended
	}
	l.freed(t)
	l.end(t)
}
