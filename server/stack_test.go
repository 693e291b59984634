package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/bucket"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/lookup"
	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
	"github.com/kith-project/kith/server/registry"
	"github.com/kith-project/kith/server/snapshot"
	"github.com/kith-project/kith/server/token"
)

const (
	mimeJSON    = "application/json"
	mimePacked  = "application/octet-stream"
	mimeProblem = "application/problem+json"

	evaluationsPath   = "/v1/epochs/1/evaluations"
	matchesPath       = "/v1/epochs/1/matches"
	bucketsPath       = "/v1/epochs/1/buckets"
	snapshotPath      = "/v1/epochs/1/snapshot"
	changesPath       = "/v1/epochs/1/changes"
	registrationsPath = "/v1/registrations"
)

// base64url is how bytes are written in JSON.
var base64url = base64.RawURLEncoding

// stack is a server with all that is below it, over a Redis process of its own.
type stack struct {
	redis     *redistest.Server
	rdb       *redis.Client
	keys      *keyring.Keyring
	directory *directory.Store
	lookups   *lookup.Lookups
	ledger    *quota.Ledger
	signer    *token.Signer
	server    *server.Server
	public    *httptest.Server
	admin     *httptest.Server
	log       *logBuffer
	fromStore atomic.Int64 // buckets that were not answered from memory
}

// newStack starts a stack whose epoch has 16 buckets. Each change is made to the configuration before the server is made of
// it.
func newStack(t testing.TB, changes ...func(*server.Config)) *stack {
	t.Helper()
	return newStackOf(t, testPlan, changes...)
}

// testPlan lays an epoch out in 16 buckets.
var testPlan = keyring.Plan{Layout: directory.Layout{PartitionBits: 2, BucketBits: testBits}, Slots: 96}

// newStackOf is newStack for an epoch laid out by plan.
func newStackOf(t testing.TB, plan keyring.Plan, changes ...func(*server.Config)) *stack {
	t.Helper()
	return newStackWith(t, plan, quota.Limits{Burst: quota.MaxBurst, RefillPerDay: quota.MaxBurst}, changes...)
}

// newLimited is newStack for accounts with these limits.
func newLimited(t testing.TB, limits quota.Limits, changes ...func(*server.Config)) *stack {
	t.Helper()
	return newStackWith(t, testPlan, limits, changes...)
}

func newStackWith(t testing.TB, plan keyring.Plan, limits quota.Limits, changes ...func(*server.Config)) *stack {
	t.Helper()
	// What these tests show does not depend on the disk.
	s := &stack{redis: redistest.Start(t, redistest.AppendFsync("no")), log: new(logBuffer)}
	options := s.redis.Options()
	options.ContextTimeoutEnabled = true
	options.MaxRetries, options.DialerRetries = -1, 1
	options.ReadTimeout = time.Second
	s.rdb = redis.NewClient(options)
	t.Cleanup(func() { _ = s.rdb.Close() })

	ctx := context.Background()
	metrics := server.NewMetrics()
	s.directory = directory.New(s.rdb, directory.Config{OnCorrupt: metrics.Corrupt})
	master, err := keyring.NewMasterKey(rand.Reader)
	must(t, err)
	must(t, keyring.Create(ctx, s.rdb, keyring.CreateOptions{Masters: []keyring.MasterKey{master}, Rand: rand.Reader, Plan: plan}, s.directory))
	s.keys, err = keyring.Open(ctx, s.rdb, master)
	must(t, err)
	s.follow(t)
	s.signer, err = token.NewSigner()
	must(t, err)
	verifier, err := token.NewVerifier(token.DefaultAudience, s.signer.Public())
	must(t, err)
	s.ledger, err = quota.New(s.rdb, limits)
	must(t, err)
	s.lookups = lookup.New(lookup.Config{
		Redis: s.rdb, Directory: s.directory, Keyring: s.keys, Bucket: bucket.Config{OnLookup: func(memory, store int) {
			metrics.BucketsAnswered(memory, store)
			s.fromStore.Add(int64(store))
		}},
		Snapshot: snapshot.Config{ChangesEvery: 50 * time.Millisecond},
	})
	reg := registry.New(s.keys, s.directory)
	reg.OnWrite = s.lookups.Wrote

	config := server.Config{
		Keyring: s.keys, Directory: s.directory, Lookups: s.lookups, Registry: reg, Ledger: s.ledger, Quotas: s.ledger,
		Verifier: verifier, Metrics: metrics, Logger: slog.New(slog.NewJSONHandler(s.log, nil)),
	}
	for _, change := range changes {
		change(&config)
	}
	s.server = server.New(config)
	s.public = httptest.NewServer(s.server.Handler())
	t.Cleanup(s.public.Close)
	s.admin = httptest.NewServer(s.server.AdminHandler())
	t.Cleanup(s.admin.Close)
	return s
}

