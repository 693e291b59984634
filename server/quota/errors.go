package quota

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrUnavailable means that the store did not answer. A request may have been charged or not; repeated under the same
	// Idempotency-Key it is charged once.
	ErrUnavailable = errors.New("quota: store unavailable")
	// ErrRecord means that what the store has of an account, a request or the budget of young accounts is nothing that was
	// written there. An account is mended by Forget, or by Reset where only its bucket is concerned.
	ErrRecord = errors.New("quota: stored record can not be read")
	// ErrKeyReused means an Idempotency-Key under which the account made another request.
	ErrKeyReused = errors.New("quota: idempotency key belongs to another request")
	// ErrReplays means a request that was repeated under its Idempotency-Key as often as it may be. It stays refused until
	// the key is forgotten; under another key it is charged again.
	ErrReplays = errors.New("quota: request repeated too often")
	// ErrBlocked means an account that an operator has blocked.
	ErrBlocked = errors.New("quota: account blocked")
	// ErrTooLarge means a request for more elements than the account can ever have evaluated at once: see TooLargeError.
	ErrTooLarge = errors.New("quota: more elements than a full bucket has")
	// ErrYoung means that the budget of young accounts is used up: see YoungError.
	ErrYoung = errors.New("quota: budget of young accounts used up")
	// ErrLimits means limits that are out of range.
	ErrLimits = errors.New("quota: invalid limits")
)

// ExceededError means that the account has fewer units left than the request has elements. Nothing was charged.
type ExceededError struct {
	State
	// RetryAfter is how long it takes until the account has enough, to the ms: the same request passes then, if nothing else
	// was charged to the account in between, and would not pass a ms earlier.
	RetryAfter time.Duration
}

func (e *ExceededError) Error() string { return "quota: limit of the account exceeded" }

// TooLargeError is an ErrTooLarge: the request can never pass, and has to be divided. Nothing was charged.
type TooLargeError struct {
	Limit int // the most elements that the account can have evaluated at once
}

func (e *TooLargeError) Error() string { return ErrTooLarge.Error() }

// Unwrap returns ErrTooLarge.
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }

// YoungError is an ErrYoung. Nothing was charged to the account.
type YoungError struct {
	// RetryAfter is how long it takes until the budget has enough for this request, if no other draws on it before.
	RetryAfter time.Duration
}

func (e *YoungError) Error() string { return ErrYoung.Error() }

// Unwrap returns ErrYoung.
func (e *YoungError) Unwrap() error { return ErrYoung }

// unavailable returns err as an ErrUnavailable without its text, which may name keys and addresses. An ended context is
// the only cause that stays visible to errors.Is.
func unavailable(err error) error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			return fmt.Errorf("%w: %w", ErrUnavailable, ended)
		}
	}
	return ErrUnavailable
}
