package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/admission"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/lookup"
	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/registry"
	"github.com/kith-project/kith/server/snapshot"
	"github.com/kith-project/kith/server/token"
)

// problemPages is where each type of problem has its page.
const problemPages = "https://github.com/kith-project/kith/blob/main/docs/problems/"

// kind is one type of problem, as its page in docs/problems has it.
type kind struct {
	code       string
	status     int
	title      string
	retryAfter int // seconds, 0 for none
}

// page returns the address of its page, which is the type of the problem.
func (k *kind) page() string { return problemPages + k.code + ".md" }

// Every problem that the server answers with.
var (
	kindMalformed     = &kind{"malformed", http.StatusBadRequest, "The request can not be read.", 0}
	kindElement       = &kind{"invalid-element", http.StatusBadRequest, "An element is not canonical or is the identity.", 0}
	kindCredential    = &kind{"credential-refused", http.StatusBadRequest, "Lookups take no credential: send this request without Authorization and Cookie, so that it can not be tied to an account.", 0}
	kindUnauthorized  = &kind{"unauthorized", http.StatusUnauthorized, "A valid bearer token is required.", 0}
	kindBlocked       = &kind{"account-blocked", http.StatusForbidden, "The account is blocked.", 0}
	kindForbidden     = &kind{"forbidden", http.StatusForbidden, "The token is not for this.", 0}
	kindNotFound      = &kind{"not-found", http.StatusNotFound, "There is no such route.", 0}
	kindNoSnapshot    = &kind{"no-snapshot", http.StatusNotFound, "No snapshot of the epoch has been published yet.", 0}
	kindNoShard       = &kind{"no-such-shard", http.StatusNotFound, "There is no such shard, or no longer: read the snapshot's manifest again.", 0}
	kindUnknownEpoch  = &kind{"unknown-epoch", http.StatusNotFound, "There is no such epoch: read the directory again.", 0}
	kindMethod        = &kind{"method-not-allowed", http.StatusMethodNotAllowed, "The route does not have this method.", 0}
	kindTimeout       = &kind{"request-timeout", http.StatusRequestTimeout, "The request did not arrive in time.", 0}
	kindEpochRetired  = &kind{"epoch-retired", http.StatusGone, "The epoch is not served any more: read the directory again.", 0}
	kindTrimmed       = &kind{"changes-trimmed", http.StatusGone, "The changes since then are not kept any more: take the snapshot anew.", 0}
	kindState         = &kind{"wrong-state", http.StatusConflict, "The epoch is not in a state from which this leads.", 0}
	kindNotVerified   = &kind{"not-verified", http.StatusConflict, "Not all registrations are known to be in the new epoch.", 0}
	kindNotSettled    = &kind{"not-settled", http.StatusConflict, "The registrations of the last rotation are not settled yet.", 0}
	kindLabelMismatch = &kind{"label-mismatch", http.StatusPreconditionFailed, "Another label is registered for the number; nothing was deleted.", 0}
	kindPrecondition  = &kind{"precondition-failed", http.StatusPreconditionFailed, "What there is does not meet the condition of the request.", 0}
	kindTooLarge      = &kind{"too-large", http.StatusRequestEntityTooLarge, "The request is larger than any valid one.", 0}
	kindElements      = &kind{"too-many-elements", http.StatusRequestEntityTooLarge, "The request has more elements than the directory or the account allows.", 0}
	kindTags          = &kind{"too-many-tags", http.StatusRequestEntityTooLarge, "The request has more tags than the directory allows.", 0}
	kindPrefixes      = &kind{"too-many-prefixes", http.StatusRequestEntityTooLarge, "The request has more prefixes than the directory allows.", 0}
	kindMediaType     = &kind{"unsupported-media-type", http.StatusUnsupportedMediaType, "The body is of a type that the route does not take.", 0}
	kindRange         = &kind{"range-not-satisfiable", http.StatusRequestedRangeNotSatisfiable, "The range can not be read, or begins behind the end.", 0}
	kindNumber        = &kind{"invalid-number", http.StatusUnprocessableEntity, "The number is not a valid one in international form.", 0}
	kindLabel         = &kind{"invalid-label", http.StatusUnprocessableEntity, "The label is longer than 47 bytes or not UTF-8.", 0}
	kindVersion       = &kind{"invalid-version", http.StatusUnprocessableEntity, "The version is not between 1 and 2^53 - 1.", 0}
	kindRotation      = &kind{"invalid-rotation", http.StatusUnprocessableEntity, "The rotation can not go like that.", 0}
	kindCosignature   = &kind{"invalid-cosignature", http.StatusUnprocessableEntity, "The line is not this witness's signature of the present checkpoint.", 0}
	kindKeyReused     = &kind{"idempotency-key-reused", http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request.", 0}
	kindReplays       = &kind{"idempotency-key-exhausted", http.StatusUnprocessableEntity, "The request was repeated too often under its Idempotency-Key.", 0}
	kindQuotaLimits   = &kind{"invalid-limits", http.StatusUnprocessableEntity, "An account can not have these limits.", 0}
	kindQuota         = &kind{"quota-exceeded", http.StatusTooManyRequests, "The account has fewer evaluations left than the request has elements; nothing was charged.", 1}
	kindYoung         = &kind{"young-accounts-exceeded", http.StatusTooManyRequests, "New accounts together have no evaluations left; nothing was charged.", 1}
	kindInternal      = &kind{"internal", http.StatusInternalServerError, "The server has made a mistake.", 1}
	kindOverloaded    = &kind{"overloaded", http.StatusServiceUnavailable, "Too many requests are under way; nothing was done.", 2}
	kindUnavailable   = &kind{"unavailable", http.StatusServiceUnavailable, "The server can not answer now; nothing is known about what was asked.", 2}
)

// refusals maps the errors of the packages below to problems. An error that is in none is internal.
var refusals = []struct {
	err  error
	kind *kind
}{
	{token.ErrToken, kindUnauthorized},
	{token.ErrScope, kindForbidden},
	{voprf.ErrElement, kindElement},
	{voprf.ErrLength, kindMalformed},
	{voprf.ErrBatch, kindMalformed},
	{crypto.ErrLabel, kindLabel},
	{quota.ErrTooLarge, kindElements},
	{quota.ErrYoung, kindYoung},
	{quota.ErrBlocked, kindBlocked},
	{quota.ErrKeyReused, kindKeyReused},
	{quota.ErrReplays, kindReplays},
	{quota.ErrLimits, kindQuotaLimits},
	{quota.ErrUnavailable, kindUnavailable},
	{quota.ErrRecord, kindUnavailable},
	{admission.ErrClosed, kindUnavailable},
	{registry.ErrLabelMismatch, kindLabelMismatch},
	{registry.ErrContended, kindUnavailable},
	{registry.ErrNoEpoch, kindUnavailable},
	{keyring.ErrUnknownEpoch, kindUnknownEpoch},
	{keyring.ErrUnavailable, kindUnavailable},
	{keyring.ErrNone, kindUnavailable},
	{keyring.ErrMasterKey, kindUnavailable},
	{keyring.ErrSealed, kindUnavailable},
	{keyring.ErrRecord, kindUnavailable},
	{keyring.ErrNoActive, kindUnavailable},
	{keyring.ErrNoLog, kindUnavailable},
	{keyring.ErrChanged, kindUnavailable},
	{keyring.ErrState, kindState},
	{keyring.ErrNotVerified, kindNotVerified},
	{keyring.ErrNotSettled, kindNotSettled},
	{keyring.ErrWindow, kindRotation},
	{keylog.ErrKey, kindCosignature},
	{keylog.ErrSignature, kindCosignature},
	{keylog.ErrTooLarge, kindCosignature},
	{directory.ErrUnavailable, kindUnavailable},
	{directory.ErrIncomplete, kindUnavailable},
	{directory.ErrStale, kindUnavailable},
	{directory.ErrRecord, kindUnavailable},
	{snapshot.ErrNone, kindNoSnapshot},
	{snapshot.ErrNotFound, kindNoShard},
	{snapshot.ErrTrimmed, kindTrimmed},
	{snapshot.ErrUnavailable, kindUnavailable},
	{snapshot.ErrManifest, kindUnavailable},
	{snapshot.ErrCorrupt, kindUnavailable},
	{lookup.ErrCrowded, kindUnavailable},
	{context.DeadlineExceeded, kindUnavailable},
	{context.Canceled, kindUnavailable},
}

// refusal is an error that is a problem already.
type refusal struct {
	*kind
	detail string // a fixed sentence, or ""
	reason string // a stable code that says more, or ""
	limit  int    // the bound that was exceeded, or 0
	left   *int   // what is left below the bound, or nil
	after  int    // seconds of Retry-After where they are known better than by the kind, or 0
	cause  error  // for the log, or nil
}

func (r *refusal) Error() string { return "server: " + r.code }

func (r *refusal) Unwrap() error { return r.cause }

// refuse returns an error that becomes a problem of a kind with a sentence of detail.
func refuse(k *kind, detail string) error { return &refusal{kind: k, detail: detail} }

// problem is the JSON of RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code"`
	Reason string `json:"reason,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	Left   *int   `json:"remaining,omitempty"`
}

// asRefusal finds the problem that an error is.
func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &refusal{kind: kindTooLarge}
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch he.Code {
		case http.StatusNotFound:
			return &refusal{kind: kindNotFound}
		case http.StatusMethodNotAllowed:
			return &refusal{kind: kindMethod}
		}
	}
	if r := asLimit(err); r != nil {
		return r
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return &refusal{kind: r.kind, cause: r.err}
		}
	}
	return &refusal{kind: kindInternal, cause: err}
}

// asLimit finds the problem of an error that says when to come again, or how much is too much; nil for any other.
func asLimit(err error) *refusal {
	if e, ok := errors.AsType[*quota.ExceededError](err); ok {
		return &refusal{kind: kindQuota, limit: e.Limit, left: &e.Remaining, after: seconds(e.RetryAfter)}
	}
	if e, ok := errors.AsType[*quota.YoungError](err); ok {
		return &refusal{kind: kindYoung, after: seconds(e.RetryAfter)}
	}
	if e, ok := errors.AsType[*quota.TooLargeError](err); ok {
		return &refusal{kind: kindElements, limit: e.Limit}
	}
	if e, ok := errors.AsType[*admission.OverloadedError](err); ok {
		return &refusal{kind: kindOverloaded, after: seconds(e.RetryAfter)}
	}
	return nil
}

// challenge is what every refusal of a token says of why: nothing. RFC 6750, Section 3, wants a parameter.
const challenge = `Bearer realm="kith"`

// writeProblem is the one place where an error becomes an answer.
func writeProblem(err error, c echo.Context) {
	r := asRefusal(err)
	c.Set(refusalKey, r)
	if c.Response().Committed {
		return
	}
	header := c.Response().Header()
	if after := cmp.Or(r.after, r.retryAfter); after > 0 {
		header.Set(echo.HeaderRetryAfter, strconv.Itoa(after))
	}
	if r.status == http.StatusUnauthorized {
		header.Set(echo.HeaderWWWAuthenticate, challenge)
	}
	header.Set("Cache-Control", "no-store")
	header.Set(echo.HeaderContentType, "application/problem+json")
	c.Response().WriteHeader(r.status)
	_ = c.Echo().JSONSerializer.Serialize(c, problem{
		Type: r.page(), Title: r.title, Status: r.status, Detail: r.detail, Code: r.code,
		Reason: r.reason, Limit: r.limit, Left: r.left,
	}, "")
}
