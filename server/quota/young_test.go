package quota_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

// by returns the request as one of another account.
func by(account string, r quota.Request) quota.Request {
	r.Account = account
	return r
}

// wantYoung checks that a request is refused for the budget of young accounts, and returns how long it is to wait.
func wantYoung(t testing.TB, l *quota.Ledger, r quota.Request) time.Duration {
	t.Helper()
	_, err := l.Debit(context.Background(), r)
	young, ok := errors.AsType[*quota.YoungError](err)
	if !ok || !errors.Is(err, quota.ErrYoung) {
		t.Fatalf("a request of %s for %d: got %v, want *YoungError", r.Account, r.Elements, err)
	}
	return young.RetryAfter
}

func TestYoungBudget(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ledger, clock := withClock(t, rdb, quota.Limits{Burst: 500, RefillPerDay: 2, YoungAge: 48 * time.Hour, YoungPerDay: 240})
		debit(t, ledger, by("old", elements(1)))
		clock.move(t, 47*time.Hour)
		debit(t, ledger, by("new", elements(1)))
		if s := status(t, ledger, 1); !s.Young {
			t.Error("an account never seen is not young")
		}
		debit(t, ledger, by("old", elements(100)))
		// What the first two were charged has flowed back.
		if n, err := ledger.YoungRemaining(context.Background()); err != nil || n != 140 {
			t.Errorf("left for all: %d, %v, want 140", n, err)
		}
		if wait := wantYoung(t, ledger, by("new", elements(150))); wait != time.Hour {
			t.Errorf("10 more than there are: wait %v, want 1h, for 10 of 240 a day", wait)
		}
		debit(t, ledger, by("new", elements(140)))
		wantYoung(t, ledger, by("newer", elements(1)))
		clock.move(t, time.Hour)
		debit(t, ledger, by("old", elements(200))) // is 48 hours old, and not young any more
		if s, err := ledger.Status(context.Background(), accountKey, "old", 1, 0); err != nil || s.Young {
			t.Errorf("after 48 hours: got %+v, %v, want not young", s, err)
		}
		// That it was refused has let newer be seen: it is young from then on, not from its first charge on.
		clock.move(t, 47*time.Hour)
		if s, err := ledger.Status(context.Background(), accountKey, "newer", 1, 0); err != nil || s.Young || s.Charged != 0 {
			t.Errorf("48 hours after a refusal: got %+v, %v, want not young", s, err)
		}
	})
}

// TestYoungBudgetOfOneBatch refuses for good what the budget can never have.
func TestYoungBudgetOfOneBatch(t *testing.T) {
	ledger := newLedger(t, startRedis(t).Client(), quota.Limits{YoungPerDay: 100})
	_, err := ledger.Debit(context.Background(), elements(101))
	if large, ok := errors.AsType[*quota.TooLargeError](err); !ok || large.Limit != 100 {
		t.Errorf("got %v, want *TooLargeError with 100", err)
	}
	debit(t, ledger, elements(100))
}

// TestYoungBudgetIsUsedToTheEnd has fewer units left than a server would reserve.
func TestYoungBudgetIsUsedToTheEnd(t *testing.T) {
	ledger := newLedger(t, startRedis(t).Client(), quota.Limits{YoungPerDay: 1000}) // in chunks of 10
	debit(t, ledger, elements(995))
	debit(t, ledger, elements(2))
	wantYoung(t, ledger, elements(4))
	debit(t, ledger, elements(3))
	wantYoung(t, ledger, elements(1))
}

// TestYoungBudgetOfALostCall cuts the connection after a young account was charged. What it was charged is not handed out
// again, whether the caller learns of it or not.
func TestYoungBudgetOfALostCall(t *testing.T) {
	for _, retries := range []int{-1, 3} {
		server := startRedis(t)
		p := redistest.StartProxy(t, server)
		ledger := newLedger(t, p.Client(retries), quota.Limits{YoungPerDay: 100})
		status(t, ledger, 1)
		debit(t, newLedger(t, server.Client(), quota.Limits{}), by("another", elements(1))) // loads the script
		var calls atomic.Int32
		p.Cutting(func() redistest.Cut {
			if calls.Add(1) == 4 { // seen to be young; reserved, by digest and by text; charged
				return redistest.CutAfter
			}
			return redistest.CutNothing
		})
		charge, err := ledger.Debit(context.Background(), elements(10))
		if lost := retries < 0; lost != errors.Is(err, quota.ErrUnavailable) || lost == charge.Now || p.Cuts() != 1 {
			t.Errorf("%d retries: got %+v, %v", retries, charge, err)
		}
		if s := status(t, ledger, 1); s.Charged != 10 {
			t.Errorf("%d retries: charged %d, want 10", retries, s.Charged)
		}
		wantYoung(t, ledger, by("b", elements(91)))
		debit(t, ledger, by("b", elements(90)))
		wantYoung(t, ledger, by("b", elements(1)))
	}
}

