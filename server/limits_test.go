package server_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/admission"
	"github.com/kith-project/kith/server/quota"
)

// evaluation is a request of an account for a batch, under a key unless that is "".
func (s *stack) evaluation(t testing.TB, account, key string, batch []byte) call {
	t.Helper()
	c := call{method: "POST", path: evaluationsPath, token: s.mint(t, account, "discover"), mime: mimePacked, body: batch, header: http.Header{}}
	if key != "" {
		c.header.Set("Idempotency-Key", key)
	}
	return c
}

// charged returns what an account has been charged in epoch 1.
func (s *stack) charged(t testing.TB, account string) int64 {
	t.Helper()
	snapshot, err := s.keys.Current()
	must(t, err)
	n, err := s.ledger.Charged(context.Background(), snapshot.AccountKey, account, 1)
	must(t, err)
	return n
}

// wantRateLimit checks the headers about the limit of an account, which is full again in at most some seconds.
func wantRateLimit(t testing.TB, a answer, limit, window, remaining, reset int) {
	t.Helper()
	if got, want := a.header.Get("RateLimit-Policy"), fmt.Sprintf(`"evaluations";q=%d;w=%d;qu="elements"`, limit, window); got != want {
		t.Errorf("got RateLimit-Policy %s, want %s", got, want)
	}
	var gotRemaining, gotReset int
	if _, err := fmt.Sscanf(a.header.Get("RateLimit"), `"evaluations";r=%d;t=%d`, &gotRemaining, &gotReset); err != nil ||
		gotRemaining != remaining || gotReset > reset || gotReset < reset-60 {
		t.Errorf("got RateLimit %q, want %d remaining and full in %d s", a.header.Get("RateLimit"), remaining, reset)
	}
}

func TestQuotaExceeded(t *testing.T) {
	const day = 24 * 60 * 60
	s := newLimited(t, quota.Limits{Burst: 5, RefillPerDay: 1})
	three := blind(t, "+14155552671", "+14155552672", "+14155552673").packed
	wantRateLimit(t, s.send(t, s.evaluation(t, "alice", "", three)), 5, 5*day, 2, 3*day)

	a := s.send(t, s.evaluation(t, "alice", "k", three))
	p := wantProblem(t, a, 429, "quota-exceeded", "alice")
	if p.Limit != 5 || p.Remaining == nil || *p.Remaining != 2 {
		t.Errorf("got %+v, want 2 remaining of 5", p)
	}
	wantRateLimit(t, a, 5, 5*day, 2, 3*day)
	if after, _ := strconv.Atoi(a.header.Get("Retry-After")); after > day || after < day-60 {
		t.Errorf("got Retry-After %d, want the time of one unit, %d", after, day)
	}
	// None of it was charged, and others are not concerned.
	two := blind(t, "+14155552671", "+14155552672").packed
	if a := s.send(t, s.evaluation(t, "alice", "k", two)); a.status != 200 {
		t.Errorf("what was left: got %d %s", a.status, a.body)
	}
	p = wantProblem(t, s.send(t, s.evaluation(t, "alice", "", two)), 429, "quota-exceeded")
	if p.Remaining == nil || *p.Remaining != 0 {
		t.Errorf("got %+v, want none remaining, which is said", p)
	}
	wantRateLimit(t, s.send(t, s.evaluation(t, "bob", "", two)), 5, 5*day, 3, 2*day)
	if alice, bob := s.charged(t, "alice"), s.charged(t, "bob"); alice != 5 || bob != 2 {
		t.Errorf("charged %d and %d, want 5 and 2", alice, bob)
	}
	a = send(t, s.admin.URL, call{method: "GET", path: "/metrics"})
	if !strings.Contains(string(a.body), `kith_quota_refusals_total{kind="exceeded"} 2`) {
		t.Error("the metrics do not have the two refusals")
	}
}

