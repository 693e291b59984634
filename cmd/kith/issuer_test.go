package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kith-project/kith/server/token"
)

// issuer is a signing key of the tests and its tokens.
type issuer struct{ key, set string }

// newIssuer makes a key by kith token keygen, and what the issuer publishes.
func newIssuer(t testing.TB, dir, name string) *issuer {
	t.Helper()
	i := &issuer{key: filepath.Join(dir, name+".key")}
	i.set = output(t, "token", "keygen", "--out", i.key, "--jwks")
	return i
}

// mint writes a token of an issuer's name and returns its file.
func (i *issuer) mint(t testing.TB, iss, scope string, more ...string) string {
	t.Helper()
	text := output(t, append([]string{"token", "mint", "--key", i.key, "--account", "trial-account", "--scope", scope, "--issuer", iss}, more...)...)
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestIssuers has two issuers, one by a file and one by a URL, which changes its keys while the server runs.
func TestIssuers(t *testing.T) {
	dir := t.TempDir()
	accounts, people, later := newIssuer(t, dir, "accounts"), newIssuer(t, dir, "people"), newIssuer(t, dir, "later")
	var published atomic.Pointer[string]
	published.Store(&people.set)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(*published.Load()))
	}))
	defer keys.Close()
	file := filepath.Join(dir, "accounts.jwks")
	if err := os.WriteFile(file, []byte(accounts.set), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, filepath.Join(dir, "server"), "--ephemeral", "--admin", "127.0.0.1:0", "--token-refresh", "1s",
		"--issuer", "name=https://accounts.example;keys="+file+";scope=register;audience=registrations",
		"--issuer", "name=https://people.example;keys="+keys.URL+";scope=discover")
	if _, err := os.Stat(s.token("register")); err == nil {
		t.Error("the server has made tokens of its own")
	}
	number := sampleUser(1)
	register := func(file string) []string {
		return []string{"register", number, "--label", "ann", "--server", s.url, "--token-file", file}
	}
	discover := func(file string) []string {
		return []string{"discover", writeCSV(t, []string{number}), "--server", s.url, "--token-file", file, "--region", "US", "--json"}
	}
	const byAccounts, byPeople = "https://accounts.example", "https://people.example"
	good := accounts.mint(t, byAccounts, "register", "--audience", "registrations")
	if got := output(t, register(good)...); got != "registered\n" {
		t.Errorf("a registration: %q", got)
	}
	if r := decodeResult(t, output(t, discover(people.mint(t, byPeople, "discover"))...)); len(r.Matches) != 1 {
		t.Errorf("discovered %d contacts, want 1", len(r.Matches))
	}
	for name, test := range map[string]struct {
		args []string
		code string
	}{
		"another audience":            {register(accounts.mint(t, byAccounts, "register")), "unauthorized"},
		"another issuer's key":        {register(people.mint(t, byAccounts, "register", "--audience", "registrations")), "unauthorized"},
		"an unknown issuer":           {discover(people.mint(t, "https://other.example", "discover")), "unauthorized"},
		"a scope that is not its own": {register(people.mint(t, byPeople, "register")), "forbidden"},
		"nor the other way round":     {discover(accounts.mint(t, byAccounts, "discover", "--audience", "registrations")), "forbidden"},
	} {
		if got := refused(t, test.args...); !strings.Contains(got, test.code) {
			t.Errorf("%s: got %s, want %s", name, got, test.code)
		}
	}

	// The keys change: the new one is taken, the old one is not any more. And while they can not be read, they stay.
	old, next := discover(people.mint(t, byPeople, "discover")), discover(later.mint(t, byPeople, "discover"))
	published.Store(&later.set)
	s.until(t, "the new key is taken", func() bool { return kith(t, next...).Run() == nil })
	if got := refused(t, old...); !strings.Contains(got, "unauthorized") {
		t.Errorf("the withdrawn key: %s", got)
	}
	keys.Close()
	s.until(t, "the log says that the keys can not be read", func() bool { return strings.Contains(s.log.String(), "keys of an issuer not read") })
	output(t, next...)
	text := s.metrics(t)
	for _, sample := range []string{`kith_issuer_keys{issuer="https://people.example"} 1`, `kith_issuer_keys{issuer="https://accounts.example"} 1`} {
		if !strings.Contains(text, sample+"\n") {
			t.Errorf("/metrics lacks %s", sample)
		}
	}
}

func TestParseIssuer(t *testing.T) {
	got, location, err := parseIssuer(" name = https://id.example.org ; keys = https://id.example.org/jwks?a=b ; scope = discover,register ; audience = aud ")
	if err != nil || location != "https://id.example.org/jwks?a=b" || got.Name != "https://id.example.org" || got.Audience != "aud" ||
		strings.Join(got.Scopes, " ") != "discover register" {
		t.Errorf("got %+v, keys at %s, %v", got, location, err)
	}
	for _, text := range []string{
		"", "name=a", "keys=a", "name=a;keys=", "name=a;keys=b;", "name=a;keys=b;keys=c", "name=a;name=b;keys=c", "name=a;keys=b;other=c", "a;b",
	} {
		if _, _, err := parseIssuer(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// TestReadFailureHasNoAddress holds back what the log of a server has no use for, and says each failure once.
func TestReadFailureHasNoAddress(t *testing.T) {
	var log strings.Builder
	report := reportKeys(slog.New(slog.NewTextHandler(&log, nil)), "people")
	_, err := token.OpenKeys(t.Context(), token.KeysOptions{Location: "http://" + closedPort(t) + "/keys"})
	for range 3 {
		report(err)
	}
	report(nil)
	report(nil)
	if got := log.String(); strings.Contains(got, "127.0.0.1") || strings.Count(got, "\n") != 2 || !strings.Contains(got, "refused") {
		t.Errorf("the log is %s", got)
	}
}

// closedPort returns an address where nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
