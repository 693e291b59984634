package quota_test

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

// nonsense is what no script writes into a field that is a number.
var nonsense = []string{"", "x", "-1", "+1", " 1", "1 ", "1.5", "1e3", "0x10", "nan", "inf", "1\x00", "00000000000000001", "9007199254740993"}

// TestCorruptAccountIsAnError changes one field at a time. Nothing is charged, nothing is written, and no script fails,
// which would be ErrUnavailable.
func TestCorruptAccountIsAnError(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger := newLedger(t, rdb, quota.Limits{YoungPerDay: 1000})
		debit(t, ledger, elements(5))
		charge := debit(t, ledger, inEpoch(request("a", "k", "x"), 2))
		account := accountOf(t, rdb)
		for _, field := range []string{"level", "at", "first_seen", "blocked", "burst", "refill", "e2", "c2"} {
			was, err := rdb.HGet(ctx, account, field).Result()
			for _, value := range append(nonsense, outOfRange[field]...) {
				must(t, rdb.HSet(ctx, account, field, value).Err())
				before := dump(t, rdb)
				if _, err := ledger.Debit(ctx, inEpoch(request("a", "k", "x"), 2)); err != quota.ErrRecord {
					t.Errorf("%s %q: Debit: got %v, want ErrRecord", field, value, err)
				}
				if _, err := ledger.Status(ctx, accountKey, "a", 2, 1); err != quota.ErrRecord {
					t.Errorf("%s %q: Status: got %v, want ErrRecord", field, value, err)
				}
				if _, err := ledger.Refund(ctx, charge); err != quota.ErrRecord {
					t.Errorf("%s %q: Refund: got %v, want ErrRecord", field, value, err)
				}
				if after := dump(t, rdb); after != before {
					t.Errorf("%s %q: the store was\n%s\nand is\n%s", field, value, before, after)
				}
			}
			if err == nil {
				must(t, rdb.HSet(ctx, account, field, was).Err())
			} else {
				must(t, rdb.HDel(ctx, account, field).Err())
			}
			status(t, ledger, 2)
		}
	})
}

// outOfRange is what is a number, and more or less than any script writes.
var outOfRange = map[string][]string{
	"level": {"4320000000000001"}, "at": {"4503599627370497"}, "first_seen": {"4503599627370497"},
	"blocked": {"4503599627370497"}, "burst": {"0", "50000001"}, "refill": {"0", "50000001"}, "e2": {"4503599627370497"},
	"c2": {"4503599627370497"},
}

// TestCorruptAccountIsMended goes through what an operator can do.
func TestCorruptAccountIsMended(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger := newLedger(t, rdb, quota.Limits{})
		debit(t, ledger, elements(5))
		account := accountOf(t, rdb)
		must(t, rdb.HSet(ctx, account, "level", "x", "at", "y").Err())
		if err := ledger.Raise(ctx, accountKey, "a", 1, 1); err != quota.ErrRecord {
			t.Errorf("Raise: got %v, want ErrRecord", err)
		}
		must(t, ledger.Block(ctx, accountKey, "a"))
		must(t, ledger.Unblock(ctx, accountKey, "a"))
		must(t, ledger.Reset(ctx, accountKey, "a"))
		debit(t, ledger, elements(5))

		must(t, rdb.HSet(ctx, account, "first_seen", "x").Err())
		must(t, ledger.Reset(ctx, accountKey, "a"))
		if _, err := ledger.Debit(ctx, elements(5)); err != quota.ErrRecord {
			t.Errorf("after a reset: got %v, want ErrRecord", err)
		}
		must(t, ledger.Forget(ctx, accountKey, "a"))
		debit(t, ledger, elements(5))
	})
}

func TestCorruptRecordIsAnError(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger := newLedger(t, rdb, quota.Limits{})
		charge := debit(t, ledger, request("a", "k", "x"))
		record := oneKey(t, rdb, "kith:{a*}:r*")
		for _, field := range []string{"r", "c"} {
			was := rdb.HGet(ctx, record, field).Val()
			for _, value := range nonsense {
				must(t, rdb.HSet(ctx, record, field, value).Err())
				if _, err := ledger.Debit(ctx, request("a", "k", "x")); err != quota.ErrRecord {
					t.Errorf("%s %q: Debit: got %v, want ErrRecord", field, value, err)
				}
			}
			must(t, rdb.HSet(ctx, record, field, was).Err())
		}
		must(t, rdb.HSet(ctx, record, "c", "11").Err())
		if _, err := ledger.Refund(ctx, charge); err != quota.ErrRecord {
			t.Errorf("more from credit than charged: Refund: got %v, want ErrRecord", err)
		}
		// A key of another type, as an account and as a record.
		for _, key := range []string{record, accountOf(t, rdb)} {
			must(t, rdb.Del(ctx, key).Err())
			must(t, rdb.Set(ctx, key, "x", 0).Err())
			if _, err := ledger.Debit(ctx, request("a", "k", "x")); err != quota.ErrRecord {
				t.Errorf("a string: Debit: got %v, want ErrRecord", err)
			}
			if _, err := ledger.Refund(ctx, charge); err != quota.ErrRecord {
				t.Errorf("a string: Refund: got %v, want ErrRecord", err)
			}
			must(t, rdb.Del(ctx, key).Err())
		}
	})
}

func TestCorruptBudgetIsAnError(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger := newLedger(t, rdb, quota.Limits{YoungPerDay: 1000})
		for _, field := range []string{"level", "at"} {
			for _, value := range nonsense {
				must(t, rdb.Del(ctx, "kith:young").Err())
				must(t, rdb.HSet(ctx, "kith:young", field, value).Err())
				if _, err := ledger.Debit(ctx, elements(1)); err != quota.ErrRecord {
					t.Errorf("%s %q: Debit: got %v, want ErrRecord", field, value, err)
				}
				if _, err := ledger.YoungRemaining(ctx); err != quota.ErrRecord {
					t.Errorf("%s %q: YoungRemaining: got %v, want ErrRecord", field, value, err)
				}
			}
		}
		must(t, rdb.Del(ctx, "kith:young").Err())
		must(t, rdb.Set(ctx, "kith:young", "x", 0).Err())
		if _, err := ledger.Debit(ctx, elements(1)); err != quota.ErrRecord {
			t.Errorf("a string: Debit: got %v, want ErrRecord", err)
		}
		must(t, rdb.Del(ctx, "kith:young").Err())
		debit(t, ledger, elements(1))
	})
}

func TestParseReply(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply []any
		want  error
	}{
		{"as it is", []any{"OK", int64(1), int64(-1)}, nil},
		{"corrupt", []any{"CORRUPT"}, quota.ErrRecord},
		{"nothing", nil, quota.ErrUnavailable},
		{"a number first", []any{int64(1), int64(1), int64(1)}, quota.ErrUnavailable},
		{"too short", []any{"OK", int64(1)}, quota.ErrUnavailable},
		{"too long", []any{"OK", int64(1), int64(1), int64(1)}, quota.ErrUnavailable},
		{"text for a number", []any{"OK", int64(1), "1"}, quota.ErrUnavailable},
		{"nil for a number", []any{"OK", nil, int64(1)}, quota.ErrUnavailable},
		{"a list for a number", []any{"OK", []any{int64(1)}, int64(1)}, quota.ErrUnavailable},
	} {
		status, n, err := quota.ParseReply(tt.reply, 2)
		if !errors.Is(err, tt.want) || (err == nil) != (len(n) == 2 && status == "OK") {
			t.Errorf("%s: got %q, %v, %v, want %v", tt.name, status, n, err, tt.want)
		}
	}
}
