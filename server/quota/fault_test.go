package quota_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

// TestRetryOfALostCallIsChargedOnce cuts the connection before and after a debit took effect, with a caller that retries
// under its Idempotency-Key and with a client that repeats by itself.
func TestRetryOfALostCallIsChargedOnce(t *testing.T) {
	ctx := context.Background()
	server := startRedis(t)
	p := redistest.StartProxy(t, server)
	direct := newLedger(t, server.Client(), quota.Limits{})
	var total int64
	for _, tt := range []struct {
		name    string
		where   redistest.Cut
		retries int // of the client itself; -1 for none
		key     string
		now     bool // what the call says that succeeds
	}{
		{"before, the caller retries", redistest.CutBefore, -1, "k1", true},
		{"after, the caller retries", redistest.CutAfter, -1, "k2", false},
		{"before, the client repeats", redistest.CutBefore, 3, "k3", true},
		{"after, the client repeats", redistest.CutAfter, 3, "k4", true},
		{"before, without a key", redistest.CutBefore, 3, "", true},
		{"after, without a key", redistest.CutAfter, 3, "", true},
	} {
		ledger := newLedger(t, p.Client(tt.retries), quota.Limits{})
		status(t, ledger, 1) // connects
		status(t, ledger, 1) // and again, for a second connection may have to say hello
		p.CutNext(tt.where)
		charge, err := ledger.Debit(ctx, request("a", tt.key, "x"))
		if tt.retries < 0 {
			if err != quota.ErrUnavailable {
				t.Errorf("%s: cut, got %v, want ErrUnavailable", tt.name, err)
			}
			charge, err = ledger.Debit(ctx, request("a", tt.key, "x"))
		}
		if err != nil || charge.Now != tt.now {
			t.Errorf("%s: got charged %t, %v, want %t", tt.name, charge.Now, err, tt.now)
		}
		total += 10
		if got, err := direct.Charged(ctx, accountKey, "a", 1); err != nil || got != total {
			t.Errorf("%s: charged %d in all, %v, want %d", tt.name, got, err, total)
		}
	}
	if got := p.Cuts(); got != 6 {
		t.Errorf("%d connections were cut, want 6", got)
	}
}

// TestRefundOfALostCallIsMadeOnce cuts refunds, and the retry of a refunded request comes between a refund and its repeat.
func TestRefundOfALostCallIsMadeOnce(t *testing.T) {
	ctx := context.Background()
	server := startRedis(t)
	p := redistest.StartProxy(t, server)
	ledger := newLedger(t, p.Client(-1), quota.Limits{})
	for i, where := range []redistest.Cut{redistest.CutBefore, redistest.CutAfter} {
		key := fmt.Sprint("k", i)
		charge := debit(t, ledger, request("a", key, "x"))
		p.CutNext(where)
		if _, err := ledger.Refund(ctx, charge); err != quota.ErrUnavailable {
			t.Errorf("cut: got %v, want ErrUnavailable", err)
		}
		retry := debit(t, ledger, request("a", key, "x"))
		if retry.Now != (where == redistest.CutAfter) {
			t.Errorf("the retry was charged: %t", retry.Now)
		}
		// The refund that was lost is repeated: what stands then is paid for by the retry or by the first call.
		if undone := refund(t, ledger, charge); undone {
			t.Error("undone, though the request was made again")
		}
	}
	if got, err := ledger.Charged(ctx, accountKey, "a", 1); err != nil || got != 20 {
		t.Errorf("charged %d, %v, want 20 for two requests", got, err)
	}
}

// TestRetriesUnderKilledConnections has many clients make requests through a proxy that cuts a third of all calls, before or
// after they take effect, and retry until they succeed. Each request is charged once.
func TestRetriesUnderKilledConnections(t *testing.T) {
	const clients, requests = 16, 30
	ctx := context.Background()
	server := startRedis(t)
	p := redistest.StartProxy(t, server)
	p.Cutting(func() redistest.Cut {
		return []redistest.Cut{redistest.CutNothing, redistest.CutNothing, redistest.CutNothing, redistest.CutNothing, redistest.CutBefore, redistest.CutAfter}[rand.IntN(6)]
	})
	var ledgers []*quota.Ledger
	for i := range 4 {
		ledgers = append(ledgers, newLedger(t, p.Client(i-1), quota.Limits{ReplayCap: 1000}))
	}
	var charged, refunded atomic.Int64
	var running sync.WaitGroup
	for client := range clients {
		running.Go(func() {
			for n := range requests {
				r := request("a", fmt.Sprint("client ", client, " request ", n), fmt.Sprint(n))
				for {
					// A retry may come to another server.
					charge, err := ledgers[rand.IntN(len(ledgers))].Debit(ctx, r)
					if err == nil {
						charged.Add(10)
						if charge.Now && n%3 == 0 {
							refunded.Add(refundUntilDone(t, ledgers, charge))
						}
						break
					}
					if !errors.Is(err, quota.ErrUnavailable) {
						t.Errorf("got %v, want ErrUnavailable while connections are cut", err)
						return
					}
				}
			}
		})
	}
	running.Wait()
	got, err := newLedger(t, server.Client(), quota.Limits{}).Charged(ctx, accountKey, "a", 1)
	if want := charged.Load() - refunded.Load(); err != nil || got != want || refunded.Load() == 0 {
		t.Errorf("charged %d, %v, want %d: %d less %d refunded", got, err, want, charged.Load(), refunded.Load())
	}
	if p.Cuts() < clients {
		t.Errorf("only %d connections were cut", p.Cuts())
	}
}

// refundUntilDone repeats a refund until the store has answered. Nobody else uses the request, so that it is undone, by one
// of the calls, whether or not the answer to that one was lost.
func refundUntilDone(t *testing.T, ledgers []*quota.Ledger, charge quota.Charge) int64 {
	for {
		if _, err := ledgers[rand.IntN(len(ledgers))].Refund(context.Background(), charge); err == nil {
			return 10
		} else if !errors.Is(err, quota.ErrUnavailable) {
			t.Errorf("refund: got %v, want ErrUnavailable while connections are cut", err)
			return 0
		}
	}
}

// TestScriptsAreLoadedAgain restarts the server, which forgets scripts and not accounts.
func TestScriptsAreLoadedAgain(t *testing.T) {
	server := startRedis(t)
	ledger := newLedger(t, server.Client(), quota.Limits{})
	debit(t, ledger, request("a", "k", "x"))
	server.Restart()
	if charge := debit(t, ledger, request("a", "k", "x")); charge.Now {
		t.Error("after a restart: charged again")
	}
	if s := status(t, ledger, 1); s.Charged != 10 {
		t.Errorf("after a restart: charged %d, want 10", s.Charged)
	}
}
