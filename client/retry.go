package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// MaxTries is how often a client sends a request that fails for reasons which pass.
const MaxTries = 6

const (
	backoffBase = 500 * time.Millisecond
	backoffCap  = 30 * time.Second
)

// Backoff returns the longest time that a client waits after a try, counted from 1, on top of Retry-After: how long is drawn from
// 0 to it. It grows from half a second to half a minute.
func Backoff(try int) time.Duration {
	return min(backoffBase<<(min(try, MaxTries)-1), backoffCap)
}

// retryPolicy repeats requests that failed for reasons that pass.
type retryPolicy struct {
	maxWait time.Duration // the longest Retry-After to wait for
	sleep   func(context.Context, time.Duration) error
	jitter  func(limit time.Duration) time.Duration // a random time from 0 to limit
}

func defaultRetryPolicy(maxWait time.Duration) retryPolicy {
	return retryPolicy{
		maxWait: maxWait,
		sleep:   sleep,
		// Not from Options.Rand: waiting must not change the bytes of what is sent later, and it is no secret.
		jitter: func(limit time.Duration) time.Duration { return rand.N(limit + 1) },
	}
}

// do calls attempt until it succeeds, fails for good, or has been called MaxTries times, and returns its last result.
// When ctx ends, the error is that of ctx and wraps what made it wait.
func (p *retryPolicy) do(ctx context.Context, attempt func() ([]byte, error)) ([]byte, error) {
	for try := 1; ; try++ {
		body, err := attempt()
		if err == nil {
			return body, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		wait, again := p.wait(err, try)
		if !again {
			return nil, err
		}
		if ended := p.sleep(ctx, wait); ended != nil {
			return nil, fmt.Errorf("%w while waiting after: %w", ended, err)
		}
	}
}

// wait returns how long to wait after the error of an attempt, counted from 1, and whether to try again at all: full
// jitter over an exponential backoff, on top of Retry-After, at which all other clients were told to return too.
func (p *retryPolicy) wait(err error, try int) (time.Duration, bool) {
	var problem *ProblemError
	var network *networkError
	var after time.Duration
	switch {
	case try >= MaxTries:
		return 0, false
	case errors.As(err, &problem):
		if !problem.temporary() || problem.RetryAfter > p.maxWait {
			return 0, false
		}
		after = problem.RetryAfter
	case errors.As(err, &network):
		if network.permanent() {
			return 0, false
		}
	default:
		return 0, false
	}
	return after + p.jitter(Backoff(try)), true
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
