package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/token"
)

const (
	importPath = "/v1/registrations/import"
	mimeLines  = "application/x-ndjson"
)

// importResult is a line of the answer as docs/openapi.yaml has it.
type importResult struct {
	Line       int64  `json:"line"`
	Applied    *bool  `json:"applied"`
	Code       string `json:"code"`
	Reason     string `json:"reason"`
	Detail     string `json:"detail"`
	RetryAfter int    `json:"retry_after"`
}

// importCall returns an import of some lines.
func (s *stack) importCall(t testing.TB, body string) call {
	t.Helper()
	return call{method: "POST", path: importPath, token: s.mint(t, "account-service", "register"), mime: mimeLines, body: []byte(body)}
}

// importLines imports, and returns the lines of the answer.
func (s *stack) importLines(t testing.TB, body string) []importResult {
	t.Helper()
	a := s.send(t, s.importCall(t, body))
	if a.status != 200 || a.header.Get("Content-Type") != mimeLines {
		t.Fatalf("got %d %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	var results []importResult
	for line := range bytes.Lines(a.body) {
		results = append(results, decodeResult(t, line))
	}
	return results
}

func decodeResult(t testing.TB, line []byte) importResult {
	t.Helper()
	var r importResult
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return r
}

func lineOf(number, label string) string {
	return fmt.Sprintf(`{"number":%q,"label":%q}`+"\n", number, label)
}

// TestImportEqualsPuts sends the same bodies one by one to a server, and as lines to another: the answers say the same, and the
// same is found afterwards.
func TestImportEqualsPuts(t *testing.T) {
	const other, hidden, label = "+4915123456789", "+442071838750", "label-of-the-test"
	with := func(members string) string {
		return `{"number":"` + number + `","label":"` + label + `",` + members + `}`
	}
	lines := []string{
		with(`"version":5`), with(`"version":4`), `{"number":"` + number + `","label":"five","version":5}`,
		`{"number":"+49 (151) 234-56789","label":"\ud83d\ude00","version":1}`,
		`{"number":"` + hidden + `","label":"x","version":1}`, `{"number":"` + hidden + `","discoverable":false,"version":2}`,
		`{"number":"+1415555","label":"` + label + `"}`, `{"number":"nobody"}`, `{"label":"x"}`, `{"number":null}`, `{}`, `null`, `[]`,
		``, ` `, `{"number":"` + number, with(`"version":0`), with(`"version":9007199254740992`), with(`"version":1.5`),
		with(`"discoverabel":false`), with(`"discoverable":false,"discoverable":true`), with(`"Discoverable":false`),
		with(`"version":6`) + `{}`, `{"number":"` + number + `","label":"` + strings.Repeat("x", 48) + `"}`,
		"{\"number\":\"" + number + "\",\"label\":\"a\xffb\"}", `{"number":"` + number + `","label":"\ud83d"}`,
		with(`"version":7`) + strings.Repeat(" ", 4096), with(`"version":7`) + strings.Repeat(" ", 1<<16),
		`{"number":"` + number + `","label":"` + strings.Repeat("x", 47) + `","version":8}` + "\r",
		`{"number":"` + other + `","label":"last","version":2}`,
	}
	one, all := newStack(t), newStack(t)
	results := all.importLines(t, strings.Join(lines, "\n")) // no end after the last
	if len(results) != len(lines) {
		t.Fatalf("got %d results of %d lines", len(results), len(lines))
	}
	for i, line := range lines {
		a := one.register(t, "PUT", line)
		want := importResult{Line: int64(i + 1)}
		if a.status == 204 {
			want.Applied = new(a.header.Get("Kith-Applied") == "true")
		} else {
			var p problem
			must(t, json.Unmarshal(a.body, &p))
			want.Code, want.Reason, want.Detail = p.Code, p.Reason, p.Detail
		}
		if !reflect.DeepEqual(results[i], want) {
			t.Errorf("line %d, %.80q: got %+v, a PUT %+v", i+1, line, results[i], want)
		}
	}
	for _, n := range []string{number, other, hidden} {
		if got, want := all.labelOf(t, n), one.labelOf(t, n); got != want {
			t.Errorf("found %q, after PUTs %q", got, want)
		}
	}
	if got := all.labelOf(t, number); got != strings.Repeat("x", 47) {
		t.Errorf("found %q", got)
	}
	for outcome, want := range map[string]int{"applied": 7, "later": 1, "refused": len(lines) - 8} {
		sample := fmt.Sprintf("kith_imported_lines_total{result=%q} %d\n", outcome, want)
		if a := send(t, all.admin.URL, call{method: "GET", path: "/metrics"}); !strings.Contains(string(a.body), sample) {
			t.Errorf("the metrics do not have %s", sample)
		}
	}
	wantNone(t, "the log", all.log.String(), number[1:], "1415555", label, "nobody")
}

// TestImportAnswersInOrder imports more than is written at a time.
func TestImportAnswersInOrder(t *testing.T) {
	s := newStack(t)
	const lines = 5000
	var body strings.Builder
	for i := range lines {
		body.WriteString(lineOf(fmt.Sprintf("+1415555%04d", i), fmt.Sprint("user-", i)))
	}
	results := s.importLines(t, body.String())
	if len(results) != lines {
		t.Fatalf("got %d results of %d lines", len(results), lines)
	}
	for i, r := range results {
		if r.Line != int64(i+1) || (r.Applied == nil) == (r.Code == "") {
			t.Fatalf("result %d is %+v", i+1, r)
		}
	}
	for _, i := range []int{2671, 4999} {
		if got := s.labelOf(t, fmt.Sprintf("+1415555%04d", i)); got != fmt.Sprint("user-", i) {
			t.Errorf("user %d: found %q", i, got)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	s := newStack(t)
	good := s.importCall(t, lineOf(number, "a"))
	change := func(f func(*call)) call {
		c := good
		f(&c)
		return c
	}
	for _, test := range []struct {
		name   string
		call   call
		status int
		code   string
	}{
		{"another scope", change(func(c *call) { c.token = s.mint(t, "a", "discover operate") }), 403, "forbidden"},
		{"no token", change(func(c *call) { c.token = "" }), 401, "unauthorized"},
		{"JSON", change(func(c *call) { c.mime = mimeJSON }), 415, "unsupported-media-type"},
		{"no type", change(func(c *call) { c.mime = "" }), 415, "unsupported-media-type"},
		{"compressed", change(func(c *call) { c.header = http.Header{"Content-Encoding": {"gzip"}} }), 415, "unsupported-media-type"},
		{"empty", change(func(c *call) { c.body = nil }), 400, "malformed"},
	} {
		t.Run(test.name, func(t *testing.T) { wantProblem(t, s.send(t, test.call), test.status, test.code, number) })
	}
	if got := s.labelOf(t, number); got != "" {
		t.Errorf("what was refused is registered as %q", got)
	}
}

// liveImport is an import whose lines are sent one by one.
type liveImport struct {
	body     *io.PipeWriter
	response *http.Response
	answer   *bufio.Reader
}

// startImport sends the first lines, and returns when the answer has begun.
func startImport(t *testing.T, s *stack, client *http.Client, base, lines string) *liveImport {
	t.Helper()
	r, w := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), "POST", base+importPath, r)
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+s.mint(t, "account-service", "register"))
	request.Header.Set("Content-Type", mimeLines)
	go func() { _, _ = io.WriteString(w, lines) }()
	response, err := client.Do(request)
	must(t, err)
	t.Cleanup(func() {
		_ = w.Close()
		_ = response.Body.Close()
	})
	if response.StatusCode != 200 {
		t.Fatalf("got %d", response.StatusCode)
	}
	return &liveImport{w, response, bufio.NewReader(response.Body)}
}

// send sends a text.
func (l *liveImport) send(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(l.body, text)
	must(t, err)
}

// result waits for a line of the answer.
func (l *liveImport) result(t *testing.T) importResult {
	t.Helper()
	line, err := l.answer.ReadBytes('\n')
	must(t, err)
	return decodeResult(t, line)
}

// wantApplied waits for the result of a line that was applied.
func (l *liveImport) wantApplied(t *testing.T, line int64) {
	t.Helper()
	if got := l.result(t); !reflect.DeepEqual(got, importResult{Line: line, Applied: new(true)}) {
		t.Fatalf("got %+v, want line %d applied", got, line)
	}
}

// wantEnd waits for the last line, which says why.
func (l *liveImport) wantEnd(t *testing.T, code string, retryAfter int) {
	t.Helper()
	if got := l.result(t); got.Line != 0 || got.Code != code || got.RetryAfter != retryAfter {
		t.Errorf("got %+v, want the end for %s", got, code)
	}
	if rest, err := io.ReadAll(l.answer); err != nil || len(rest) > 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

// TestImportAnswersWhileItReads sends a line when the one before it has been answered, by both versions of HTTP.
func TestImportAnswersWhileItReads(t *testing.T) {
	s := newStack(t)
	h2 := httptest.NewUnstartedServer(s.server.Handler())
	h2.EnableHTTP2 = true
	h2.StartTLS()
	defer h2.Close()
	for _, test := range []struct {
		name  string
		base  string
		via   *http.Client
		major int
	}{{"HTTP/1", s.public.URL, http.DefaultClient, 1}, {"HTTP/2", h2.URL, h2.Client(), 2}} {
		t.Run(test.name, func(t *testing.T) {
			live := startImport(t, s, test.via, test.base, lineOf(number, test.name))
			if live.response.ProtoMajor != test.major || live.response.Close != (test.major == 1) {
				t.Fatalf("got HTTP/%d, closed %t", live.response.ProtoMajor, live.response.Close)
			}
			live.wantApplied(t, 1)
			if got := s.labelOf(t, number); got != test.name {
				t.Errorf("found %q while the stream goes on", got)
			}
			second := lineOf("+4915123456789", test.name)
			live.send(t, second[:10])
			live.send(t, second[10:])
			live.wantApplied(t, 2)
			live.send(t, strings.TrimSpace(lineOf("+442071838750", test.name)))
			must(t, live.body.Close())
			live.wantApplied(t, 3)
			if rest, err := io.ReadAll(live.answer); err != nil || len(rest) > 0 {
				t.Errorf("after the last line: %q, %v", rest, err)
			}
		})
	}
}

// TestImportStoreAway kills Redis under an import. What was answered as applied is there when it is back.
func TestImportStoreAway(t *testing.T) {
	s := newStack(t)
	live := startImport(t, s, http.DefaultClient, s.public.URL, lineOf(number, "a"))
	live.wantApplied(t, 1)
	s.redis.Kill()
	live.send(t, lineOf("+4915123456789", "b"))
	live.wantEnd(t, "unavailable", 2)
	s.redis.Restart()
	s.waitReadiness(t, http.StatusOK)
	if got := s.labelOf(t, number); got != "a" {
		t.Errorf("found %q, want what was acknowledged", got)
	}
	if log := s.log.String(); !strings.Contains(log, `"code":"unavailable"`) {
		t.Errorf("the log does not say why the stream ended: %s", log)
	}
}

// TestImportPassesDamage damages one stored record: its line is refused, as a PUT is, and those around it are written.
func TestImportPassesDamage(t *testing.T) {
	const damaged = "+4915123456789"
	s := newStack(t)
	s.put(t, registration{Number: damaged, Label: "old"})
	keys, err := s.rdb.Keys(t.Context(), "kith:{e1.p*}:b*").Result()
	must(t, err)
	if len(keys) != 1 {
		t.Fatalf("got %d buckets, want 1", len(keys))
	}
	for tag := range s.rdb.HGetAll(t.Context(), keys[0]).Val() {
		must(t, s.rdb.HSet(t.Context(), keys[0], tag, "damaged").Err())
	}
	wantProblem(t, s.register(t, "PUT", strings.TrimSpace(lineOf(damaged, "new"))), 503, "unavailable")
	const lines = 7
	for at := range lines {
		var body strings.Builder
		for i := range lines {
			n, label := fmt.Sprintf("+1415555267%d", i), fmt.Sprint("user-", at, i)
			if i == at {
				n = damaged
			}
			body.WriteString(lineOf(n, label))
		}
		for i, r := range s.importLines(t, body.String()) {
			want := importResult{Line: int64(i + 1), Applied: new(true)}
			if i == at {
				want = importResult{Line: int64(i + 1), Code: "unavailable", RetryAfter: 2}
			}
			if !reflect.DeepEqual(r, want) {
				t.Errorf("damaged at %d: got %+v, want %+v", at+1, r, want)
			}
		}
		last := (at + lines - 1) % lines
		if got, want := s.labelOf(t, fmt.Sprintf("+1415555267%d", last)), fmt.Sprint("user-", at, last); got != want {
			t.Errorf("damaged at %d: found %q, want %q", at+1, got, want)
		}
	}
}

// TestImportCutOff has the connection die in a line: what was answered is stored, and the line without an end is not taken for one.
func TestImportCutOff(t *testing.T) {
	s := newStack(t)
	live := startImport(t, s, http.DefaultClient, s.public.URL, lineOf(number, "a"))
	live.wantApplied(t, 1)
	live.send(t, strings.TrimSpace(lineOf("+4915123456789", "b")))
	_ = live.body.CloseWithError(io.ErrClosedPipe)
	_ = live.response.Body.Close()
	eventually(t, "ended", func() bool { return strings.Contains(s.log.String(), `"route":"`+importPath+`"`) })
	if got := s.labelOf(t, number); got != "a" {
		t.Errorf("found %q, want what was acknowledged", got)
	}
	if got := s.labelOf(t, "+4915123456789"); got != "" {
		t.Errorf("a line that was cut off is registered as %q", got)
	}
}

// TestImportOutlastsTimeouts sends lines for longer than a request may take, and then none.
func TestImportOutlastsTimeouts(t *testing.T) {
	s := newStack(t)
	l := serveOn(t, s.server, server.Listener{Timeouts: server.Timeouts{Read: 2 * time.Second, Write: 2 * time.Second}})
	live := startImport(t, s, http.DefaultClient, "http://"+l.address, lineOf(number, "1"))
	live.wantApplied(t, 1)
	for line := int64(2); line <= 30; line++ {
		time.Sleep(100 * time.Millisecond)
		live.send(t, lineOf(number, fmt.Sprint(line)))
		live.wantApplied(t, line)
	}
	live.send(t, lineOf(number, "31")[:20])
	live.wantEnd(t, "request-timeout", 0)
	if got := s.labelOf(t, number); got != "30" {
		t.Errorf("found %q, want 30", got)
	}
	_ = live.body.Close()
	l.end(t)
}

// TestImportEndsWithTheServer stops a server under an import that says nothing.
func TestImportEndsWithTheServer(t *testing.T) {
	s := newStack(t)
	l := serveOn(t, s.server, server.Listener{})
	live := startImport(t, s, http.DefaultClient, "http://"+l.address, lineOf(number, "a"))
	live.wantApplied(t, 1)
	l.stop()
	live.wantEnd(t, "unavailable", 2)
	l.end(t)
}

// TestImportsAtOnce has one import more than a server takes.
func TestImportsAtOnce(t *testing.T) {
	s := newStack(t, func(c *server.Config) { c.ImportsAtOnce = 1 })
	live := startImport(t, s, http.DefaultClient, s.public.URL, lineOf(number, "a"))
	live.wantApplied(t, 1)
	wantProblem(t, s.send(t, s.importCall(t, lineOf(number, "b"))), 503, "overloaded", number)
	must(t, live.body.Close())
	if rest, err := io.ReadAll(live.answer); err != nil || len(rest) > 0 {
		t.Errorf("after the last line: %q, %v", rest, err)
	}
	eventually(t, "taken", func() bool { return s.send(t, s.importCall(t, lineOf(number, "c"))).status == 200 })
}

// expiring is a verifier of tokens that are good until they are not.
type expiring struct {
	server.Verifier
	expired atomic.Bool
}

func (v *expiring) Verify(text, scope string) (string, error) {
	if v.expired.Load() {
		return "", token.ErrToken
	}
	return v.Verifier.Verify(text, scope)
}

// TestImportEndsWithItsToken has the token expire while lines arrive.
func TestImportEndsWithItsToken(t *testing.T) {
	v := new(expiring)
	s := newStack(t, func(c *server.Config) { v.Verifier, c.Verifier = c.Verifier, v })
	live := startImport(t, s, http.DefaultClient, s.public.URL, lineOf(number, "a"))
	live.wantApplied(t, 1)
	v.expired.Store(true)
	live.send(t, lineOf(number, "b"))
	live.wantEnd(t, "unauthorized", 0)
	v.expired.Store(false)
	if got := s.labelOf(t, number); got != "a" {
		t.Errorf("found %q, want what was written before", got)
	}
}