// TestYoungBudgetIsNotOverspent has young accounts hammer several servers, half of which are killed on the way. What they
// are charged is never more than the budget, and less by no more than what the dead servers had reserved.
func TestYoungBudgetIsNotOverspent(t *testing.T) {
	const perDay, servers, chunk = 20_000, 8, 200
	server := startRedis(t)
	// A quarter of a unit flows back in a second.
	limits := quota.Limits{Burst: 2000, RefillPerDay: 10, YoungPerDay: perDay}
	var ledgers [servers]*quota.Ledger
	for i := range ledgers {
		ledgers[i] = newLedger(t, server.Client(), limits)
	}
	began := time.Now()
	var charged, accounts atomic.Int64
	var running sync.WaitGroup
	for i, ledger := range ledgers {
		for range 4 {
			running.Go(func() {
				for n := 0; ; n++ {
					if i%2 == 1 && n == 20 {
						return // killed
					}
					r := by(fmt.Sprint("young ", accounts.Add(1)), elements(1+n%31))
					_, err := ledger.Debit(context.Background(), r)
					if errors.Is(err, quota.ErrYoung) && r.Elements == 1 {
						return
					}
					if err == nil {
						if charged.Add(int64(r.Elements)) > 2*perDay {
							return // says so below
						}
					} else if !errors.Is(err, quota.ErrYoung) {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	running.Wait()
	flowed := int64(time.Since(began).Seconds()+1) * perDay / 86400
	if got := charged.Load(); got > perDay+flowed || got < perDay-servers*chunk {
		t.Errorf("charged %d, want up to %d, less %d at most", got, perDay+flowed, servers*chunk)
	}
}

// TestYoungBudgetIsGivenBack has every path on which units were taken and not charged, with a budget that is one chunk.
func TestYoungBudgetIsGivenBack(t *testing.T) {
	ctx := context.Background()
	rdb := startRedis(t).Client()
	ledger := newLedger(t, rdb, quota.Limits{Burst: 100, YoungPerDay: 100})
	for range 5 {
		charge := debit(t, ledger, elements(100))
		if !refund(t, ledger, charge) || refund(t, ledger, charge) {
			t.Fatal("not refunded once")
		}
	}
	// 64 calls with one key take 60 each at the same time, and one of them is charged.
	var running sync.WaitGroup
	var now atomic.Int32
	r := by("b", request("b", "k", "x"))
	r.Elements = 60
	for range 64 {
		running.Go(func() {
			for {
				charge, err := ledger.Debit(ctx, r)
				if charge.Now {
					now.Add(1)
				}
				if err == nil || errors.Is(err, quota.ErrReplays) {
					return
				}
				if !errors.Is(err, quota.ErrYoung) {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	if now.Load() != 1 {
		t.Errorf("%d calls were charged, want 1", now.Load())
	}
	debit(t, ledger, by("c", elements(40)))
	if n, err := ledger.YoungRemaining(ctx); err != nil || n != 0 {
		t.Errorf("%d left in the store, %v, want none", n, err)
	}
	wantYoung(t, ledger, by("c", elements(1)))
}

// TestYoungBudgetOfARefusedCall blocks an account between the two runs of its debit, of which the second is refused.
func TestYoungBudgetOfARefusedCall(t *testing.T) {
	ctx := context.Background()
	rdb := startRedis(t).Client()
	operator := newLedger(t, rdb, quota.Limits{})
	asked := askedFor{meanwhile: func() { must(t, operator.Block(ctx, accountKey, "a")) }}
	hooked := redis.NewClient(rdb.Options())
	t.Cleanup(func() { _ = hooked.Close() })
	hooked.AddHook(&asked)
	ledger := newLedger(t, hooked, quota.Limits{YoungPerDay: 100})
	if _, err := ledger.Debit(ctx, elements(30)); err != quota.ErrBlocked || asked.times.Load() == 0 {
		t.Fatalf("got %v after the budget was asked %d times, want ErrBlocked", err, asked.times.Load())
	}
	asked.meanwhile = nil
	debit(t, ledger, by("b", elements(100)))
}

// TestYoungBudgetIsNoHotSpot counts how often the one key of the budget is asked.
func TestYoungBudgetIsNoHotSpot(t *testing.T) {
	ctx := context.Background()
	rdb := startRedis(t).Client()
	var asked askedFor
	rdb.AddHook(&asked)
	ledger := newLedger(t, rdb, quota.Limits{Burst: 100_000, RefillPerDay: 1000, YoungPerDay: 100_000})
	for range 1000 {
		debit(t, ledger, elements(10))
	}
	if n := asked.times.Load(); n > 12 || n < 1 {
		t.Errorf("1,000 requests for 10 asked the budget %d times, want about 10", n)
	}
	rest, err := ledger.YoungRemaining(ctx)
	must(t, err)
	debit(t, ledger, by("b", elements(rest)))
	before, began := asked.times.Load(), time.Now()
	for i := range 1000 {
		wantYoung(t, ledger, by(fmt.Sprint("c", i), elements(500)))
	}
	if n, most := asked.times.Load()-before, int64(time.Since(began).Seconds())+2; n > most {
		t.Errorf("1,000 refused requests asked the budget %d times, want one a second, %d", n, most)
	}
}

// askedFor counts the script calls on the budget of young accounts.
type askedFor struct {
	times     atomic.Int64
	meanwhile func() // done before each, unless nil
}

func (a *askedFor) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a *askedFor) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a *askedFor) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if slices.Contains(cmd.Args(), any("kith:young")) {
			a.times.Add(1)
			if a.meanwhile != nil {
				a.meanwhile()
			}
		}
		return next(ctx, cmd)
	}
}
