package quota_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

func TestStatusOfAnAccountNeverSeen(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ledger := newLedger(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 5, YoungPerDay: 1})
		want := quota.Status{State: quota.State{Limit: 100, RefillPerDay: 5, Remaining: 100}, Young: true}
		if s := status(t, ledger, 2); s != want {
			t.Errorf("got %+v, want %+v", s, want)
		}
		ctx := context.Background()
		must(t, ledger.Reset(ctx, accountKey, "a"))
		must(t, ledger.Unblock(ctx, accountKey, "a"))
		must(t, ledger.Forget(ctx, accountKey, "a"))
		must(t, ledger.Raise(ctx, accountKey, "a", 0, 0))
		if n := rdb.DBSize(ctx).Val(); n != 0 {
			t.Errorf("asking and undoing what was not done have left %d keys", n)
		}
	})
}

func TestRaise(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger, clock := withClock(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 24})
		debit(t, ledger, elements(80))
		clock.move(t, 10*time.Hour) // 10 have leaked
		for _, step := range []struct {
			name          string
			burst, refill int
			limit, remain int
			reset         time.Duration
		}{
			{"both", 1000, 24_000, 1000, 930, 70 * 24 * time.Hour / 24_000},
			{"burst alone", 200, 0, 200, 130, 70 * time.Hour},
			{"refill alone", 0, 48, 100, 30, 35 * time.Hour},
			{"below what is used", 50, 24, 50, 0, 70 * time.Hour},
			{"back", 0, 0, 100, 30, 70 * time.Hour},
		} {
			must(t, ledger.Raise(ctx, accountKey, "a", step.burst, step.refill))
			s := status(t, ledger, 1)
			if s.Limit != step.limit || s.Remaining != step.remain || s.Reset != step.reset || s.Level != 70 {
				t.Errorf("%s: got %+v, want %d of %d remaining, full in %v, level 70", step.name, s, step.remain, step.limit, step.reset)
			}
			if own := step.burst > 0 || step.refill > 0; own != (rdb.PTTL(ctx, accountOf(t, rdb)).Val() < 0) {
				t.Errorf("%s: kept for %v", step.name, rdb.PTTL(ctx, accountOf(t, rdb)).Val())
			}
		}
		must(t, ledger.Raise(ctx, accountKey, "a", 50, 0))
		if e := wantExceeded(t, ledger, elements(1)); e.RetryAfter != 21*time.Hour {
			t.Errorf("lowered below what is used: got %v, want 21h", e.RetryAfter)
		}
		if _, err := ledger.Debit(ctx, elements(51)); !errors.Is(err, quota.ErrTooLarge) {
			t.Errorf("more than the lowered limit: got %v, want ErrTooLarge", err)
		}
		// A charge does not let an account be forgotten that has limits of its own.
		must(t, ledger.Raise(ctx, accountKey, "a", 500, 0))
		if c := debit(t, ledger, elements(250)); c.Limit != 500 || c.Remaining != 180 {
			t.Errorf("raised: got %+v, want 180 of 500 left", c)
		}
		if ttl := rdb.PTTL(ctx, accountOf(t, rdb)).Val(); ttl >= 0 {
			t.Errorf("an account with limits of its own is kept for %v", ttl)
		}
		// A bucket that takes longer to fill than a Duration lasts.
		must(t, ledger.Raise(ctx, accountKey, "a", quota.MaxBurst, 1))
		if c := debit(t, ledger, elements(quota.MaxBurst-1000)); c.Reset < 290*365*24*time.Hour {
			t.Errorf("50 million at one a day: full in %v, want no less than centuries", c.Reset)
		}
		for _, tt := range []struct{ burst, refill int }{{-1, 0}, {0, -1}, {quota.MaxBurst + 1, 0}, {0, quota.MaxBurst + 1}} {
			if err := ledger.Raise(ctx, accountKey, "a", tt.burst, tt.refill); !errors.Is(err, quota.ErrLimits) {
				t.Errorf("Raise to %d, %d: got %v, want ErrLimits", tt.burst, tt.refill, err)
			}
		}
	})
}

func TestReset(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger := newLedger(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 1})
		debit(t, ledger, elements(60))
		debit(t, ledger, inEpoch(elements(100), 2))
		before := status(t, ledger, 2)
		must(t, ledger.Reset(ctx, accountKey, "a"))
		after := status(t, ledger, 2)
		if after.Remaining != 100 || after.Level != 0 || after.Charged != 100 || after.FirstSeen != before.FirstSeen || after.Credit != 0 {
			t.Errorf("got %+v after %+v, want a full bucket and nothing else changed", after, before)
		}
		debit(t, ledger, inEpoch(elements(100), 2))
	})
}

func TestBlock(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger, clock := withClock(t, rdb, quota.Limits{YoungPerDay: 1000})
		must(t, ledger.Block(ctx, accountKey, "a"))
		since := time.UnixMilli(clock.now).UTC()
		for _, r := range []quota.Request{request("a", "k", "x"), elements(20_000)} {
			if _, err := ledger.Debit(ctx, r); err != quota.ErrBlocked {
				t.Errorf("never seen and blocked: got %v, want ErrBlocked", err)
			}
		}
		if s := status(t, ledger, 1); s.Blocked != since || !s.FirstSeen.IsZero() {
			t.Errorf("got %+v, want blocked since %v and never seen", s, since)
		}
		must(t, ledger.Unblock(ctx, accountKey, "a"))
		if charge := debit(t, ledger, request("a", "k", "x")); !charge.Now {
			t.Error("unblocked: not charged")
		}
		clock.move(t, time.Hour)
		must(t, ledger.Block(ctx, accountKey, "a"))
		if _, err := ledger.Debit(ctx, request("a", "k", "x")); err != quota.ErrBlocked {
			t.Errorf("a retry, blocked: got %v, want ErrBlocked", err)
		}
		if ttl := rdb.PTTL(ctx, accountOf(t, rdb)).Val(); ttl >= 0 {
			t.Errorf("a blocked account is kept for %v", ttl)
		}
		must(t, ledger.Unblock(ctx, accountKey, "a"))
		if ttl := rdb.PTTL(ctx, accountOf(t, rdb)).Val(); ttl <= 0 {
			t.Errorf("an account that is not blocked any more is kept for %v", ttl)
		}
		if s := status(t, ledger, 1); !s.Blocked.IsZero() || s.FirstSeen != since || s.Charged != 10 {
			t.Errorf("got %+v, want first seen %v, 10 charged", s, since)
		}
	})
}

func TestForget(t *testing.T) {
	ctx := context.Background()
	rdb := startRedis(t).Client()
	ledger := newLedger(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 1})
	debit(t, ledger, elements(100))
	must(t, ledger.Block(ctx, accountKey, "a"))
	must(t, ledger.Forget(ctx, accountKey, "a"))
	if s := status(t, ledger, 1); s.Remaining != 100 || !s.FirstSeen.IsZero() || !s.Blocked.IsZero() || s.Charged != 0 {
		t.Errorf("got %+v, want an account never seen", s)
	}
}