// TestLargerThanTheBucket is a request that no time mends: not 429, which would be repeated.
func TestLargerThanTheBucket(t *testing.T) {
	s := newLimited(t, quota.Limits{Burst: 2, RefillPerDay: 1})
	a := s.send(t, s.evaluation(t, "alice", "", blind(t, "+14155552671", "+14155552672", "+14155552673").packed))
	if p := wantProblem(t, a, 413, "too-many-elements"); p.Limit != 2 || s.charged(t, "alice") != 0 {
		t.Errorf("got %+v after %d charged, want limit 2 after none", p, s.charged(t, "alice"))
	}
}

func TestReplaysEnd(t *testing.T) {
	s := newLimited(t, quota.Limits{ReplayCap: 2})
	one := blind(t, number).packed
	for i := range 3 {
		if a := s.send(t, s.evaluation(t, "alice", "k", one)); a.status != 200 {
			t.Fatalf("time %d: got %d %s", i, a.status, a.body)
		}
	}
	wantProblem(t, s.send(t, s.evaluation(t, "alice", "k", one)), 422, "idempotency-key-exhausted")
	if a := s.send(t, s.evaluation(t, "alice", "k2", one)); a.status != 200 || s.charged(t, "alice") != 2 {
		t.Errorf("under another key: got %d, charged %d in all, want 200 and 2", a.status, s.charged(t, "alice"))
	}
}

func TestYoungAccounts(t *testing.T) {
	s := newLimited(t, quota.Limits{YoungPerDay: 3})
	two := blind(t, "+14155552671", "+14155552672").packed
	if a := s.send(t, s.evaluation(t, "alice", "", two)); a.status != 200 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	a := s.send(t, s.evaluation(t, "bob", "", two))
	wantProblem(t, a, 429, "young-accounts-exceeded", "bob")
	if after, _ := strconv.Atoi(a.header.Get("Retry-After")); after < 60 || after > 24*60*60/3 {
		t.Errorf("got Retry-After %d, want the time in which one unit comes back", after)
	}
	if a := s.send(t, s.evaluation(t, "bob", "", blind(t, number).packed)); a.status != 200 || s.charged(t, "bob") != 1 {
		t.Errorf("got %d, charged %d, want 200 and 1", a.status, s.charged(t, "bob"))
	}
}

func TestBlockedAccount(t *testing.T) {
	s := newStack(t)
	one := blind(t, number).packed
	if a := s.send(t, s.evaluation(t, "alice", "k", one)); a.status != 200 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if a := s.operate(t, "POST", "/v1/quotas/block", `{"account":"alice"}`); a.status != 200 {
		t.Fatalf("block: got %d %s", a.status, a.body)
	}
	for _, key := range []string{"k", "k2"} {
		wantProblem(t, s.send(t, s.evaluation(t, "alice", key, one)), 403, "account-blocked")
	}
	if a := s.send(t, s.evaluation(t, "bob", "", one)); a.status != 200 {
		t.Errorf("another account: got %d %s", a.status, a.body)
	}
	if a := s.operate(t, "POST", "/v1/quotas/unblock", `{"account":"alice"}`); a.status != 200 {
		t.Fatalf("unblock: got %d %s", a.status, a.body)
	}
	if a := s.send(t, s.evaluation(t, "alice", "k", one)); a.status != 200 || s.charged(t, "alice") != 1 {
		t.Errorf("afterwards: got %d, charged %d, want 200 and 1", a.status, s.charged(t, "alice"))
	}
}

// gate is an Admission that notes who asks and who has not given back.
type gate struct {
	check   error
	refuse  error
	checked atomic.Int64 // elements, by the last Check
	asked   atomic.Int64 // elements
	holding atomic.Int64
}

func (g *gate) Check(elements int) error {
	g.checked.Store(int64(elements))
	return g.check
}

func (g *gate) Admit(_ context.Context, _ string, elements int) (func(), error) {
	g.asked.Add(int64(elements))
	if g.refuse != nil {
		return nil, g.refuse
	}
	g.holding.Add(1)
	return sync.OnceFunc(func() { g.holding.Add(-1) }), nil
}