// follow keeps the keyring current until the test ends, as a running server does.
func (s *stack) follow(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var followers sync.WaitGroup
	followers.Go(func() { s.keys.Follow(ctx) })
	t.Cleanup(func() {
		cancel()
		followers.Wait()
	})
}

// runLookups keeps memory and snapshots current until the test ends, as a running server does.
func (s *stack) runLookups(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.lookups.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// mint returns a token of an account for a scope.
func (s *stack) mint(t testing.TB, account, scope string) string {
	t.Helper()
	text, err := s.signer.Mint(account, scope, token.DefaultAudience, time.Now(), time.Hour)
	must(t, err)
	return text
}

// call is a request to be made.
type call struct {
	method string
	path   string
	token  string // bearer token, or "" for none
	mime   string // Content-Type, or "" for none
	body   []byte
	header http.Header
	// chunked leaves the length of the body undeclared.
	chunked bool
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	closed bool // the server closes the connection
}

// send makes a request to the public address.
func (s *stack) send(t testing.TB, c call) answer {
	t.Helper()
	return send(t, s.public.URL, c)
}

func send(t testing.TB, base string, c call) answer {
	t.Helper()
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	if c.chunked {
		body = io.MultiReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, body)
	must(t, err)
	for name, values := range c.header {
		request.Header[name] = values
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.mime != "" {
		request.Header.Set("Content-Type", c.mime)
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	must(t, err)
	a := answer{response.StatusCode, response.Header, got, response.Close}
	packed := a.status == http.StatusOK && a.header.Get("Content-Type") == mimePacked && strings.HasPrefix(c.path, "/v1/")
	if packed && c.method != http.MethodHead && response.ContentLength != int64(len(got)) {
		t.Errorf("%s %s: a packed answer of %d bytes states %d", c.method, c.path, len(got), response.ContentLength)
	}
	documented(t, c, request, a)
	return a
}

// problem is what a problem says, by the names of RFC 9457 and design.
type problem struct {
	Type, Title, Detail, Code, Reason string
	Status, Limit                     int
	Remaining                         *int
}

// wantProblem checks that an answer is the problem of a code, and that nothing of the words is in it, which are what
// was sent. It returns the problem.
func wantProblem(t testing.TB, a answer, status int, code string, words ...string) problem {
	t.Helper()
	if a.status != status || a.header.Get("Content-Type") != mimeProblem {
		t.Errorf("got %d %s, want a problem of status %d: %s", a.status, a.header.Get("Content-Type"), status, a.body)
	}
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("a problem is not JSON: %v", err)
	}
	if p.Code != code || p.Status != status || !strings.HasSuffix(p.Type, "/docs/problems/"+code+".md") || p.Title == "" {
		t.Errorf("got problem %+v, want code %s and status %d", p, code, status)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("a problem may be cached: Cache-Control %q", got)
	}
	if later := status >= 500 || status == 429; later != (a.header.Get("Retry-After") != "") {
		t.Errorf("status %d with Retry-After %q", status, a.header.Get("Retry-After"))
	}
	wantNone(t, "the answer", fmt.Sprint(a.header, string(a.body)), words...)
	return p
}

// wantNone checks that a text has none of the words in it.
func wantNone(t testing.TB, what, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if word != "" && strings.Contains(text, word) {
			t.Errorf("%s shows %q: %.2000s", what, word, text)
		}
	}
}

// decode decodes an answer in JSON, which must have no other members than v.
func decode(t testing.TB, a answer, v any) {
	t.Helper()
	if got := a.header.Get("Content-Type"); a.status != http.StatusOK || got != mimeJSON {
		t.Fatalf("got %d %s, want 200 %s: %s", a.status, got, mimeJSON, a.body)
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func encodeJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return b
}

// logBuffer collects a log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
