package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// userAgent is the same for all apps and versions, so that it divides no users.
const userAgent = "kith-client"

// request is one call of the server, which may take several attempts.
type request struct {
	name   string // for errors
	via    *http.Client
	method string
	path   string // from the base URL on
	body   []byte // packed, or nil
	accept string // the media type that the answer must have
	limit  int    // the longest answer, in bytes
	// measure, if set, returns the limit for the header of an answer, or an error.
	measure func(http.Header) (int, error)
	cost    *int64 // if set, grows by the bytes of the bodies of each attempt
	token   TokenSource
	key     string // Idempotency-Key, or empty
}

// call sends q, again as the retry policy says, and returns the body of a 200 answer. Its errors are *ProblemError,
// ErrAnswer, ErrToken, the token source's error, network errors, and that of ctx.
func (c *Client) call(ctx context.Context, q request) ([]byte, error) {
	return c.retry.do(ctx, func() ([]byte, error) { return c.attempt(ctx, q) })
}

func (c *Client) attempt(ctx context.Context, q request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.RequestTimeout)
	defer cancel()
	req, err := c.newRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	q.charge(len(q.body))
	resp, err := q.via.Do(req)
	if err != nil {
		return nil, &networkError{q.name, err}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode < 200 || resp.StatusCode/100 == 3: // browsers show a redirect as status 0
		return nil, fmt.Errorf("%w: %s: a redirect", ErrAnswer, q.name)
	case resp.StatusCode >= 400:
		return nil, readProblem(q.name, resp)
	case resp.StatusCode != http.StatusOK || !hasType(resp.Header, q.accept):
		return nil, fmt.Errorf("%w: %s: not %s", ErrAnswer, q.name, q.accept)
	}
	if q.measure != nil {
		if q.limit, err = q.measure(resp.Header); err != nil {
			return nil, err
		}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(q.limit)+1))
	q.charge(len(body))
	if err != nil {
		return nil, &networkError{q.name, err}
	}
	if len(body) > q.limit {
		return nil, fmt.Errorf("%w: %s: longer than asked for", ErrAnswer, q.name)
	}
	return body, nil
}

// charge counts bytes of a body, if they are counted.
func (q *request) charge(n int) {
	if q.cost != nil {
		*q.cost += int64(n)
	}
}

// newRequest makes the HTTP request of one attempt. It returns ErrToken or the token source's error.
func (c *Client) newRequest(ctx context.Context, q request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, c.options.Server+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", q.name, err)
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", q.accept)
	if q.body != nil {
		req.Header.Set("Content-Type", typePacked)
	}
	if q.key != "" {
		req.Header.Set("Idempotency-Key", q.key)
	}
	if q.token != nil {
		token, err := q.token(ctx)
		if err != nil {
			return nil, fmt.Errorf("client: token source: %w", err)
		}
		if !isToken(token) {
			return nil, ErrToken
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	setFetchOptions(req.Header)
	return req, nil
}

// isToken reports whether s is visible ASCII, at least one character.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return s != ""
}