// TestOverloadIsNotCharged: whoever is refused for lack of time pays nothing, and is told when to come again.
func TestOverloadIsNotCharged(t *testing.T) {
	g := new(gate)
	s := newStack(t, func(c *server.Config) { c.Admission = g })
	good := blind(t, "+14155552671", "+14155552672").packed
	for _, tt := range []struct {
		refuse            error
		status            int
		code, after       string
		charged, admitted int64
	}{
		{&admission.OverloadedError{RetryAfter: 1200 * time.Millisecond}, 503, "overloaded", "2", 0, 2},
		{&admission.OverloadedError{RetryAfter: time.Millisecond}, 503, "overloaded", "1", 0, 4},
		{admission.ErrClosed, 503, "unavailable", "2", 0, 6},
		{nil, 200, "", "", 2, 8},
	} {
		g.refuse = tt.refuse
		a := s.send(t, s.evaluation(t, "alice", "k", good))
		if tt.status != 200 {
			wantProblem(t, a, tt.status, tt.code)
		}
		if a.status != tt.status || a.header.Get("Retry-After") != tt.after || s.charged(t, "alice") != tt.charged || g.asked.Load() != tt.admitted {
			t.Errorf("%v: got %d, Retry-After %q, %d charged, %d asked for; want %+v", tt.refuse, a.status, a.header.Get("Retry-After"),
				s.charged(t, "alice"), g.asked.Load(), tt)
		}
	}
	// What is wrong by its form alone does not take a place, and what is found wrong gives it back.
	for _, body := range [][]byte{nil, good[:31], make([]byte, 1025*32)} {
		_ = s.send(t, s.evaluation(t, "alice", "", body))
	}
	if g.asked.Load() != 8 {
		t.Errorf("malformed requests asked for %d elements", g.asked.Load()-8)
	}
	wantProblem(t, s.send(t, s.evaluation(t, "alice", "", make([]byte, 32))), 400, "invalid-element")
	if g.holding.Load() != 0 || s.charged(t, "alice") != 3 {
		t.Errorf("%d places are not given back, %d charged; want 0 and 3", g.holding.Load(), s.charged(t, "alice"))
	}
}

// TestShedding: what no account would have a place for is refused without a look at the token or the body, and all else is not.
func TestShedding(t *testing.T) {
	g := &gate{check: &admission.OverloadedError{RetryAfter: 1200 * time.Millisecond}}
	s := newStack(t, func(c *server.Config) { c.Admission = g })
	json := strings.Repeat(" ", 1<<10) + `{"elements":[` + strings.Repeat(`"`+strings.Repeat("A", 43)+`", `, 99) + `"` + strings.Repeat("A", 43) + `"]}`
	for _, tt := range []struct {
		name, mime string
		body       []byte
		least      int64 // elements, as far as the headers tell
	}{
		{"packed", mimePacked, make([]byte, 1024*32), 1024},
		{"of one element", mimePacked, make([]byte, 32), 1},
		{"empty", mimePacked, nil, 1},
		{"too large", mimePacked, make([]byte, 5000*32), 1024},
		{"JSON", mimeJSON, []byte(json), 92}, // of 100, since they could be written wider
		{"neither", "text/plain", []byte("x"), 1},
	} {
		bad := call{method: "POST", path: evaluationsPath, token: "none", mime: tt.mime, body: tt.body}
		g.check = &admission.OverloadedError{RetryAfter: 1200 * time.Millisecond}
		a := s.send(t, bad)
		wantProblem(t, a, 503, "overloaded")
		if a.header.Get("Retry-After") != "2" || g.checked.Load() != tt.least {
			t.Errorf("%s: Retry-After %q, checked for %d elements, want 2 and %d", tt.name, a.header.Get("Retry-After"), g.checked.Load(), tt.least)
		}
		g.check = nil
		wantProblem(t, s.send(t, bad), 401, "unauthorized")
	}
	if g.asked.Load() != 0 {
		t.Errorf("%d elements were asked for", g.asked.Load())
	}
}

// randomness is a source that can be made to fail.
type randomness struct{ fail atomic.Value }

var errNoRandomness = errors.New("no randomness")

func (r *randomness) Read(p []byte) (int, error) {
	switch r.fail.Load() {
	case "error":
		return 0, errNoRandomness
	case "panic":
		panic("no randomness")
	default:
		return rand.Read(p)
	}
}

