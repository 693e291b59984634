package quota

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/secret"
)

const (
	// MaxKey is the longest Idempotency-Key, in bytes.
	MaxKey = 128
	// accountMemory is how long an account is remembered after its last charge.
	accountMemory = 400 * 24 * time.Hour
	// keylessMemory is how long a request without an Idempotency-Key is remembered: longer than any call takes.
	keylessMemory = 10 * time.Minute
)

// Ledger keeps the accounts in the store.
type Ledger struct {
	rdb     redis.UniversalClient
	limits  Limits
	scripts scripts
	young   *youngBudget
}

// New returns a ledger on a store. The client has to send reads to masters. It returns an error that wraps ErrLimits if a
// limit is out of range.
func New(rdb redis.UniversalClient, limits Limits) (*Ledger, error) {
	limits, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Ledger{rdb: rdb, limits: limits, scripts: storeScripts, young: newYoungBudget(limits.YoungPerDay)}, nil
}

// Limits returns the limits in force, those of zeros filled in.
func (l *Ledger) Limits() Limits { return l.limits }

// Request is an evaluation to be charged.
type Request struct {
	Account     string       // the subject of the token
	Epoch       uint32       // under whose key it is made
	Predecessor uint32       // the epoch that was active before it, whose charges become a credit, or 0 for none
	Elements    int          // how many elements it asks for; fewer than 1 are taken for 1
	Key         string       // Idempotency-Key, at most MaxKey bytes, or "" for none
	Content     []byte       // the packed elements, to which the key is bound
	Secret      secret.Value // the keyring's account key
}

// State is what an account can still have evaluated, at the moment of an answer.
type State struct {
	Limit        int           // units that its bucket holds
	RefillPerDay int           // units that flow back a day
	Remaining    int           // whole units that it can use now, credit included, so that it may be more than Limit
	Credit       int           // units of Remaining that are credit for the epoch, and used first
	Reset        time.Duration // until its bucket is full, to the ms
}

// Charge is the outcome of a Debit that lets its caller evaluate.
type Charge struct {
	State
	Now        bool // the elements were charged now; false if the same request was charged before
	Elements   int  // of the request
	FromCredit int  // elements that were charged to the credit, if Now; the bucket paid for the others

	account, record, call string // where Refund finds the charge
	epoch                 uint32
	young                 bool // the budget of young accounts paid as well
}

// Debit charges the request's elements to its account, in one script. If it returns an error the caller must not evaluate:
//   - *ExceededError, with the time when the request would pass;
//   - ErrTooLarge (*TooLargeError), which no time mends;
//   - ErrYoung (*YoungError), if the account is young and the budget of young accounts is used up;
//   - ErrKeyReused and ErrReplays, of the Idempotency-Key;
//   - ErrBlocked;
//   - ErrUnavailable and ErrRecord: what can not be counted is refused.
func (l *Ledger) Debit(ctx context.Context, r Request) (Charge, error) {
	c := l.newCall(r)
	charge, err := l.debit(ctx, c, false)
	if !errors.Is(err, errTakeFirst) {
		return charge, err
	}
	n := c.request.Elements
	if err := l.young.take(ctx, l.reserve, n); err != nil {
		return Charge{}, err
	}
	charge, err = l.debit(ctx, c, true)
	// Where the store did not answer, the account may have been charged, and the units stay taken.
	if !errors.Is(err, ErrUnavailable) && !(charge.Now && charge.young) {
		l.young.giveBack(n)
	}
	return charge, err
}

// call is one Debit in the making: what its script runs are given.
type call struct {
	account, record, id string
	content             string
	memory              time.Duration
	request             Request
}

func (l *Ledger) newCall(r Request) call {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	prefix := accountPrefix(r.Secret, r.Account)
	c := call{account: prefix + ":account", id: string(id[:]), content: requestHash(r.Epoch, r.Content), request: r}
	if r.Key == "" {
		c.record, c.memory = prefix+":r"+hex.EncodeToString(id[:]), keylessMemory
	} else {
		c.record, c.memory = prefix+":r"+keyed(r.Secret, "request", r.Key), l.limits.KeepKeys
	}
	c.request.Elements = max(1, r.Elements)
	if r.Predecessor >= r.Epoch {
		c.request.Predecessor = 0 // ids ascend: the epoch did not follow that one
	}
	return c
}

// errTakeFirst means a young account whose request has to be taken from the budget first.
var errTakeFirst = errors.New("quota: to be taken from the budget of young accounts first")

// debit runs the script. taken says that the elements were taken from the budget of young accounts.
func (l *Ledger) debit(ctx context.Context, c call, taken bool) (Charge, error) {
	var youngAge int64
	if l.limits.YoungPerDay > 0 {
		youngAge = l.limits.YoungAge.Milliseconds()
	}
	r := c.request
	status, n, err := runNumbers(ctx, l.rdb, l.scripts.debit, 8, []string{c.account, c.record}, c.content, c.id, r.Elements,
		epochText(r.Epoch), epochText(r.Predecessor), l.limits.Burst, l.limits.RefillPerDay, c.memory.Milliseconds(),
		accountMemory.Milliseconds(), l.limits.ReplayCap, youngAge, taken)
	if err != nil {
		return Charge{}, err
	}
	state := stateOf(n)
	switch status {
	case "CHARGED":
		return Charge{
			State: state, Now: true, Elements: r.Elements, FromCredit: int(n[6]),
			account: c.account, record: c.record, call: c.id, epoch: r.Epoch, young: n[7] == 1,
		}, nil
	case "KNOWN":
		return Charge{State: state, Elements: r.Elements}, nil
	case "EXCEEDED":
		return Charge{}, &ExceededError{State: state, RetryAfter: milliseconds(n[5])}
	case "LARGE":
		return Charge{}, &TooLargeError{Limit: state.Limit}
	case "YOUNG":
		return Charge{}, errTakeFirst
	case "REUSED":
		return Charge{}, ErrKeyReused
	case "REPLAYS":
		return Charge{}, ErrReplays
	case "BLOCKED":
		return Charge{}, ErrBlocked
	default:
		return Charge{}, ErrUnavailable
	}
}

// stateOf reads what state of account.lua returns.
func stateOf(n []int64) State {
	return State{
		Limit: int(n[0]), RefillPerDay: int(n[1]), Remaining: int(n[2]), Credit: int(n[3]), Reset: milliseconds(n[4]),
	}
}

// milliseconds returns n ms, or the longest Duration, 292 years, where they are more: the limits of one account may be such
// that its bucket takes longer to fill.
func milliseconds(n int64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// Refund undoes a charge, for a fault of the server before any byte of the answer was written, and forgets its request, so
// that a retry under the same key is charged anew. It reports whether the charge was undone; it is not where it was undone
// before, where the request was repeated since, whose repetition may have been answered, and where the charge has become a
// part of the credit for the next epoch. A Charge that is not Now has nothing to undo. It returns ErrUnavailable, after which
// the charge may stand or not, and may be refunded again; and ErrRecord.
func (l *Ledger) Refund(ctx context.Context, c Charge) (undone bool, err error) {
	if !c.Now {
		return false, nil
	}
	outcome, err := l.scripts.refund.Run(ctx, l.rdb, []string{c.account, c.record}, c.call, epochText(c.epoch),
		l.limits.Burst, l.limits.RefillPerDay).Int()
	switch {
	case err != nil:
		return false, unavailable(err)
	case outcome < 0:
		return false, ErrRecord
	case outcome == 0:
		return false, nil
	}
	if c.young {
		l.young.giveBack(c.Elements)
	}
	return true, nil
}
