package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kith-project/kith/bench/load"
	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/token"
)

// lying sends requests on, and once it has begun changes answers of one kind.
type lying struct {
	http.RoundTripper
	begun atomic.Bool
	path  string // of the kind, "" for none
	lie   func(request *http.Request, body []byte) []byte
}

func (l *lying) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if err != nil || l.path == "" || !l.begun.Load() || !strings.HasSuffix(r.URL.RequestURI(), l.path) || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil {
		return nil, err
	}
	body = l.lie(r, body)
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return answer, nil
}

// TestLoadFindsLies loads an honest server, of which nothing is wrong, and servers each of which lies in one way, which is found.
func TestLoadFindsLies(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--ephemeral", "--burst", "10000000", "--refill-per-day", "10000000", "--connections-per-source=-1", "--lookups-per-source=-1")
	signer, err := readSigner(filepath.Join(s.dir, "token.key"))
	if err != nil {
		t.Fatal(err)
	}
	register, err := signer.Mint("load", token.ScopeRegister, token.DefaultAudience, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	clearAll := func(_ *http.Request, b []byte) []byte { clear(b); return b }
	const staleness = time.Second
	const one = crypto.TagSize + crypto.SealedLabelSize
	for _, tt := range []struct {
		name   string
		mode   load.Modes
		lying  *lying
		verify float64
		want   string // what is found
	}{
		{name: "honest", mode: load.Modes{Exact: 1, Bucket: 1}, verify: 1, lying: new(lying)},
		{name: "another proof", mode: load.Modes{Exact: 1}, verify: 1, want: "the proof does not hold",
			lying: &lying{path: "/evaluations", lie: func(_ *http.Request, b []byte) []byte { b[len(b)-5] ^= 1; return b }}},
		{name: "elements in another order", mode: load.Modes{Exact: 1}, want: "an element is not what it was before",
			lying: &lying{path: "/evaluations", lie: func(_ *http.Request, b []byte) []byte {
				if len(b) >= 4*32 {
					first := bytes.Clone(b[:32])
					copy(b, b[32:64])
					copy(b[32:], first)
				}
				return b
			}}},
		{name: "a match that is missing", mode: load.Modes{Exact: 1}, verify: 1, want: "somebody registered was not found",
			lying: &lying{path: "/matches", lie: func(_ *http.Request, b []byte) []byte { return b[min(len(b), one):] }}},
		{name: "another label", mode: load.Modes{Exact: 1}, verify: 1, want: "a label does not open",
			lying: &lying{path: "/matches", lie: func(_ *http.Request, b []byte) []byte {
				if len(b) > 0 {
					b[len(b)-1] ^= 1
				}
				return b
			}}},
		{name: "empty buckets", mode: load.Modes{Bucket: 1}, verify: 1, want: "somebody registered was not found", lying: &lying{path: "/buckets", lie: clearAll}},
		{name: "labels of nobody", mode: load.Modes{Bucket: 1}, verify: 1, want: "a label does not open", lying: &lying{path: "/buckets?labels=true", lie: clearAll}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.lying.RoundTripper = http.DefaultTransport.(*http.Transport).Clone()
			books := load.DefaultBooks
			books.Mean, books.Max, books.NewADay = 40, 100, 20
			r, err := load.Run(t.Context(), load.Config{
				Server: s.url, Accounts: s.url, Devices: tt.lying, Lookups: tt.lying, AccountService: http.DefaultTransport, Token: mintedTokens(signer),
				RegisterToken: register, Shape: load.Shape{Profile: load.Steady, Rate: 60, Duration: time.Second}, Modes: tt.mode, Books: books,
				Mix: load.Mix{First: 0.5, Registrations: 0.1, Leaves: 0.5}, Users: 80, Pool: 160, Precompute: true, Verify: tt.verify, Staleness: staleness,
				MaxUnderWay: 1000, Drain: 20 * time.Second, Seed: 5, Cleanup: true,
				Registered: func() error { return pause(t.Context(), staleness) }, // so that the model is certain
				Progress:   func(stage load.Stage, done, of int) { tt.lying.begun.Store(stage == load.StagePrepare && done == of) },
			})
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if r.Checks.Wrong != 0 || len(r.Errors) != 0 || r.Checks.Numbers == 0 || r.Checks.Labels == 0 || r.Checks.Proofs == 0 || r.Offered == 0 {
					t.Errorf("an honest server: %+v, %v", r.Checks, r.Errors)
				}
				return
			}
			found := false
			for _, bad := range r.Checks.Examples {
				found = found || bad.What == tt.want
			}
			if !found || r.Checks.Wrong == 0 {
				t.Errorf("got %d wrong: %v, want %q", r.Checks.Wrong, r.Checks.Examples, tt.want)
			}
		})
	}
}

// TestBenchLoadReport runs the command on a server and a Redis of its own, as short as can be.
func TestBenchLoadReport(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "report.html")
	out := output(t, "bench", "load", "--rate", "40", "--duration", "2s", "--users", "100", "--pool", "100", "--modes", "exact=1,bucket=1", "--contacts", "20",
		"--verify", "100%", "--first", "30%", "--html", page, "--slo", "errors<1%,p50<1m")
	for _, want := range []string{"0 answers were wrong", "\nmet     errors<1%: 0%\n", "\nfirst-sync ", "\nmatches ", "\nlabels ", "Busy cores: server 0."} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("<svg")); n < 4 || n != bytes.Count(text, []byte("</svg>")) {
		t.Errorf("%d pictures", n)
	}
	for _, outside := range []string{"<script", "<link", "@import", "src=", "url("} {
		if bytes.Contains(text, []byte(outside)) {
			t.Errorf("the report has %s", outside)
		}
	}
}
