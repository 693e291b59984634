package quota_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kith-project/kith/server/quota"
)

// FuzzStored puts anything into the fields of an account and of a record. Whatever it is, no script fails, which would be
// ErrUnavailable, and nobody is told of fewer units than none or of more than the limits allow.
func FuzzStored(f *testing.F) {
	f.Add("1", "1800000000000", "1800000000000", "5", "5", "1", "100", "10", "", "0", "0", "")
	f.Add("4320000000000000", "4503599627370496", "0", "4503599627370496", "4503599627370496", "", "50000000", "1", "0", "1", "1", "\x00")
	f.Add("x", "-1", "1e9", "0x1", " ", "", "0", "", "", "99999999999999999999", "nan", "1")
	f.Add("0", "107000000000000", "0", "0", "0", "", "700000", "2", "", "0", "0", "0") // a bucket that takes 958 years to fill
	ctx := context.Background()
	rdb := startRedis(f).Client()
	ledger := newLedger(f, rdb, quota.Limits{Burst: 100, RefillPerDay: 10, YoungPerDay: 1000})
	debit(f, ledger, request("a", "k", "x"))
	account, record := accountOf(f, rdb), oneKey(f, rdb, "kith:{a*}:r*")
	f.Fuzz(func(t *testing.T, level, at, seen, charged, credit, before, burst, refill, blocked, repeated, paid, call string) {
		must(t, rdb.Del(ctx, account, record, "kith:young").Err())
		charge := debit(t, ledger, inEpoch(request("a", "k", "x"), 2))
		for field, value := range map[string]string{
			"level": level, "at": at, "first_seen": seen, "e2": charged, "c2": credit, "e1": before, "burst": burst, "refill": refill,
			"blocked": blocked,
		} {
			if value != "" {
				must(t, rdb.HSet(ctx, account, field, value).Err())
			}
		}
		for field, value := range map[string]string{"r": repeated, "c": paid, "n": call} {
			if value != "" {
				must(t, rdb.HSet(ctx, record, field, value).Err())
			}
		}
		s, err := ledger.Status(ctx, accountKey, "a", 2, 1)
		if err != nil && err != quota.ErrRecord {
			t.Fatalf("Status: %v", err)
		}
		checkState(t, s.State)
		for _, r := range []quota.Request{inEpoch(request("a", "k", "x"), 2), inEpoch(elements(7), 2), inEpoch(elements(3), 3)} {
			c, err := ledger.Debit(ctx, r)
			if errors.Is(err, quota.ErrUnavailable) {
				t.Fatalf("Debit: %v", err)
			}
			checkState(t, c.State)
			if exceeded, ok := errors.AsType[*quota.ExceededError](err); ok {
				checkState(t, exceeded.State)
				if exceeded.RetryAfter <= 0 {
					t.Errorf("refused with a wait of %v", exceeded.RetryAfter)
				}
			}
		}
		if _, err := ledger.Refund(ctx, charge); err != nil && err != quota.ErrRecord {
			t.Fatalf("Refund: %v", err)
		}
		if err := ledger.Raise(ctx, accountKey, "a", 1, 1); err != nil && err != quota.ErrRecord {
			t.Fatalf("Raise: %v", err)
		}
		must(t, ledger.Reset(ctx, accountKey, "a"))
		must(t, ledger.Forget(ctx, accountKey, "a"))
	})
}

func checkState(t *testing.T, s quota.State) {
	t.Helper()
	if s.Remaining < 0 || s.Credit < 0 || s.Credit > s.Remaining || s.Remaining-s.Credit > s.Limit || s.Reset < 0 ||
		s.Limit > quota.MaxBurst || s.RefillPerDay > quota.MaxBurst {
		t.Errorf("got %+v", s)
	}
}

// FuzzStoredYoung puts anything into the budget of young accounts. Whatever it is, no script fails, nobody is told of more than a
// day's units, and what can not be read is refused as such.
func FuzzStoredYoung(f *testing.F) {
	f.Add("0", "1800000000", false)
	f.Add("86400000", "1800000000", true)
	f.Add("9007199254740991", "0", false)
	f.Add("0", "9007199254740991", true)
	f.Add("-1", "x", false)
	f.Add("nan", "1e9", true)
	f.Add("", "18446744073709551616", false)
	ctx := context.Background()
	rdb := startRedis(f).Client()
	limits := quota.Limits{Burst: 100, RefillPerDay: 10, YoungPerDay: 1000}
	f.Fuzz(func(t *testing.T, level, at string, lone bool) {
		must(t, rdb.FlushAll(ctx).Err())
		must(t, rdb.HSet(ctx, "kith:young", "level", level).Err())
		if !lone {
			must(t, rdb.HSet(ctx, "kith:young", "at", at).Err())
		}
		ledger := newLedger(t, rdb, limits)
		left, err := ledger.YoungRemaining(ctx)
		if err != nil && err != quota.ErrRecord || left < 0 || left > limits.YoungPerDay {
			t.Fatalf("YoungRemaining: %d, %v", left, err)
		}
		corrupt := err != nil
		_, err = ledger.Debit(ctx, request("a", "k", "x"))
		young, refused := errors.AsType[*quota.YoungError](err)
		switch {
		case errors.Is(err, quota.ErrRecord) != corrupt:
			t.Errorf("Debit: %v, with YoungRemaining %d", err, left)
		case refused && (young.RetryAfter <= 0 || young.RetryAfter > 24*time.Hour):
			t.Errorf("refused with a wait of %v", young.RetryAfter)
		case err == nil && left < 10:
			t.Errorf("10 units of %d", left)
		case err != nil && !refused && !corrupt:
			t.Errorf("Debit: %v", err)
		}
	})
}
