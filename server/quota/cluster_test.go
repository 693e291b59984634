package quota_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

// TestCluster goes through all operations on a cluster of six, for accounts in the slots of every master. A script whose
// keys lay in several slots would be refused with CROSSSLOT, which Redis without a cluster never does.
func TestCluster(t *testing.T) {
	ctx := context.Background()
	cluster := redistest.StartCluster(t, 3, 1, redistest.AppendFsync("no"))
	ledger := newLedger(t, cluster.Client(), quota.Limits{Burst: 100, RefillPerDay: 1, YoungPerDay: 10_000})
	for i := range 30 {
		account := fmt.Sprint("account ", i)
		of := func(r quota.Request) quota.Request { r.Account = account; return r }
		charge := debit(t, ledger, of(request("a", "k", "x")))
		if again := debit(t, ledger, of(request("a", "k", "x"))); !charge.Now || again.Now {
			t.Errorf("%s: charged %t, then %t", account, charge.Now, again.Now)
		}
		if !refund(t, ledger, debit(t, ledger, of(elements(50)))) {
			t.Errorf("%s: not refunded", account)
		}
		debit(t, ledger, of(elements(20)))
		if c := debit(t, ledger, of(inEpoch(elements(5), 2))); c.FromCredit != 5 || c.Remaining != 95 {
			t.Errorf("%s: got %+v, want 5 from a credit of 30, 95 remaining", account, c)
		}
		wantExceeded(t, ledger, of(inEpoch(elements(96), 2)))
		must(t, ledger.Raise(ctx, accountKey, account, 200, 0))
		must(t, ledger.Reset(ctx, accountKey, account))
		if s, err := ledger.Status(ctx, accountKey, account, 2, 1); err != nil || s.Remaining != 225 || s.Charged != 5 || !s.Young {
			t.Errorf("%s: got %+v, %v, want 225 remaining, 5 charged", account, s, err)
		}
		must(t, ledger.Block(ctx, accountKey, account))
		if _, err := ledger.Debit(ctx, of(elements(1))); err != quota.ErrBlocked {
			t.Errorf("%s: got %v, want ErrBlocked", account, err)
		}
		must(t, ledger.Unblock(ctx, accountKey, account))
		must(t, ledger.Forget(ctx, accountKey, account))
	}
	// 30 accounts of 35 that stand, and 15 of the last chunk of 100 that are still to be handed out.
	if n, err := ledger.YoungRemaining(ctx); err != nil || n > 10_000-30*35 || n < 10_000-30*85-100 {
		t.Errorf("budget of young accounts: %d left, %v", n, err)
	}
	for i, node := range cluster.Masters {
		if n := keysOf(t, node.Client(), "kith:{a*}:r*"); n == 0 {
			t.Errorf("master %d has no record of any account", i)
		}
	}
}

func keysOf(t *testing.T, rdb *redis.Client, pattern string) int {
	t.Helper()
	keys, err := rdb.Keys(context.Background(), pattern).Result()
	must(t, err)
	return len(keys)
}
