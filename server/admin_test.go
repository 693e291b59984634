package server_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/keyring"
)

// failingKeyring is a keyring that has an error alone.
type failingKeyring struct{ err error }

func (k failingKeyring) Current() (*keyring.Snapshot, error) { return nil, k.err }

func (k failingKeyring) Epoch(context.Context, uint32) (*keyring.Epoch, *keyring.Snapshot, error) {
	return nil, nil, k.err
}

func TestHealthAndReadiness(t *testing.T) {
	tests := []struct {
		name    string
		keyring server.Keyring // nil for the one of the stack
		ready   int
	}{
		{"in order", nil, 200},
		{"store away", failingKeyring{keyring.ErrUnavailable}, 503},
		{"no keyring", failingKeyring{keyring.ErrNone}, 503},
		{"another master key", failingKeyring{keyring.ErrMasterKey}, 503},
		{"no active epoch", fixedKeyring{new(keyring.Snapshot)}, 503},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStack(t, func(c *server.Config) {
				if test.keyring != nil {
					c.Keyring = test.keyring
				}
			})
			if a := send(t, s.admin.URL, call{method: "GET", path: "/healthz"}); a.status != 200 {
				t.Errorf("/healthz: got %d, want 200", a.status)
			}
			a := send(t, s.admin.URL, call{method: "GET", path: "/readyz"})
			if test.ready != 200 {
				wantProblem(t, a, test.ready, "unavailable")
			} else if a.status != 200 {
				t.Errorf("/readyz: got %d %s, want 200", a.status, a.body)
			}
		})
	}
}

// sample is a line of /metrics with the labels of requests.
var sample = regexp.MustCompile(`(?m)^kith_http_requests_total\{method="([^"]*)",route="([^"]*)",status="([^"]*)"\} \d+$`)

// TestMetricsHoldNothingOfClients shows that no label is of a client's choice: that would put it on record, and let
// anyone fill the server's memory.
func TestMetricsHoldNothingOfClients(t *testing.T) {
	s := newStack(t)
	for _, c := range []call{
		{method: "GET", path: "/v1/directory"},
		{method: "GET", path: "/secretword"},
		{method: "SECRETWORD", path: "/v1/directory"},
		{method: "SECRETWORD", path: "/secretword"},
		{method: "POST", path: "/v1/epochs/secretword/matches", mime: mimePacked, body: make([]byte, 16)},
		{method: "GET", path: "/v1/directory?secretword=1", header: http.Header{"User-Agent": {"secretword"}, "X-Request-Id": {"secretword"}}},
		{method: "POST", path: evaluationsPath, token: "secretword"},
	} {
		s.send(t, c)
	}
	request, err := http.NewRequest("GET", s.public.URL+"/v1/directory", nil)
	must(t, err)
	request.Host = "secretword.example"
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	_ = response.Body.Close()
	s.discover(t, "alice", number)
	s.lookUp(t, s.discover(t, "alice", number)...)

	text := string(send(t, s.admin.URL, call{method: "GET", path: "/metrics"}).body)
	wantNone(t, "/metrics", strings.ToLower(text), "secretword", "127.0.0.1", "alice")
	got := make(map[string]bool)
	for _, m := range sample.FindAllStringSubmatch(text, -1) {
		got[m[1]+" "+m[2]+" "+m[3]] = true
	}
	want := []string{
		"GET /v1/directory 200", "GET none 404", "other /v1/directory 405", "other none 404",
		"POST /v1/epochs/:epoch/matches 404", "POST /v1/epochs/:epoch/matches 200",
		"POST /v1/epochs/:epoch/evaluations 401", "POST /v1/epochs/:epoch/evaluations 200",
	}
	for _, labels := range want {
		if !got[labels] {
			t.Errorf("no sample of %s", labels)
		}
		delete(got, labels)
	}
	if len(got) > 0 {
		t.Errorf("unexpected samples of %v", got)
	}
	for _, line := range []string{`kith_evaluated_elements_total{charged="true"} 2`, "kith_looked_up_tags_total 1", "kith_corrupt_records_total 0"} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}
