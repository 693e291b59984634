//go:build !windows

package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestHangupAtTheStart sends SIGHUP as soon as a server has said where it answers. It used to end most of them.
func TestHangupAtTheStart(t *testing.T) {
	for range 4 {
		s := serve(t, t.TempDir(), "--ephemeral")
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		answer, err := http.Get(s.url + "/v1/directory")
		if err != nil {
			t.Fatalf("after SIGHUP: %v", err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("after SIGHUP: got %s, want 200", answer.Status)
		}
	}
}

// TestCertificateOnHangup replaces a certificate and sends SIGHUP, by which a process ends that does not heed it.
func TestCertificateOnHangup(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	cert, key := ca.issue(t, "server", 11, x509.ExtKeyUsageServerAuth)
	s := serve(t, t.TempDir(), "--ephemeral", "--tls-cert", cert, "--tls-key", key)
	roots := x509.NewCertPool()
	roots.AddCert(ca.certificate)
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		c, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if got := serial(); got != "11" {
		t.Fatalf("got certificate %s, want 11", got)
	}
	hangup := func() {
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}

	// One that can not be used changes nothing, and is in the log.
	if err := os.WriteFile(cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangup()
	s.until(t, "the log names the bad certificate", func() bool { return strings.Contains(s.log.String(), "certificate not loaded") })
	if got := serial(); got != "11" {
		t.Errorf("after a bad one got certificate %s, want 11", got)
	}
	ca.issue(t, "server", 12, x509.ExtKeyUsageServerAuth)
	hangup()
	s.until(t, "the new certificate is served", func() bool { return serial() == "12" })
}
