package quota_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kith-project/kith/server/quota"
)

const (
	propertyBurst  = 100
	propertyRefill = 37
	propertyReplay = 2
)

// history is one account in the store and in the model, and what has been done to it.
type history struct {
	*modelAccount
	ledger  *quota.Ledger
	clock   *clock
	account string
	epoch   uint32 // that is active
	calls   int
	charges []madeCharge
}

// madeCharge is a charge that was made, and may have been undone.
type madeCharge struct {
	charge quota.Charge
	key    string
	call   int
}

// TestAgainstGCRA does the same to an account in Redis and in the model, in any order: charges with and without keys,
// retries, refunds, clocks that go forward and back, rotations, and what an operator does.
func TestAgainstGCRA(t *testing.T) {
	rdb := startRedis(t).Client()
	ledger, clock := withClock(t, rdb, quota.Limits{Burst: propertyBurst, RefillPerDay: propertyRefill, ReplayCap: propertyReplay})
	accounts := 0
	rapid.Check(t, func(t *rapid.T) {
		accounts++
		h := &history{
			modelAccount: newModelAccount(propertyBurst, propertyRefill), ledger: ledger, clock: clock,
			account: fmt.Sprint("account ", accounts), epoch: 1,
		}
		t.Repeat(map[string]func(*rapid.T){
			"":        h.compare,
			"debit":   h.debit,
			"wait":    h.wait,
			"refund":  h.refund,
			"rotate":  func(*rapid.T) { h.epoch++ },
			"operate": h.operate,
		})
	})
}

// drawEpoch draws the active epoch or the one before it, which drains.
func (h *history) drawEpoch(t *rapid.T) uint32 {
	return max(1, h.epoch-rapid.Uint32Range(0, 1).Draw(t, "epochs back"))
}

func (h *history) debit(t *rapid.T) {
	r := quota.Request{
		Account: h.account, Secret: accountKey,
		Elements: rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, propertyBurst+20)).Draw(t, "elements"),
		Key:      rapid.SampledFrom([]string{"", "k1", "k2", "k3", "k4"}).Draw(t, "key"),
		Content:  []byte(rapid.SampledFrom([]string{"x", "x", "x", "y"}).Draw(t, "content")),
	}
	r.Epoch = h.drawEpoch(t)
	r.Predecessor = r.Epoch - 1
	h.calls++
	charge, err := h.ledger.Debit(context.Background(), r)

	now := h.clock.now
	known := h.requests[r.Key]
	exceeded, _ := errors.AsType[*quota.ExceededError](err)
	switch {
	case h.blocked:
		wantDebit(t, "blocked", charge, err, false, quota.ErrBlocked)
	case r.Key != "" && known != nil && (known.content != string(r.Content) || known.epoch != r.Epoch):
		wantDebit(t, "another request under the key", charge, err, false, quota.ErrKeyReused)
	case r.Key != "" && known != nil && known.replays == propertyReplay:
		wantDebit(t, "repeated too often", charge, err, false, quota.ErrReplays)
	case r.Key != "" && known != nil:
		known.replays++
		wantDebit(t, "repeated", charge, err, false, nil)
	case r.Elements > h.burst:
		wantDebit(t, "too large", charge, err, false, quota.ErrTooLarge)
	case h.modelAccount.wait(now, r.Epoch, r.Elements) > 0:
		want := time.Duration(h.modelAccount.wait(now, r.Epoch, r.Elements)) * time.Millisecond
		if exceeded == nil || exceeded.RetryAfter != want {
			t.Fatalf("%d elements at %d: got %v (%+v), want a wait of %v", r.Elements, now, err, exceeded, want)
		}
	default:
		wantDebit(t, "charged", charge, err, true, nil)
		credit := h.charge(now, r.Epoch, r.Elements)
		if charge.FromCredit != credit || charge.Elements != r.Elements {
			t.Fatalf("got %+v, want %d of %d from the credit", charge, credit, r.Elements)
		}
		name := r.Key
		if name == "" {
			name = fmt.Sprint("call ", h.calls)
		}
		h.requests[name] = &modelRequest{content: string(r.Content), epoch: r.Epoch, elements: r.Elements, credit: credit, call: h.calls}
		h.charges = append(h.charges, madeCharge{charge, name, h.calls})
	}
}

