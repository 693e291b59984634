package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kith-project/kith/server/redistest"
)

// TestDiscover1000 is the discovery of 1,000 contacts against kith serve on a real Redis: it finds those registered, all
// of them and nobody else.
func TestDiscover1000(t *testing.T) {
	s, _ := onRedis(t)
	numbers := fictional(0, 1000)
	var registered []string
	for i, number := range numbers {
		if i%3 == 0 {
			registered = append(registered, number)
		}
	}
	others := fictional(1000, 200) // registered, and in nobody's address book
	label := func(number string) string { return "user " + number[8:] }
	s.putMany(t, append(slices.Clone(registered), others...), label)

	r := decodeResult(t, output(t, "discover", writeCSV(t, numbers), "--server", s.url, "--token-file", s.token("discover"),
		"--region", "US", "--json"))
	if r.Contacts != 1000 || r.Numbers != 1000 || len(r.Skipped) != 0 || r.Epoch != 1 {
		t.Errorf("got %d contacts, %d numbers, skipped %v, epoch %d, want 1000, 1000, none, 1", r.Contacts, r.Numbers, r.Skipped, r.Epoch)
	}
	var found []string
	for _, m := range r.Matches {
		found = append(found, m.Number)
		if m.Label != label(m.Number) || m.Name != contactName(slices.Index(numbers, m.Number)) {
			t.Errorf("%s: got name %q and label %q", m.Number, m.Name, m.Label)
		}
	}
	if !slices.Equal(found, registered) {
		t.Errorf("found %d numbers, want the %d registered ones in the order of the address book", len(found), len(registered))
	}
}

// charged returns how many elements the trial device has been charged, from the one account in the store.
func charged(t *testing.T, store *redistest.Server) int {
	t.Helper()
	ctx := context.Background()
	keys, err := store.Client().Keys(ctx, "kith:{a*}:account").Result()
	if err != nil || len(keys) > 1 {
		t.Fatalf("got accounts %v, %v, want at most 1", keys, err)
	}
	if len(keys) == 0 {
		return 0
	}
	n, err := store.Client().HGet(ctx, keys[0], "e1").Int()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKilledDiscoveryGoesOn kills kith discover (kill -9) when the answer to its second page is on the way, and runs it
// again: nothing is charged twice, and nothing is missing.
func TestKilledDiscoveryGoesOn(t *testing.T) {
	s, store := onRedis(t)
	numbers := fictional(0, 2500)
	s.putMany(t, numbers[2490:], func(string) string { return "here" })

	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var pages atomic.Int32
	victim := make(chan *os.Process, 1)
	forward := httputil.NewSingleHostReverseProxy(target)
	killed := make(chan struct{})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/evaluations") && pages.Add(1) == 2 {
			forward.ServeHTTP(httptest.NewRecorder(), r) // charged, and the answer is lost
			_ = (<-victim).Kill()
			<-killed
			return
		}
		forward.ServeHTTP(w, r)
	}))
	defer proxy.Close()

	state := filepath.Join(t.TempDir(), "state")
	args := []string{"discover", writeCSV(t, numbers), "--server", proxy.URL, "--token-file", s.token("discover"),
		"--region", "US", "--json", "--state", state}
	cmd := kith(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	victim <- cmd.Process
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process was to be killed")
	}
	close(killed)
	if got := charged(t, store); got != 2048 {
		t.Fatalf("charged %d at the kill, want two pages, 2048", got)
	}

	r := decodeResult(t, output(t, args...))
	if len(r.Matches) != 10 || r.Numbers != 2500 {
		t.Errorf("found %d of %d numbers, want 10 of 2500", len(r.Matches), r.Numbers)
	}
	if got := charged(t, store); got != 2500 {
		t.Errorf("charged %d after both runs, want each number once, 2500", got)
	}

	// A third run, with one more contact, pays for that one alone.
	args[1] = writeCSV(t, append(numbers, sampleUser(5000)))
	if r := decodeResult(t, output(t, args...)); len(r.Matches) != 10 || r.Numbers != 2501 {
		t.Errorf("found %d of %d numbers, want 10 of 2501", len(r.Matches), r.Numbers)
	}
	if got := charged(t, store); got != 2501 {
		t.Errorf("charged %d after one more contact, want 2501", got)
	}
}

// TestServerKilledAndStartedAgain kills server and store, starts them again, and finds everything as it was: the key too,
// so that a device's state stays good.
func TestServerKilledAndStartedAgain(t *testing.T) {
	store := redistest.Start(t)
	dir := t.TempDir()
	s := serve(t, dir, "--redis", store.URL())
	numbers := fictional(0, 20)
	s.putMany(t, numbers[:10], func(string) string { return "here" })
	state := filepath.Join(t.TempDir(), "state")
	discover := func(s *serving) resultJSON {
		return decodeResult(t, output(t, "discover", writeCSV(t, numbers), "--server", s.url, "--token-file", s.token("discover"),
			"--region", "US", "--json", "--state", state))
	}
	if r := discover(s); len(r.Matches) != 10 {
		t.Fatalf("found %d, want 10", len(r.Matches))
	}
	address := strings.TrimPrefix(s.url, "http://")
	s.kill()
	store.Kill()
	store.Restart()
	s = serve(t, dir, "--redis", store.URL(), "--listen", address)
	if r := discover(s); len(r.Matches) != 10 {
		t.Errorf("found %d after the restart, want 10", len(r.Matches))
	}
	if got := charged(t, store); got != 20 {
		t.Errorf("charged %d, want the 20 of before the restart", got)
	}
}

// TestServersShareAnEpoch starts four servers on an empty store: they agree on one epoch, and what one is told the others
// find, at once in mode exact, which asks the store. (TestModesAgree has the second that memory may take.)
func TestServersShareAnEpoch(t *testing.T) {
	store := redistest.Start(t)
	dir := t.TempDir()
	first := serve(t, dir, "--redis", store.URL())
	servers := []*serving{first}
	for range 3 {
		servers = append(servers, serve(t, dir, "--redis", store.URL()))
	}
	numbers := fictional(0, len(servers))
	for i, s := range servers {
		s.put(t, numbers[i], fmt.Sprint("by server ", i))
	}
	book := writeCSV(t, numbers)
	for i, s := range servers {
		r := decodeResult(t, output(t, "discover", book, "--server", s.url, "--token-file", s.token("discover"), "--region", "US", "--json",
			"--mode", "exact"))
		if len(r.Matches) != len(servers) {
			t.Errorf("server %d found %d, want %d", i, len(r.Matches), len(servers))
		}
	}
}
