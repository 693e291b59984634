package snapshot

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// releaseTimeout bounds the wait for giving a lease back, which may be at the end of a process.
const releaseTimeout = 2 * time.Second

// lease is the right to build one epoch's sets and feed, for a limited time.
type lease struct {
	rdb    redis.UniversalClient
	key    string
	owner  string // random, so that no two are the same
	length time.Duration
}

// acquire takes the lease. It returns ErrLease if somebody has it, or ErrUnavailable.
func acquire(ctx context.Context, rdb redis.UniversalClient, key string, length time.Duration) (*lease, error) {
	l := &lease{rdb: rdb, key: key, owner: rand.Text(), length: length}
	if err := l.call(ctx, length, "1"); err != nil {
		return nil, err
	}
	return l, nil
}

// call runs lease.lua.
func (l *lease) call(ctx context.Context, length time.Duration, take string) error {
	return run(ctx, l.rdb, leaseScript, []string{l.key}, l.owner, length.Milliseconds(), take)
}

// keep renews the lease in the background, and returns a context that ends with the cause ErrLease when the lease is
// lost or could not be renewed for its length. The function stops renewing, and returns when that has ended.
//
// The context saves work that would be in vain. What protects the data is that every script checks the lease itself.
func (l *lease) keep(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(l.length / 3)
		defer ticker.Stop()
		renewed := time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			err := l.call(ctx, l.length, "0")
			switch {
			case err == nil:
				renewed = time.Now()
			case errors.Is(err, ErrLease), time.Since(renewed) > l.length:
				cancel(ErrLease)
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}

// release gives the lease back, so that another builder need not wait until it has expired. If that fails, it expires.
func (l *lease) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = l.call(ctx, 0, "0")
}