func wantDebit(t *rapid.T, name string, charge quota.Charge, err error, now bool, want error) {
	if charge.Now != now || !errors.Is(err, want) {
		t.Fatalf("%s: got charged %t, %v, want %t, %v", name, charge.Now, err, now, want)
	}
}

func (h *history) wait(t *rapid.T) {
	h.clock.now += rapid.OneOf(
		rapid.Int64Range(0, 10),
		rapid.Int64Range(0, (24*time.Hour).Milliseconds()),
		rapid.Int64Range(-(5*time.Hour).Milliseconds(), 0),
		rapid.Int64Range(-(40*24*time.Hour).Milliseconds(), (40*24*time.Hour).Milliseconds()),
	).Draw(t, "ms")
	h.setClock(t)
}

func (h *history) setClock(t *rapid.T) {
	if err := h.clock.rdb.HSet(context.Background(), "clock", "s", h.clock.now/1000, "us", h.clock.now%1000*1000).Err(); err != nil {
		t.Fatal(err)
	}
}

func (h *history) refund(t *rapid.T) {
	if len(h.charges) == 0 {
		return // nothing was charged yet
	}
	made := rapid.SampledFrom(h.charges).Draw(t, "charge")
	undone, err := h.ledger.Refund(context.Background(), made.charge)
	request := h.requests[made.key]
	due := request != nil && request.call == made.call && request.replays == 0 && !h.spent[request.epoch]
	if err != nil || undone != due {
		t.Fatalf("refund of call %d: got %t, %v, want %t", made.call, undone, err, due)
	}
	if due {
		h.modelAccount.refund(h.clock.now, request)
		delete(h.requests, made.key)
	}
}

func (h *history) operate(t *rapid.T) {
	ctx := context.Background()
	var err error
	switch rapid.SampledFrom([]string{"raise", "reset", "block", "unblock", "unblock"}).Draw(t, "what") {
	case "raise":
		burst := rapid.SampledFrom([]int{0, 50, 300}).Draw(t, "burst")
		refill := rapid.SampledFrom([]int{0, 11, 1000}).Draw(t, "refill")
		err = h.ledger.Raise(ctx, accountKey, h.account, burst, refill)
		h.limit(h.clock.now, or(burst, propertyBurst), or(refill, propertyRefill))
	case "reset":
		err = h.ledger.Reset(ctx, accountKey, h.account)
		h.tat, h.at = ms(0), 0
	case "block":
		err = h.ledger.Block(ctx, accountKey, h.account)
		h.blocked = true
	case "unblock":
		err = h.ledger.Unblock(ctx, accountKey, h.account)
		h.blocked = false
	}
	if err != nil {
		t.Fatal(err)
	}
}

func or(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// compare holds the store's view of the account to the model's.
func (h *history) compare(t *rapid.T) {
	for _, epoch := range []uint32{h.epoch, max(1, h.epoch-1)} {
		s, err := h.ledger.Status(context.Background(), accountKey, h.account, epoch, epoch-1)
		if err != nil {
			t.Fatal(err)
		}
		remaining, reset := h.remaining(h.clock.now, epoch)
		credit, _ := h.creditOf(epoch)
		if s.Remaining != remaining || s.Reset.Milliseconds() != reset || s.Credit != credit ||
			s.Charged != int64(h.charged[epoch]) || s.Limit != h.burst || s.RefillPerDay != h.refill || !s.Blocked.IsZero() != h.blocked {
			t.Fatalf("epoch %d at %d: got %+v, want %d remaining, reset in %d ms, credit %d, charged %d, limits %d and %d, blocked %t",
				epoch, h.clock.now, s, remaining, reset, credit, h.charged[epoch], h.burst, h.refill, h.blocked)
		}
	}
}
