package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

const (
	typeJSON   = "application/json"
	typePacked = "application/octet-stream"
	// userAgent is that of package client.
	userAgent = "kith-client"
	// maxAnswer and maxProblem bound what is read, bytes.
	maxAnswer  = 256 << 20
	maxProblem = 8 << 10
)

// request is one call of the server, which may take several tries.
type request struct {
	kind           Kind
	method, url    string
	body           []byte
	bodyType       string // packed if empty
	accept         string // "" for an answer without a body
	token          string
	idempotencyKey string
}

// answer is a successful answer.
type answer struct {
	body     []byte
	header   http.Header
	from, to time.Time // when the try that succeeded was sent, and when it was answered
	tries    int
}

// failure is a request that failed for good. Its reason is a code of a problem, a status, or a word of this package: it can
// be counted by, and has nothing of the request.
type failure struct {
	kind   Kind
	reason string
}

func (f *failure) Error() string { return "load: " + string(f.kind) + ": " + f.reason }

// Reasons beside codes of problems and statuses.
const (
	reasonTimeout    = "no answer in time"
	reasonConnection = "connection failed"
	reasonUnfinished = "not finished at the end"
	reasonNotBegun   = "not begun: too many under way"
	reasonWrong      = "wrong answer"
	reasonLost       = "written over"
)

// call sends a request, again as a device does, and records it. The first request of a visit counts from its scheduled
// moment, others from now.
func (v *visit) call(ctx context.Context, q request) (answer, error) {
	origin := v.scheduled
	if v.called {
		origin = time.Now()
	}
	v.called = true
	a, refused, failed := v.try(ctx, q)
	outcome := outcome{kind: q.kind, origin: origin, end: time.Now(), tries: a.tries, refused: refused}
	if failed == nil {
		v.g.record.add(outcome)
		return a, nil
	}
	outcome.reason = failed.reason
	v.g.record.add(outcome)
	return a, failed
}

// try sends a request until it succeeds or fails for good. It returns how often it was refused.
func (v *visit) try(ctx context.Context, q request) (a answer, refused int, failed *failure) {
	for try := 1; ; try++ {
		got, status, code, err := v.attempt(ctx, q)
		got.tries = try
		if err == nil {
			return got, refused, nil
		}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			refused++
		}
		if ctx.Err() != nil {
			return got, refused, &failure{q.kind, reasonUnfinished}
		}
		wait, again := retryWait(v.dice, status, try, retryAfter(got.header))
		if !again {
			return got, refused, &failure{q.kind, reasonOf(status, code, err)}
		}
		if pause(ctx, wait) != nil {
			return got, refused, &failure{q.kind, reasonUnfinished}
		}
	}
}

// errStatus means an answer that is no success.
var errStatus = errors.New("load: no success")

// attempt sends a request once. Without an answer the status is 0.
func (v *visit) attempt(ctx context.Context, q request) (a answer, status int, code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, q.method, q.url, bytes.NewReader(q.body))
	if err != nil {
		return a, http.StatusBadRequest, "", err
	}
	q.setHeader(r.Header)
	a.from = time.Now()
	resp, err := v.via(q.kind).RoundTrip(r)
	if err != nil {
		return a, 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	a.header = resp.Header
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return a, resp.StatusCode, problemCode(resp), errStatus
	}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a.to = time.Now()
	if err != nil {
		return a, 0, "", err
	}
	if q.accept != "" && !hasType(resp.Header, q.accept) {
		return a, resp.StatusCode, "not " + q.accept, errStatus
	}
	return a, resp.StatusCode, "", nil
}

func (q *request) setHeader(h http.Header) {
	h.Set("User-Agent", userAgent)
	if q.accept != "" {
		h.Set("Accept", q.accept)
	}
	if q.body != nil {
		h.Set("Content-Type", typePacked)
	}
	if q.bodyType != "" {
		h.Set("Content-Type", q.bodyType)
	}
	if q.idempotencyKey != "" {
		h.Set("Idempotency-Key", q.idempotencyKey)
	}
	if q.token != "" {
		h.Set("Authorization", "Bearer "+q.token)
	}
}

// problemCode reads the code of an RFC 9457 problem, "" if it has none that is a word.
func problemCode(resp *http.Response) string {
	var problem struct {
		Code string `json:"code"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil || json.Unmarshal(body, &problem) != nil || len(problem.Code) > 40 {
		return ""
	}
	for _, c := range problem.Code {
		if (c < 'a' || c > 'z') && c != '-' {
			return ""
		}
	}
	return problem.Code
}

func hasType(h http.Header, want string) bool {
	got, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && got == want
}

// reasonOf says in a few words why a request failed.
func reasonOf(status int, code string, err error) string {
	switch {
	case status == 0 && errors.Is(err, context.DeadlineExceeded):
		return reasonTimeout
	case status == 0:
		return reasonConnection
	case code != "":
		return strconv.Itoa(status) + " " + code
	default:
		return strconv.Itoa(status)
	}
}

// pause waits, or returns the error of ctx when it ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