// TestRefundOfTheServersFaults: what was charged and not answered by a fault of the server is given back, and its key is
// charged again, once.
func TestRefundOfTheServersFaults(t *testing.T) {
	random, g := new(randomness), new(gate)
	s := newStack(t, func(c *server.Config) { c.Rand, c.Admission = random, g })
	one := blind(t, number).packed
	for _, fault := range []string{"error", "panic"} {
		random.fail.Store(fault)
		wantProblem(t, s.send(t, s.evaluation(t, "alice", "k", one)), 500, "internal")
		if got := s.charged(t, "alice"); got != 0 || g.holding.Load() != 0 {
			t.Errorf("%s: %d charged, %d places held, want none", fault, got, g.holding.Load())
		}
	}
	random.fail.Store("")
	for range 2 {
		if a := s.send(t, s.evaluation(t, "alice", "k", one)); a.status != 200 || s.charged(t, "alice") != 1 {
			t.Errorf("afterwards: got %d, charged %d, want 200 and 1", a.status, s.charged(t, "alice"))
		}
	}
	// A retry of what was paid for and answered is not given back.
	random.fail.Store("error")
	wantProblem(t, s.send(t, s.evaluation(t, "alice", "k", one)), 500, "internal")
	if got := s.charged(t, "alice"); got != 1 {
		t.Errorf("after a retry that failed: %d charged, want 1", got)
	}
	a := send(t, s.admin.URL, call{method: "GET", path: "/metrics"})
	if !strings.Contains(string(a.body), "kith_quota_refunded_elements_total 2\n") {
		t.Error("the metrics do not have the two refunds")
	}
}

// TestOneAccountByManyClients hammers one account over HTTP: not one element more than the limit is answered.
func TestOneAccountByManyClients(t *testing.T) {
	const clients, burst = 64, 100
	s := newLimited(t, quota.Limits{Burst: burst, RefillPerDay: 1})
	bodies := [][]byte{blind(t, number).packed, blind(t, "+14155552671", "+14155552672", "+14155552673").packed}
	token := s.mint(t, "alice", "discover")
	var answered, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for j := range 4 {
				body := bodies[(i+j)%2]
				r, _ := http.NewRequest("POST", s.public.URL+evaluationsPath, strings.NewReader(string(body)))
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("Content-Type", mimePacked)
				a, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(a.Body)
				_ = a.Body.Close()
				switch {
				case a.StatusCode == 429:
					refused.Add(1)
				case a.StatusCode == 200 && err == nil:
					answered.Add(int64(len(got)-64) / 32)
				default:
					t.Errorf("got %d, %v: %s", a.StatusCode, err, got)
				}
			}
		})
	}
	wg.Wait()
	// One element passes while one is left, and each client asks for single ones, so that all are used.
	if answered.Load() != burst || s.charged(t, "alice") != burst || refused.Load() == 0 {
		t.Errorf("%d answered, %d charged, %d refusals; want %d answered and charged, and some refusals",
			answered.Load(), s.charged(t, "alice"), refused.Load(), burst)
	}
}

// cutter is a way to a server on which connections are killed: some before the request has arrived, some before the answer.
type cutter struct {
	net.Listener
	server string
	n      atomic.Int64
}

func (c *cutter) serve() {
	for {
		conn, err := c.Accept()
		if err != nil {
			return
		}
		go c.pass(conn, c.n.Add(1))
	}
}

// pass carries the i-th connection: it is cut after a part of the request, before the answer, within it, or not.
func (c *cutter) pass(conn net.Conn, i int64) {
	defer func() { _ = conn.Close() }()
	up, err := net.Dial("tcp", c.server)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	if i%4 == 1 {
		_, _ = io.CopyN(up, conn, 100)
		return
	}
	go func() { _, _ = io.Copy(up, conn) }()
	switch i % 4 {
	case 2:
		_, _ = io.ReadFull(up, make([]byte, 1))
	case 3:
		_, _ = io.CopyN(conn, up, 150)
	default:
		_, _ = io.Copy(conn, up)
	}
}

