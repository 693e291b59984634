package main

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// refused runs kith, which has to fail, and returns its standard error.
func refused(t testing.TB, args ...string) string {
	t.Helper()
	cmd := kith(t, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil {
		t.Errorf("kith %s succeeded", strings.Join(args, " "))
	}
	return stderr.String()
}

// TestListenersApart has registrations and operators at addresses of their own, which ask for certificates of different
// authorities.
func TestListenersApart(t *testing.T) {
	dir := t.TempDir()
	servers, accounts, operators := newAuthority(t, dir, "servers"), newAuthority(t, dir, "accounts"), newAuthority(t, dir, "operators")
	cert, key := servers.issue(t, "server", 1, x509.ExtKeyUsageServerAuth)
	accountCert, accountKey := accounts.issue(t, "account", 2, x509.ExtKeyUsageClientAuth)
	operatorCert, operatorKey := operators.issue(t, "operator", 3, x509.ExtKeyUsageClientAuth)
	s := serve(t, t.TempDir(), "--ephemeral", "--tls-cert", cert, "--tls-key", key,
		"--register-listen", "127.0.0.1:0", "--register-client-ca", accounts.file,
		"--admin", "127.0.0.1:0", "--admin-tls-cert", cert, "--admin-tls-key", key, "--admin-client-ca", operators.file)
	for _, address := range []string{s.url, s.accounts, s.admin} {
		if !strings.HasPrefix(address, "https://") {
			t.Errorf("%s is no address of TLS", address)
		}
	}
	if s.url == s.accounts {
		t.Fatal("registrations have no address of their own")
	}
	number := sampleUser(1)
	register := func(server string, more ...string) []string {
		return append([]string{"register", number, "--label", "ann", "--server", server, "--token-file", s.token("register"), "--server-ca", servers.file}, more...)
	}
	byAccount := []string{"--client-cert", accountCert, "--client-key", accountKey}
	byOperator := []string{"--client-cert", operatorCert, "--client-key", operatorKey}

	refused(t, register(s.accounts)...)
	refused(t, register(s.accounts, byOperator...)...)
	if got := refused(t, register(s.url, byAccount...)...); !strings.Contains(got, "not-found") {
		t.Errorf("a registration at the public address: %s", got)
	}
	if got := output(t, register(s.accounts, byAccount...)...); got != "registered\n" {
		t.Errorf("a registration with a certificate: %q", got)
	}

	book := writeCSV(t, []string{number})
	discover := []string{"discover", book, "--server", s.url, "--token-file", s.token("discover"), "--region", "US", "--json"}
	if got := refused(t, discover...); !strings.Contains(got, "hint: ") {
		t.Errorf("discovery without --server-ca: %s", got)
	}
	r := decodeResult(t, output(t, append(discover, "--server-ca", servers.file)...))
	if len(r.Matches) != 1 {
		t.Errorf("discovered %d contacts, want 1", len(r.Matches))
	}

	list := []string{"epoch", "list", "--admin", s.admin, "--token-file", s.token("operate"), "--server-ca", servers.file}
	refused(t, list...)
	refused(t, append(list, byAccount...)...)
	if got := output(t, append(list, byOperator...)...); !strings.Contains(got, "active") {
		t.Errorf("epochs: %s", got)
	}
	cost := []string{"attack-cost", "--region", "US", "--admin", s.admin, "--token-file", s.token("operate"), "--server-ca", servers.file}
	refused(t, cost...)
	if got := output(t, append(cost, byOperator...)...); !strings.Contains(got, "days") {
		t.Errorf("the cost of an attack: %s", got)
	}
	if got := refused(t, append(list, "--client-cert", operatorCert)...); !strings.Contains(got, "go together") {
		t.Errorf("a certificate without a key: %s", got)
	}
	if got := refused(t, append(list, "--client-cert", operatorCert, "--client-key", accountKey)...); !strings.Contains(got, "hint: ") {
		t.Errorf("another certificate's key: %s", got)
	}
}

// TestTransportFlagsAreDocumented finds every flag of addresses, certificates and limits of connections in the page about them.
func TestTransportFlagsAreDocumented(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	for line := range strings.Lines(output(t, "serve", "--help")) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		name, _, _ = strings.Cut(name, " ")
		for _, part := range []string{"listen", "tls", "-ca", "admin", "h2c", "connection", "proxy"} {
			if strings.HasPrefix(name, "--") && strings.Contains(name, part) {
				if flags++; !strings.Contains(string(page), "`"+name) {
					t.Errorf("docs/security.md has no %s", name)
				}
				break
			}
		}
	}
	if flags < 17 {
		t.Errorf("the help has %d such flags, want 17", flags)
	}
}

// TestH2CIsAskedFor speaks HTTP/2 without TLS from the first byte.
func TestH2CIsAskedFor(t *testing.T) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	via := &http.Transport{Protocols: protocols}
	defer via.CloseIdleConnections()
	ask := func(s *serving) (string, error) {
		answer, err := (&http.Client{Transport: via}).Get(s.url + "/v1/directory")
		if err != nil {
			return "", err
		}
		defer func() { _ = answer.Body.Close() }()
		return fmt.Sprintf("%s %d", answer.Proto, answer.StatusCode), nil
	}
	if got, err := ask(serve(t, t.TempDir(), "--ephemeral", "--h2c")); err != nil || got != "HTTP/2.0 200" {
		t.Errorf("with --h2c: got %s, %v", got, err)
	}
	if got, err := ask(serve(t, t.TempDir(), "--ephemeral")); err == nil {
		t.Errorf("without --h2c: got %s, want an error", got)
	}
}
