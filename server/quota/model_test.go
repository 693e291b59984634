package quota_test

import (
	"math/big"
	"time"
)

// The model is GCRA as ITU-T I.371 has it by virtual scheduling, in fractions without rounding: every unit moves the
// theoretical arrival time on by one interval, and a request conforms if that time is then no more than a full bucket ahead.
// The scripts count parts in a leaky bucket, which is another way to the same decisions.

// modelAccount is an account of the model.
type modelAccount struct {
	burst, refill int // in force
	tat           *big.Rat
	at            int64 // ms, when tat was last changed
	charged       map[uint32]int
	credit        map[uint32]int  // of epochs that were granted one
	spent         map[uint32]bool // epochs whose charges have become a credit
	requests      map[string]*modelRequest
	seen          bool
	blocked       bool
}

// modelRequest is a request that was charged under a key.
type modelRequest struct {
	content  string
	epoch    uint32
	elements int
	credit   int
	replays  int
	call     int // the Debit that charged it
}

func newModelAccount(burst, refill int) *modelAccount {
	return &modelAccount{
		burst: burst, refill: refill, tat: new(big.Rat), charged: map[uint32]int{}, credit: map[uint32]int{},
		spent: map[uint32]bool{}, requests: map[string]*modelRequest{},
	}
}

// of returns n intervals in ms.
func (m *modelAccount) of(n int) *big.Rat {
	return new(big.Rat).Mul(big.NewRat(int64(n), 1), big.NewRat((24*time.Hour).Milliseconds(), int64(m.refill)))
}

func ms(n int64) *big.Rat { return big.NewRat(n, 1) }

// arrival returns the theoretical arrival time as of now. Where the clock has gone back it is no more than a full bucket
// ahead, unless the bucket was more than full before.
func (m *modelAccount) arrival(now int64) *big.Rat {
	if now >= m.at {
		return larger(m.tat, ms(now))
	}
	before := new(big.Rat).Add(ms(now), new(big.Rat).Sub(m.tat, ms(m.at)))
	full := new(big.Rat).Add(ms(now), m.of(m.burst))
	if full.Cmp(m.tat) > 0 {
		full = m.tat
	}
	return larger(before, full)
}

func larger(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// creditOf returns the credit for an epoch that followed the one before it, and whether it is to be granted.
func (m *modelAccount) creditOf(epoch uint32) (credit int, grants bool) {
	if credit, granted := m.credit[epoch]; granted {
		return credit, false
	}
	if epoch == 1 || m.spent[epoch-1] {
		return 0, false
	}
	return m.charged[epoch-1], true
}

// wait returns how long, ms, a request for n elements has to wait; 0 if it conforms.
func (m *modelAccount) wait(now int64, epoch uint32, n int) int64 {
	credit, _ := m.creditOf(epoch)
	if n <= credit {
		return 0
	}
	after := new(big.Rat).Add(m.arrival(now), m.of(n-credit))
	over := after.Sub(after, new(big.Rat).Add(ms(now), m.of(m.burst)))
	if over.Sign() <= 0 {
		return 0
	}
	return ceil(over)
}

// charge charges a request that conforms, and returns how much of it the credit paid for.
func (m *modelAccount) charge(now int64, epoch uint32, n int) (fromCredit int) {
	credit, grants := m.creditOf(epoch)
	fromCredit = min(credit, n)
	m.tat, m.at, m.seen = new(big.Rat).Add(m.arrival(now), m.of(n-fromCredit)), now, true
	m.charged[epoch] += n
	if _, granted := m.credit[epoch]; granted || grants {
		m.credit[epoch] = credit - fromCredit
	}
	if grants {
		m.spent[epoch-1] = true
		for e := uint32(1); e < epoch-1; e++ {
			delete(m.charged, e)
			delete(m.credit, e)
			delete(m.spent, e)
		}
	}
	return fromCredit
}

// refund undoes the charge of a request.
func (m *modelAccount) refund(now int64, r *modelRequest) {
	m.tat, m.at = larger(new(big.Rat).Sub(m.arrival(now), m.of(r.elements-r.credit)), ms(now)), now
	m.charged[r.epoch] = max(0, m.charged[r.epoch]-r.elements)
	if credit, granted := m.credit[r.epoch]; granted {
		m.credit[r.epoch] = credit + r.credit
	}
}

// limit changes the limits, and keeps what is used in units.
func (m *modelAccount) limit(now int64, burst, refill int) {
	used := new(big.Rat).Quo(new(big.Rat).Sub(m.arrival(now), ms(now)), m.of(1))
	m.burst, m.refill = burst, refill
	if m.seen {
		m.tat, m.at = new(big.Rat).Add(ms(now), used.Mul(used, m.of(1))), now
	}
}

// remaining returns the whole units that can be used now, with the credit for an epoch, and the ms until the bucket is full.
func (m *modelAccount) remaining(now int64, epoch uint32) (units int, reset int64) {
	credit, _ := m.creditOf(epoch)
	used := new(big.Rat).Sub(m.arrival(now), ms(now))
	free := new(big.Rat).Sub(m.of(m.burst), used)
	if free.Sign() < 0 {
		free.SetInt64(0)
	}
	free.Quo(free, m.of(1))
	return int(new(big.Int).Quo(free.Num(), free.Denom()).Int64()) + credit, ceil(used)
}

func ceil(r *big.Rat) int64 {
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q.Int64()
}
