package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrExpired is returned for a certificate that no client would accept any more.
	ErrExpired = errors.New("server: the certificate has expired")
	// ErrClientCA is returned for a file of client CAs without a certificate.
	ErrClientCA = errors.New("server: the file of client CAs has no certificate")
	// ErrFileSize is returned for a file that is larger than any of certificates.
	ErrFileSize = errors.New("server: the file is larger than 1 MiB")
)

const (
	// DefaultReload is how often files of TLS are looked at where nothing else is configured.
	DefaultReload = 10 * time.Second
	// maxTLSFile bounds each file, bytes.
	maxTLSFile = 1 << 20
)

// TLSFiles are the files of a listener's TLS, all in PEM. They may be replaced at any time: see TLS.Follow.
type TLSFiles struct {
	Cert string // the certificate and its chain
	Key  string // the private key of the certificate
	// ClientCA, if given, has the CAs of client certificates: who shows none of theirs gets no connection. It says nothing
	// of what a client may do, for which a token is needed as before.
	ClientCA string

	Every  time.Duration           // how often Follow looks at the files; default DefaultReload
	Logger *slog.Logger            // where loading is logged; default nowhere
	OnLoad func(expires time.Time) // called for each certificate that has been loaded; default nothing
}

// TLS is the TLS of a listener: version 1.3 alone, by X25519MLKEM768 wherever the client has it, and without session
// tickets, by which connections of one device could be tied to each other. It may be used by many goroutines.
type TLS struct {
	files   TLSFiles
	current atomic.Pointer[tls.Config]

	mu      sync.Mutex
	tried   [sha256.Size]byte // the contents that were loaded or refused last
	refused error             // why they were, or nil
	said    string            // the text of the last error that was logged, or "" after a success
}

// LoadTLS reads the files. Its errors are those of the files, of package tls for a certificate and a key that are not a
// pair, ErrExpired, ErrClientCA and ErrFileSize; no text has anything of the key.
func LoadTLS(files TLSFiles) (*TLS, error) {
	files.Every = cmp.Or(files.Every, DefaultReload)
	if files.Logger == nil {
		files.Logger = slog.New(slog.DiscardHandler)
	}
	if files.OnLoad == nil {
		files.OnLoad = func(time.Time) {}
	}
	t := &TLS{files: files}
	if err := t.Reload(); err != nil {
		return nil, err
	}
	return t, nil
}

// Config returns what a Listener takes. Connections that begin after a change of the files have the new certificate.
func (t *TLS) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.current.Load(), nil },
	}
}

// Follow looks at the files every so often until ctx ends, and loads them when their contents have changed. What can not
// be loaded, such as a certificate whose key has not been written yet, is logged once and leaves things as they were.
func (t *TLS) Follow(ctx context.Context) {
	ticker := time.NewTicker(t.files.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = t.Reload() // logged
		}
	}
}

// Reload loads the files now if their contents have changed, as on a signal. On an error, which is one of LoadTLS, what was
// loaded before stays.
func (t *TLS) Reload() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.load()
	switch {
	case err == nil:
		t.said = ""
	case t.said != err.Error():
		t.said = err.Error()
		t.files.Logger.Error("certificate not loaded", "cause", err)
	}
	return err
}

// load loads the files if their contents are not those of the last time. It goes by contents, since a symbolic link that
// has been replaced, or a copy that keeps times, can leave the times of a file as they were.
func (t *TLS) load() error {
	pem, err := t.read()
	if err != nil {
		return err
	}
	sum := pem.sum()
	if sum == t.tried {
		return t.refused
	}
	config, expires, err := pem.parse()
	t.tried, t.refused = sum, err
	if err != nil {
		return err
	}
	t.current.Store(config)
	t.files.Logger.Info("certificate loaded", "expires", expires.UTC().Format(time.RFC3339))
	t.files.OnLoad(expires)
	return nil
}

// pemFiles are the contents of TLSFiles.
type pemFiles struct {
	cert, key, clientCA []byte
	mutual              bool // client certificates are wanted
}

func (t *TLS) read() (pemFiles, error) {
	p := pemFiles{mutual: t.files.ClientCA != ""}
	var err error
	if p.cert, err = readTLSFile(t.files.Cert); err != nil {
		return pemFiles{}, err
	}
	if p.key, err = readTLSFile(t.files.Key); err != nil {
		return pemFiles{}, err
	}
	if p.mutual {
		p.clientCA, err = readTLSFile(t.files.ClientCA)
	}
	return p, err
}

// readTLSFile reads a file of at most maxTLSFile bytes.
func readTLSFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxTLSFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxTLSFile {
		return nil, fmt.Errorf("%s: %w", path, ErrFileSize)
	}
	return data, nil
}

// sum tells contents from others. It is of hashes, so that nothing moves from one file to the next unseen.
func (p pemFiles) sum() [sha256.Size]byte {
	cert, key, ca := sha256.Sum256(p.cert), sha256.Sum256(p.key), sha256.Sum256(p.clientCA)
	all := make([]byte, 0, 3*sha256.Size)
	return sha256.Sum256(append(append(append(all, cert[:]...), key[:]...), ca[:]...))
}

// parse returns the configuration for a connection, and when the certificate expires.
func (p pemFiles) parse() (*tls.Config, time.Time, error) {
	pair, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, time.Time{}, err
	}
	expires := pair.Leaf.NotAfter
	if time.Now().After(expires) {
		return nil, time.Time{}, ErrExpired
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true,
		// A set, from which package tls takes the hybrid wherever a client knows it, by a second hello if need be.
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256},
		NextProtos:       []string{"h2", "http/1.1"},
	}
	if p.mutual {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(p.clientCA) {
			return nil, time.Time{}, ErrClientCA
		}
	}
	return config, expires, nil
}
