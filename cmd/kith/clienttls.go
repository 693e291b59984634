package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// serverCAFlags say by whose certificate a server is known.
type serverCAFlags struct {
	ServerCA string `name:"server-ca" env:"KITH_SERVER_CA" placeholder:"FILE" help:"Authorities in PEM that the server's certificate must be of, in place of the system's."`
}

// clientTLSFlags are the flags about TLS of the commands that speak to a server as an operator or an account service.
type clientTLSFlags struct {
	serverCAFlags
	ClientCert string `env:"KITH_CLIENT_CERT" placeholder:"FILE" help:"Certificate chain in PEM, for a server that asks for one."`
	ClientKey  string `env:"KITH_CLIENT_KEY" placeholder:"FILE" help:"Private key of that certificate in PEM."`
}

// transport returns what speaks to the server, by TLS 1.3 alone.
func (f *serverCAFlags) transport() (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS13}
	if f.ServerCA == "" {
		return transport, nil
	}
	text, err := os.ReadFile(f.ServerCA)
	if err != nil {
		return nil, fileError("--server-ca", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, withHint(errors.New("--server-ca: no certificate in the file"), "certificates are in PEM")
	}
	transport.TLSClientConfig.RootCAs = pool
	return transport, nil
}

// certificateHint says what to do about a server's certificate that is not accepted; "" if that is not what is wrong.
func certificateHint(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "--server-ca FILE says which authority the server's certificate is of"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "is the address the one that the server's certificate is for?"
	}
	return ""
}

// client returns an HTTP client that sends a number and a token to the server it was told, and nowhere else.
func (f *clientTLSFlags) client() (*http.Client, error) {
	transport, err := f.transport()
	if err != nil {
		return nil, err
	}
	if (f.ClientCert == "") != (f.ClientKey == "") {
		return nil, errors.New("--client-cert and --client-key go together")
	}
	if f.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(f.ClientCert, f.ClientKey)
		if err != nil {
			return nil, withHint(fmt.Errorf("--client-cert and --client-key: %w", err), "both are in PEM, and the key is that of the first certificate")
		}
		transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{
		Timeout: 30 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
