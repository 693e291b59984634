package quota_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

// TestCredit goes through two rotations.
func TestCredit(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ledger, clock := withClock(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 1})
		steps := []struct {
			name       string
			epoch      uint32
			elements   int
			fromCredit int // -1 for a request that is refused
			remaining  int
			credit     int
		}{
			{"in the first epoch", 1, 70, 0, 30, 0},
			{"first in the second epoch", 2, 20, 20, 80, 50},
			{"credit before bucket", 2, 60, 50, 20, 0},
			{"bucket alone", 2, 5, 0, 15, 0},
			{"in the first epoch while it drains", 1, 10, 0, 5, 0},
			{"which is no credit any more", 2, 6, -1, 5, 0},
			// Its charges in the second epoch were 85, of which 70 were credit.
			{"more than the credit and the bucket have", 3, 91, -1, 90, 85},
			{"all that they have", 3, 90, 85, 0, 0},
			{"back in the second epoch", 2, 1, -1, 0, 0},
			{"nothing is granted twice", 3, 1, -1, 0, 0},
			{"nor for an epoch that follows none that was used", 5, 1, -1, 0, 0},
			{"the next", 4, 90, 90, 0, 0},
		}
		for _, step := range steps {
			r := inEpoch(elements(step.elements), step.epoch)
			if before := status(t, ledger, step.epoch); step.fromCredit < 0 && (before.Remaining != step.remaining || before.Credit != step.credit) {
				t.Errorf("%s: status %+v, want %d remaining, %d credit", step.name, before, step.remaining, step.credit)
			}
			if step.fromCredit < 0 {
				if e := wantExceeded(t, ledger, r); e.Remaining != step.remaining || e.Credit != step.credit {
					t.Errorf("%s: got %+v, want %d remaining, %d credit", step.name, e, step.remaining, step.credit)
				}
				continue
			}
			c := debit(t, ledger, r)
			if c.FromCredit != step.fromCredit || c.Remaining != step.remaining || c.Credit != step.credit {
				t.Errorf("%s: got %+v, want %d from credit, %d remaining, %d credit", step.name, c, step.fromCredit, step.remaining, step.credit)
			}
			if s := status(t, ledger, step.epoch); s.Remaining != step.remaining || s.Credit != step.credit {
				t.Errorf("%s: status %+v, want %d remaining, %d credit", step.name, s, step.remaining, step.credit)
			}
		}
		clock.move(t, 100*24*time.Hour)
		// A whole bucket may be asked for beside the credit, but not more than it at once.
		if c := debit(t, ledger, inEpoch(elements(100), 5)); c.FromCredit != 90 || c.Remaining != 90 {
			t.Errorf("a burst with credit: got %+v, want 90 from credit, 90 remaining", c)
		}
	})
}

// TestCreditOfRetries shows that a request that was charged in the old epoch stays charged there.
func TestCreditOfRetries(t *testing.T) {
	ledger := newLedger(t, startRedis(t).Client(), quota.Limits{Burst: 100, RefillPerDay: 1})
	debit(t, ledger, request("a", "k", "x"))
	debit(t, ledger, inEpoch(request("a", "new", "x"), 2))
	for range 3 {
		debit(t, ledger, request("a", "k", "x"))
		if c := debit(t, ledger, inEpoch(request("a", "new", "x"), 2)); c.Credit != 0 || c.Remaining != 90 || c.Now {
			t.Errorf("a retry: got %+v, want no credit, 90 remaining, not charged", c)
		}
	}
}

// TestCreditIsGrantedOnce has 64 clients make the first request of an account in a new epoch: together they get the bucket
// and one credit.
func TestCreditIsGrantedOnce(t *testing.T) {
	rdb := startRedis(t).Client()
	for round := range 5 {
		ledger := newLedger(t, rdb, quota.Limits{Burst: 500, RefillPerDay: 2})
		account := fmt.Sprint("account ", round)
		first := elements(300)
		first.Account = account
		debit(t, ledger, first)
		var charged, fromCredit atomic.Int64
		var running sync.WaitGroup
		for range 64 {
			running.Go(func() {
				for {
					r := inEpoch(elements(3), 2)
					r.Account = account
					c, err := ledger.Debit(context.Background(), r)
					if err != nil {
						return
					}
					charged.Add(3)
					fromCredit.Add(int64(c.FromCredit))
				}
			})
		}
		running.Wait()
		// 200 in the bucket and 300 of credit are 500, of which 499 are requests of three.
		if charged.Load() != 498 || fromCredit.Load() != 300 {
			t.Errorf("charged %d, of them %d from credit, want 498 and 300", charged.Load(), fromCredit.Load())
		}
	}
}

// TestOldEpochsAreForgotten keeps an account from growing with every rotation.
func TestOldEpochsAreForgotten(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ledger := newLedger(t, rdb, quota.Limits{})
		var most int
		for epoch := range uint32(30) {
			debit(t, ledger, inEpoch(elements(1), epoch+1))
			debit(t, ledger, inEpoch(elements(1), max(1, epoch))) // the one that drains
			most = max(most, int(rdb.HLen(context.Background(), accountOf(t, rdb)).Val()))
		}
		// level, at, first_seen; of two epochs the counts, credits and the mark of the older.
		if most > 9 {
			t.Errorf("an account has had %d fields, want at most 9", most)
		}
		for epoch, want := range map[uint32]int64{28: 0, 29: 2, 30: 1} {
			if got, err := ledger.Charged(context.Background(), accountKey, "a", epoch); err != nil || got != want {
				t.Errorf("charged in epoch %d: got %d, %v, want %d", epoch, got, err, want)
			}
		}
	})
}

// TestPredecessorsAreEarlier keeps a caller's mistake from making credit.
func TestPredecessorsAreEarlier(t *testing.T) {
	ledger := newLedger(t, startRedis(t).Client(), quota.Limits{Burst: 100})
	debit(t, ledger, inEpoch(elements(50), 3))
	for _, predecessor := range []uint32{2, 3, 0} {
		r := elements(1)
		r.Epoch, r.Predecessor = 2, predecessor
		if c := debit(t, ledger, r); c.Credit != 0 || c.FromCredit != 0 {
			t.Errorf("epoch 2 after %d: got %+v, want no credit", predecessor, c)
		}
	}
}

// TestChargesBecomeOneCredit has servers disagree about which epoch followed the first.
func TestChargesBecomeOneCredit(t *testing.T) {
	ledger := newLedger(t, startRedis(t).Client(), quota.Limits{Burst: 100})
	debit(t, ledger, elements(50))
	for _, tt := range []struct {
		epoch  uint32
		credit int
	}{{2, 49}, {3, 0}, {4, 0}, {2, 48}} {
		r := elements(1)
		r.Epoch, r.Predecessor = tt.epoch, 1
		if c := debit(t, ledger, r); c.Credit != tt.credit {
			t.Errorf("epoch %d after 1: credit %d, want %d", tt.epoch, c.Credit, tt.credit)
		}
	}
}
