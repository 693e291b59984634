package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Codes of problems that a Kith server answers with.
const (
	CodeUnauthorized         = "unauthorized"              // 401: the token is missing, expired or not for this server
	CodeForbidden            = "forbidden"                 // 403: the token lacks the scope
	CodeTooManyElements      = "too-many-elements"         // 413: more elements than the account may ever send at once
	CodeInvalidElement       = "invalid-element"           // 400
	CodeUnknownEpoch         = "unknown-epoch"             // 404
	CodeEpochRetired         = "epoch-retired"             // 410
	CodeTooManyPrefixes      = "too-many-prefixes"         // 413
	CodeNoSnapshot           = "no-snapshot"               // 404: there is none yet
	CodeChangesTrimmed       = "changes-trimmed"           // 410: the changes feed does not reach back so far
	CodeIdempotencyKeyReused = "idempotency-key-reused"    // 422
	CodeKeyExhausted         = "idempotency-key-exhausted" // 422: repeated too often under its Idempotency-Key
	CodeAccountBlocked       = "account-blocked"           // 403: by the operator of the server
	CodeQuotaExceeded        = "quota-exceeded"            // 429: the account has fewer evaluations left than the request has elements
	CodeYoungAccounts        = "young-accounts-exceeded"   // 429: new accounts together have no evaluations left
	CodeOverloaded           = "overloaded"                // 503
	CodeUnavailable          = "unavailable"               // 503
	CodeInternal             = "internal"                  // 500
)

const (
	typeJSON    = "application/json"
	typePacked  = "application/octet-stream"
	typeProblem = "application/problem+json"
	// maxProblem and maxTitle bound what is read of a problem, in bytes.
	maxProblem = 8 << 10
	maxTitle   = 200
	maxCode    = 40
	// maxRetryAfter is what longer waits are taken for: a server that means never.
	maxRetryAfter = 365 * 24 * time.Hour
)

// ProblemError is an answer of the server that is an error.
type ProblemError struct {
	Request    string        // "directory", "keylog", "evaluations", "matches", "buckets", "snapshot", "shard" or "changes"
	Status     int           // HTTP status
	Code       string        // one of the codes above or of a newer server; empty if something else answered, a proxy say
	Title      string        // the server's words, at most 200 bytes; not in Error, as this client can not vouch for them
	RetryAfter time.Duration // when to try again, from now; 0 if the server did not say
	Limit      int           // with CodeQuotaExceeded and CodeTooManyElements: the most elements at once; 0 if the server did not say
	Remaining  int           // with CodeQuotaExceeded: how many elements the account can have evaluated now
}

func (e *ProblemError) Error() string {
	text := fmt.Sprintf("client: %s: server answered %d", e.Request, e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(", retry after %v", e.RetryAfter)
	}
	return text
}

// temporary reports whether the same request may succeed later.
func (e *ProblemError) temporary() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// readProblem makes an error of an answer that is not 200, whatever its body.
func readProblem(name string, resp *http.Response) *ProblemError {
	e := &ProblemError{Request: name, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, time.Now())}
	if !hasType(resp.Header, typeProblem) {
		return e
	}
	var members struct {
		Code      string `json:"code"`
		Title     string `json:"title"`
		Limit     int    `json:"limit"`
		Remaining int    `json:"remaining"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil || json.Unmarshal(body, &members) != nil {
		return e
	}
	if isCode(members.Code) {
		e.Code = members.Code
	}
	e.Limit, e.Remaining = max(members.Limit, 0), max(members.Remaining, 0)
	e.Title = strings.ToValidUTF8(members.Title[:min(len(members.Title), maxTitle)], "")
	return e
}

// isCode reports whether s is a word that may go into an error text: letters and hyphens, which hold no number and no
// encoded bytes worth the name.
func isCode(s string) bool {
	return s != "" && len(s) <= maxCode && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") == ""
}

func hasType(h http.Header, want string) bool {
	got, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && got == want
}

// retryAfter reads Retry-After (RFC 9110, Section 10.2.3), in seconds or as a date, and returns how long to wait from
// now, or 0 if it is missing, past or malformed.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	// The server's own clock, where it tells it: those of phones are often wrong.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
