package quota_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

// TestClockJumps moves the store's clock as a failover or an operator may.
func TestClockJumps(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ledger, clock := withClock(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 24})
		debit(t, ledger, elements(50))
		for _, step := range []struct {
			name      string
			jump      time.Duration
			debit     int
			remaining int
		}{
			{"forward", 10 * time.Hour, 1, 59},
			{"back by as much: what had leaked is taken back", -10 * time.Hour, 1, 48},
			{"and forward again: and given once", 10 * time.Hour, 1, 57},
			{"far back: an empty bucket, not less", -10000 * time.Hour, 0, 0},
			{"nothing is owed for it", time.Hour, 1, 0},
			{"far forward: a full bucket, not more", 20000 * time.Hour, 1, 99},
		} {
			clock.move(t, step.jump)
			if step.debit > 0 {
				debit(t, ledger, elements(step.debit))
			} else {
				wantExceeded(t, ledger, elements(1))
				// A refusal changes nothing. Raise has the account stand where it is found to be.
				must(t, ledger.Raise(context.Background(), accountKey, "a", 0, 0))
			}
			if s := status(t, ledger, 1); s.Remaining != step.remaining {
				t.Errorf("%s: got %d remaining, want %d", step.name, s.Remaining, step.remaining)
			}
		}
	})
}

// TestClockOfTheStoreAlone moves the moments that the store keeps, which is the same as moving its clock the other way, and
// lets the real one run.
func TestClockOfTheStoreAlone(t *testing.T) {
	ctx := context.Background()
	rdb := startRedis(t).Client()
	ledger := newLedger(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 24})
	debit(t, ledger, elements(100))
	account := accountOf(t, rdb)
	for _, step := range []struct {
		name      string
		ahead     time.Duration // of the clock before what the store keeps
		remaining int
	}{
		{"now", 0, 0},
		{"later", 10*time.Hour + time.Minute, 10},
		{"much later", 10000 * time.Hour, 100},
		{"earlier", -10 * time.Hour, 0},
	} {
		at := time.Now().Add(-step.ahead).UnixMilli()
		must(t, rdb.HSet(ctx, account, "at", strconv.FormatInt(at, 10)).Err())
		if s := status(t, ledger, 1); s.Remaining != step.remaining {
			t.Errorf("%s: got %d remaining, want %d", step.name, s.Remaining, step.remaining)
		}
	}
}

// TestClockOfTheServerIsNotAsked shows that nothing but TIME is: two ledgers agree whatever the machine's clock says, since
// no argument of a script has a time of day in it.
func TestClockOfTheServerIsNotAsked(t *testing.T) {
	ctx := context.Background()
	var sent []any
	rdb := startRedis(t).Client()
	rdb.AddHook(recorder{&sent})
	ledger := newLedger(t, rdb, quota.Limits{YoungPerDay: 1000})
	charge := debit(t, ledger, request("a", "k", "x"))
	status(t, ledger, 1)
	refund(t, ledger, charge)
	must(t, ledger.Block(ctx, accountKey, "a"))
	now := time.Now().Unix()
	if len(sent) < 20 {
		t.Fatalf("only %d arguments were recorded", len(sent))
	}
	for _, arg := range sent {
		n, ok := arg.(int64)
		for _, scale := range []int64{1, 1000, 1_000_000} {
			if ok && n/scale > now-3600 && n/scale < now+3600 {
				t.Errorf("an argument is %d, which is a time of day", n)
			}
		}
	}
}

// recorder keeps the arguments of all commands, numbers as int64.
type recorder struct{ sent *[]any }

func (r recorder) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r recorder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (r recorder) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		for _, arg := range cmd.Args() {
			switch v := arg.(type) {
			case int:
				arg = int64(v)
			case string:
				if n, err := strconv.ParseInt(v, 10, 64); err == nil {
					arg = n
				}
			}
			*r.sent = append(*r.sent, arg)
		}
		return next(ctx, cmd)
	}
}