// TestRetriesOverKilledConnections: requests repeated under their keys until they are answered are charged once each.
func TestRetriesOverKilledConnections(t *testing.T) {
	const requests = 12
	s := newStack(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	way := &cutter{Listener: l, server: s.public.Listener.Addr().String()}
	go way.serve()
	t.Cleanup(func() { _ = l.Close() })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	batch := blind(t, "+14155552671", "+14155552672").packed
	token := s.mint(t, "alice", "discover")
	once := func(key string) bool {
		r, _ := http.NewRequest("POST", "http://"+l.Addr().String()+evaluationsPath, strings.NewReader(string(batch)))
		r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {mimePacked}, "Idempotency-Key": {key}}
		a, err := client.Do(r)
		if err != nil {
			return false
		}
		defer a.Body.Close()
		got, err := io.ReadAll(a.Body)
		return err == nil && a.StatusCode == 200 && len(got) == len(batch)+64
	}
	var wg sync.WaitGroup
	for i := range requests {
		wg.Go(func() {
			for try := 0; !once(fmt.Sprint("key ", i)); try++ {
				if try == 15 {
					t.Errorf("request %d: not answered", i)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := s.charged(t, "alice"); got != 2*requests || way.n.Load() < 2*requests {
		t.Errorf("charged %d over %d connections, want %d over twice as many as requests", got, way.n.Load(), 2*requests)
	}
}

// TestOwnQuota is GET /v1/quota.
func TestOwnQuota(t *testing.T) {
	s := newLimited(t, quota.Limits{Burst: 5, RefillPerDay: 1})
	bearer := s.mint(t, "alice", "discover")
	read := func() string {
		a := s.send(t, call{method: "GET", path: "/v1/quota", token: bearer})
		if a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %d %v %s", a.status, a.header, a.body)
		}
		return regexp.MustCompile(`_seconds":\d{5}`).ReplaceAllString(strings.TrimSpace(string(a.body)), `_seconds":N`)
	}
	if got, want := read(), `{"epoch":1,"limit":5,"refill_per_day":1,"remaining":5,"credit":0,"reset_seconds":0,"blocked":false}`; got != want {
		t.Errorf("at first: got %s, want %s", got, want)
	}
	_ = s.send(t, s.evaluation(t, "alice", "", blind(t, number).packed))
	if got, want := read(), `{"epoch":1,"limit":5,"refill_per_day":1,"remaining":4,"credit":0,"reset_seconds":N,"blocked":false}`; got != want {
		t.Errorf("after one: got %s, want %s", got, want)
	}
	wantRateLimit(t, s.send(t, call{method: "GET", path: "/v1/quota", token: bearer}), 5, 5*24*3600, 4, 24*3600)
	wantProblem(t, s.send(t, call{method: "GET", path: "/v1/quota"}), 401, "unauthorized")
	wantProblem(t, s.send(t, call{method: "GET", path: "/v1/quota", token: s.mint(t, "alice", "register")}), 403, "forbidden")
}

func TestQuotaRoutes(t *testing.T) {
	s := newLimited(t, quota.Limits{Burst: 5, RefillPerDay: 1, YoungPerDay: 1000})
	const account = "alice-of-the-test"
	_ = s.send(t, s.evaluation(t, account, "", blind(t, number).packed))
	for _, tt := range []struct {
		path, body string
		status     int
		want       string // pattern of the answer, or the code of the problem
	}{
		{"read", `{"account":"` + account + `"}`, 200, `"limit":5,.*"remaining":4,.*"blocked":false,"used":1,"charged":1,"young":true,"first_seen":"20`},
		{"read", `{"account":"nobody"}`, 200, `"remaining":5,.*"charged":0,"young":true}`},
		{"raise", `{"account":"` + account + `","burst":7,"refill_per_day":3}`, 200, `"limit":7,"refill_per_day":3,"remaining":6`},
		{"raise", `{"account":"` + account + `","burst":50000001}`, 422, "invalid-limits"},
		{"raise", `{"account":"` + account + `"}`, 200, `"limit":5,"refill_per_day":1,"remaining":4`},
		{"reset", `{"account":"` + account + `"}`, 200, `"remaining":5,.*"charged":1`},
		{"block", `{"account":"` + account + `"}`, 200, `"blocked":true,.*"blocked_since":"20`},
		{"unblock", `{"account":"` + account + `"}`, 200, `"blocked":false`},
		{"forget", `{"account":"` + account + `"}`, 200, `"charged":0,"young":true}`},
		{"read", `{}`, 400, "malformed"},
		{"read", `{"account":""}`, 400, "malformed"},
		{"read", `{"account":null}`, 400, "malformed"},
		{"read", `{"account":"` + strings.Repeat("a", 257) + `"}`, 400, "malformed"},
		{"read", `{"account":"a","burst":1}`, 400, "malformed"},
		{"raise", `{"account":"a","burst":"1"}`, 400, "malformed"},
		{"read", `{"account":"` + strings.Repeat("a", 5000) + `"}`, 413, "too-large"},
	} {
		a := s.operate(t, "POST", "/v1/quotas/"+tt.path, tt.body)
		if tt.status != 200 {
			wantProblem(t, a, tt.status, tt.want, account)
		} else if a.status != 200 || !regexp.MustCompile(tt.want).Match(a.body) {
			t.Errorf("%s %s: got %d %s, want %s", tt.path, tt.body, a.status, a.body, tt.want)
		}
	}
	a := s.operate(t, "GET", "/v1/limits", "")
	if got, want := strings.TrimSpace(string(a.body)), `{"burst":5,"refill_per_day":1,"young_age_seconds":604800,"young_per_day":1000}`; got != want {
		t.Errorf("limits: got %s, want %s", got, want)
	}
	for _, path := range []string{"/v1/quotas/read", "/v1/quotas/block"} {
		wantProblem(t, send(t, s.admin.URL, call{method: "POST", path: path, mime: mimeJSON, body: []byte(`{"account":"a"}`)}), 401, "unauthorized")
		wantProblem(t, send(t, s.admin.URL, call{method: "POST", path: path, token: s.mint(t, "a", "discover"), mime: mimeJSON, body: []byte(`{"account":"a"}`)}), 403, "forbidden")
		wantProblem(t, s.send(t, call{method: "POST", path: path, token: s.mint(t, "a", "operate"), mime: mimeJSON, body: []byte(`{"account":"a"}`)}), 404, "not-found")
	}
	// Each action is in the log, with both accounts hashed.
	log := s.log.String()
	wantNone(t, "the log", log, account, "account-of-olga")
	for _, action := range []string{"read", "raise", "reset", "block", "unblock", "forget"} {
		if !regexp.MustCompile(`"action":"quota-` + action + `","outcome":"done","operator":"[A-Z2-7]{16}".*"account":"[A-Z2-7]{16}"`).MatchString(log) {
			t.Errorf("the log does not have %s: %s", action, log)
		}
	}
}

// TestCorruptAccount: what the store has of the account is nothing that was written there.
func TestCorruptAccount(t *testing.T) {
	s := newStack(t)
	one := blind(t, number).packed
	_ = s.send(t, s.evaluation(t, "alice", "", one))
	keys, err := s.rdb.Keys(context.Background(), "kith:{a*}:account").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("got accounts %v, %v, want one", keys, err)
	}
	must(t, s.rdb.HSet(context.Background(), keys[0], "level", "-1").Err())
	wantProblem(t, s.send(t, s.evaluation(t, "alice", "", one)), 503, "unavailable")
	wantProblem(t, s.operate(t, "POST", "/v1/quotas/read", `{"account":"alice"}`), 503, "unavailable")
	if a := s.operate(t, "POST", "/v1/quotas/forget", `{"account":"alice"}`); a.status != 200 {
		t.Errorf("forget: got %d %s", a.status, a.body)
	}
	if a := s.send(t, s.evaluation(t, "alice", "", one)); a.status != 200 {
		t.Errorf("afterwards: got %d %s", a.status, a.body)
	}
}
