package quota_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

func refund(t testing.TB, l *quota.Ledger, c quota.Charge) bool {
	t.Helper()
	undone, err := l.Refund(context.Background(), c)
	must(t, err)
	return undone
}

// TestRefund compares the account before a charge with what it is after its refund.
func TestRefund(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ledger, _ := withClock(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 1})
		debit(t, ledger, elements(30))
		debit(t, ledger, inEpoch(elements(20), 2)) // of a credit of 30
		for _, tt := range []struct {
			name    string
			request quota.Request
		}{
			{"from the bucket", inEpoch(request("a", "k1", "x"), 3)},
			{"from the credit", inEpoch(request("a", "k2", "x"), 2)},
			{"from both", func() quota.Request {
				r := inEpoch(request("a", "k3", "x"), 2)
				r.Elements = 35
				return r
			}()},
			{"without a key", inEpoch(elements(12), 2)},
		} {
			tt.request.Predecessor %= 2 // epoch 3 is not granted a credit here
			before := status(t, ledger, tt.request.Epoch)
			charge := debit(t, ledger, tt.request)
			if after := status(t, ledger, tt.request.Epoch); after == before {
				t.Errorf("%s: the charge has changed nothing", tt.name)
			}
			if !refund(t, ledger, charge) {
				t.Errorf("%s: not undone", tt.name)
			}
			if after := status(t, ledger, tt.request.Epoch); after != before {
				t.Errorf("%s: after the refund %+v, want %+v", tt.name, after, before)
			}
			if refund(t, ledger, charge) || status(t, ledger, tt.request.Epoch) != before {
				t.Errorf("%s: undone twice", tt.name)
			}
			if tt.request.Key == "" {
				continue
			}
			again := debit(t, ledger, tt.request)
			if !again.Now {
				t.Errorf("%s: the retry after a refund was not charged", tt.name)
			}
			if refund(t, ledger, charge) {
				t.Errorf("%s: the first charge's refund has undone the second", tt.name)
			}
			refund(t, ledger, again)
		}
	})
}

func TestRefundThatIsDue(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger, clock := withClock(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 100})
		if refund(t, ledger, quota.Charge{}) {
			t.Error("a charge of nothing was undone")
		}

		charge := debit(t, ledger, request("a", "k1", "x"))
		replay := debit(t, ledger, request("a", "k1", "x"))
		if refund(t, ledger, replay) || refund(t, ledger, charge) {
			t.Error("undone, though the repetition may have been answered")
		}

		charge = debit(t, ledger, request("a", "k2", "x"))
		debit(t, ledger, inEpoch(elements(20), 2))
		if refund(t, ledger, charge) {
			t.Error("undone, though it has become a credit")
		}
		if c := debit(t, ledger, request("a", "k2", "x")); c.Now {
			t.Error("a charge that stands was charged again")
		}

		// What has leaked by itself is not given back once more.
		clock.move(t, 24*time.Hour)
		charge = debit(t, ledger, inEpoch(elements(50), 2))
		clock.move(t, 12*time.Hour)
		if !refund(t, ledger, charge) {
			t.Error("not undone half a day later")
		}
		if s := status(t, ledger, 2); s.Remaining != 100 || s.Level != 0 {
			t.Errorf("after a late refund: got %+v, want a full bucket and no more", s)
		}

		charge = debit(t, ledger, inEpoch(elements(50), 2))
		must(t, ledger.Reset(ctx, accountKey, "a"))
		before := status(t, ledger, 2)
		if !refund(t, ledger, charge) {
			t.Error("not undone after a reset")
		}
		if s := status(t, ledger, 2); s.Remaining != 100 || s.Charged != before.Charged-50 {
			t.Errorf("after a reset and a refund: got %+v", s)
		}

		charge = debit(t, ledger, inEpoch(elements(50), 2))
		must(t, ledger.Forget(ctx, accountKey, "a"))
		refund(t, ledger, charge)
		if n := rdb.Exists(ctx, "kith:{a*}:account").Val(); n != 0 {
			t.Error("a refund has brought a forgotten account back")
		}
	})
}

// TestRefundRaces has the refunds of one charge and retries of its request meet. However they fall, the account has paid
// for exactly those calls that were charged and not refunded, and a request that was answered is paid for.
func TestRefundRaces(t *testing.T) {
	ctx := context.Background()
	ledger := newLedger(t, startRedis(t).Client(), quota.Limits{RefillPerDay: 1, Burst: 365, ReplayCap: 100})
	var paid int64
	for round := range 100 {
		key := string(rune('A' + round))
		charge := debit(t, ledger, request("a", key, "x"))
		var undone, charged, replayed atomic.Int64
		var running sync.WaitGroup
		for i := range 16 {
			running.Go(func() {
				if i%2 == 0 {
					ok, err := ledger.Refund(ctx, charge)
					if err != nil {
						t.Error(err)
					}
					if ok {
						undone.Add(1)
					}
					return
				}
				c, err := ledger.Debit(ctx, request("a", key, "x"))
				switch {
				case err != nil:
					t.Error(err)
				case c.Now:
					charged.Add(1)
				default:
					replayed.Add(1)
				}
			})
		}
		running.Wait()
		// Either the refund was first, and one retry was charged; or a retry was, and the charge stands.
		if undone.Load() != charged.Load() || undone.Load() > 1 || charged.Load()+replayed.Load() != 8 {
			t.Fatalf("round %d: %d undone, %d charged, %d replayed", round, undone.Load(), charged.Load(), replayed.Load())
		}
		paid += 10
		if got, err := ledger.Charged(ctx, accountKey, "a", 1); err != nil || got != paid {
			t.Fatalf("round %d: the account has paid %d, %v, want %d", round, got, err, paid)
		}
		must(t, ledger.Reset(ctx, accountKey, "a"))
	}
}
