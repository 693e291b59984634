package quota_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

var accountKey = secret.Value{1, 2, 3}

// request returns a request for 10 elements in epoch 1.
func request(account, key, content string) quota.Request {
	return quota.Request{Account: account, Epoch: 1, Elements: 10, Key: key, Content: []byte(content), Secret: accountKey}
}

// elements returns a request for n elements of account a in epoch 1, without a key.
func elements(n int) quota.Request {
	r := request("a", "", "x")
	r.Elements = n
	return r
}

// inEpoch returns the request as one of another epoch, which followed the one before.
func inEpoch(r quota.Request, epoch uint32) quota.Request {
	r.Epoch, r.Predecessor = epoch, epoch-1
	return r
}

// startRedis starts a server. What these tests show does not depend on the disk.
func startRedis(t testing.TB) *redistest.Server {
	t.Helper()
	return redistest.Start(t, redistest.AppendFsync("no"))
}

func newLedger(t testing.TB, rdb redis.UniversalClient, limits quota.Limits) *quota.Ledger {
	t.Helper()
	l, err := quota.New(rdb, limits)
	must(t, err)
	return l
}

// clock is a store's clock that a test sets, in ms since 1970.
type clock struct {
	rdb *redis.Client
	now int64
}

// withClock returns a ledger whose store has a clock that the test sets.
func withClock(t testing.TB, rdb *redis.Client, limits quota.Limits) (*quota.Ledger, *clock) {
	t.Helper()
	l := newLedger(t, rdb, limits)
	l.UseClock()
	c := &clock{rdb: rdb, now: 1_800_000_000_000}
	c.move(t, 0)
	return l, c
}

// move moves the clock, back where d is negative.
func (c *clock) move(t testing.TB, d time.Duration) {
	t.Helper()
	c.now += d.Milliseconds()
	must(t, c.rdb.HSet(context.Background(), "clock", "s", c.now/1000, "us", c.now%1000*1000).Err())
}

func debit(t testing.TB, l *quota.Ledger, r quota.Request) quota.Charge {
	t.Helper()
	charge, err := l.Debit(context.Background(), r)
	must(t, err)
	return charge
}

func status(t testing.TB, l *quota.Ledger, epoch uint32) quota.Status {
	t.Helper()
	s, err := l.Status(context.Background(), accountKey, "a", epoch, epoch-1)
	must(t, err)
	return s
}

// wantExceeded checks that a request is refused and returns the refusal.
func wantExceeded(t testing.TB, l *quota.Ledger, r quota.Request) *quota.ExceededError {
	t.Helper()
	_, err := l.Debit(context.Background(), r)
	exceeded, ok := errors.AsType[*quota.ExceededError](err)
	if !ok {
		t.Fatalf("a request for %d: got %v, want *ExceededError", r.Elements, err)
	}
	return exceeded
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accountOf returns the key of the one account in a store.
func accountOf(t testing.TB, rdb *redis.Client) string {
	t.Helper()
	return oneKey(t, rdb, "kith:{a*}:account")
}

func oneKey(t testing.TB, rdb *redis.Client, pattern string) string {
	t.Helper()
	keys, err := rdb.Keys(context.Background(), pattern).Result()
	must(t, err)
	if len(keys) != 1 {
		t.Fatalf("keys %s: got %s, want 1", pattern, strings.Join(keys, " "))
	}
	return keys[0]
}
