package bench

import (
	"fmt"
	"math"
)

// Attack is an enumeration: somebody with accounts has every number of a plan evaluated, within the limits of the server, to
// learn who is registered. Its JSON names are those of kith attack-cost --json.
type Attack struct {
	Numbers          int64   `json:"numbers"`            // of the plan, each of which takes an evaluation; at least 1
	Accounts         int64   `json:"accounts"`           // that the attacker has; at least 1
	AccountPrice     float64 `json:"account_price"`      // what one costs, USD
	Burst            int64   `json:"burst"`              // as in quota.Limits; at least 1
	RefillPerDay     int64   `json:"refill_per_day"`     // the same
	YoungPerDay      int64   `json:"young_per_day"`      // the same; 0 if young accounts have no budget
	YoungAgeDays     float64 `json:"young_age_days"`     // for how long after its first evaluation an account is young
	RotationsPerYear float64 `json:"rotations_per_year"` // how often the key is rotated, up to 366; 0 for never
}

// AttackFormula is how Attack is counted, for people.
const AttackFormula = `b(t) = N (B + R t)                      what the buckets of N accounts pay for by day t; with a budget of Y a day
                                        for accounts younger than A days at most Y (1 + t) until day A, and at
                                        most Y (1 + A) + N (B + R (t - A)) from then on
e(t) = b(t) + b(t) + b(t - P) + ...     with a rotation each P days, at the moments that are best for the attacker:
                                        day t, t - P, t - 2 P and so on down to day 0. Each gives as a credit what
                                        was evaluated in the epoch before; at most Y (1 + t) in all until day A
`

// AttackCost is what an Attack takes. Days are counted from the first evaluation.
type AttackCost struct {
	// OnceDays is how long it takes until every number was evaluated in some epoch: e(t) of AttackFormula.
	OnceDays float64 `json:"once_days"`
	// InViewDays is how long it takes until all are evaluated in one epoch, whose joins and leaves can then be watched until
	// it ends without any evaluation: b(t), since credits are spent on evaluating anew what was in view before. After that,
	// credits keep it in view over every rotation.
	InViewDays float64 `json:"in_view_days"`
	// EvaluatedIn30Days is how many numbers were evaluated after 30 days, and Share30Days which part of the plan.
	EvaluatedIn30Days int64   `json:"evaluated_in_30_days"`
	Share30Days       float64 `json:"share_in_30_days"`
	// Price is what the accounts cost, USD.
	Price float64 `json:"price"`
	// AccountsFor30Days is how many accounts it would take to be through in 30 days, and PriceFor30Days what they cost; 0 if
	// no number of accounts is enough, because they are young for longer.
	AccountsFor30Days int64   `json:"accounts_for_30_days"`
	PriceFor30Days    float64 `json:"price_for_30_days"`
	// UnlimitedHours is how long it takes at CrawlPerHour, where there are no limits.
	UnlimitedHours float64 `json:"unlimited_hours"`
}

const (
	// CrawlPerHour is how many numbers were looked up an hour in the enumeration of one messenger's 3.5 billion accounts:
	// G. Gegenhuber et al., "Hey there! You are using WhatsApp", NDSS 2026, https://arxiv.org/abs/2511.20252.
	CrawlPerHour = 100_000_000

	month       = 30  // days
	year        = 365 // days
	maxNumbers  = 100_000_000_000_000
	maxAccounts = 1_000_000_000_000
	maxLimit    = 1_000_000_000_000
)

// RangeError is returned for an input that is out of range.
type RangeError struct {
	Input string // its name in JSON
	Range string
}

func (e *RangeError) Error() string { return "bench: " + e.Input + ": " + e.Range }

// check returns a *RangeError if the attack has an input out of range.
func (a Attack) check() error {
	for _, in := range []struct {
		name        string
		value       float64
		least, most float64
	}{
		{"numbers", float64(a.Numbers), 1, maxNumbers},
		{"accounts", float64(a.Accounts), 1, maxAccounts},
		{"account_price", a.AccountPrice, 0, 1_000_000},
		{"burst", float64(a.Burst), 1, maxLimit},
		{"refill_per_day", float64(a.RefillPerDay), 1, maxLimit},
		{"young_per_day", float64(a.YoungPerDay), 0, maxLimit},
		{"young_age_days", a.YoungAgeDays, 0, 100 * year},
		{"rotations_per_year", a.RotationsPerYear, 0, 366},
	} {
		if !(in.value >= in.least && in.value <= in.most) {
			return &RangeError{in.name, fmt.Sprintf("from %s to %s", count(int64(in.least)), count(int64(in.most)))}
		}
	}
	return nil
}

// Cost returns what the attack takes, or a *RangeError. Where the rules leave something open it counts for the attacker:
// nobody else draws on the budget of young accounts, rotations come at the best moments, no account is blocked, and the
// server answers at once.
func (a Attack) Cost() (AttackCost, error) {
	if err := a.check(); err != nil {
		return AttackCost{}, err
	}
	all := float64(a.Numbers)
	c := AttackCost{
		OnceDays:       firstDay(all, a.evaluated),
		InViewDays:     firstDay(all, a.byBuckets),
		Price:          float64(a.Accounts) * a.AccountPrice,
		UnlimitedHours: all / CrawlPerHour,
	}
	c.EvaluatedIn30Days = int64(min(all, a.evaluated(month)))
	c.Share30Days = float64(c.EvaluatedIn30Days) / all
	c.AccountsFor30Days = a.accountsFor(month)
	c.PriceFor30Days = float64(c.AccountsFor30Days) * a.AccountPrice
	return c, nil
}

// byBuckets is b(t) of AttackFormula: what the buckets of all accounts pay for by a day.
func (a Attack) byBuckets(day float64) float64 {
	accounts, burst, refill := float64(a.Accounts), float64(a.Burst), float64(a.RefillPerDay)
	paid := accounts * (burst + refill*day)
	if a.YoungPerDay == 0 {
		return paid
	}
	if day < a.YoungAgeDays {
		return min(paid, a.byYoung(day))
	}
	return min(paid, a.byYoung(a.YoungAgeDays)+accounts*(burst+refill*(day-a.YoungAgeDays)))
}

// byYoung is how much young accounts together are charged by a day at most: the budget is full before the first.
func (a Attack) byYoung(day float64) float64 { return float64(a.YoungPerDay) * (1 + day) }

// evaluated is e(t) of AttackFormula: how many evaluations there are by a day, credits spent on other numbers.
//
// The credit of a rotation on day d is b(d): what the buckets paid for in the epoch before and that epoch's own credit, which
// is what they had paid for until then. It grows with d, so that the best rotations are late ones, the last on the day
// itself. Credits for evaluations by young accounts are counted in full, though the budget may not pay for them in time.
func (a Attack) evaluated(day float64) float64 {
	total := a.byBuckets(day) + a.byCredits(day)
	if a.YoungPerDay > 0 && day < a.YoungAgeDays {
		return min(total, a.byYoung(day))
	}
	return total
}

// byCredits is how much the credits of rotations pay for by a day.
func (a Attack) byCredits(day float64) float64 {
	if a.RotationsPerYear == 0 {
		return 0
	}
	period, total := year/a.RotationsPerYear, 0.0
	if grown := day - a.linearFrom(); grown >= 0 { // the sum of a series, however many rotations there are
		n := math.Floor(grown/period) + 1
		total = n*a.byBuckets(day) - float64(a.Accounts)*float64(a.RefillPerDay)*period*n*(n-1)/2
		day -= n * period
	}
	for ; day >= 0; day -= period {
		total += a.byBuckets(day)
	}
	return total
}

// linearFrom is the day from which byBuckets grows evenly.
func (a Attack) linearFrom() float64 {
	if a.YoungPerDay == 0 {
		return 0
	}
	return a.YoungAgeDays
}

// accountsFor returns how many accounts have evaluated all numbers by a day, 0 if no number of them has.
func (a Attack) accountsFor(day float64) int64 {
	through := func(accounts int64) bool {
		a.Accounts = accounts
		return a.evaluated(day) >= float64(a.Numbers)
	}
	least, enough := int64(0), (a.Numbers+a.Burst-1)/a.Burst // as many are through at once, or when they are not young any more
	if !through(enough) {
		return 0
	}
	for enough-least > 1 {
		if middle := least + (enough-least)/2; through(middle) {
			enough = middle
		} else {
			least = middle
		}
	}
	return enough
}

// firstDay returns the first day by which there are as many, of what never decreases and grows without bound.
func firstDay(many float64, by func(day float64) float64) float64 {
	if by(0) >= many {
		return 0
	}
	before, after := 0.0, 1.0
	for by(after) < many {
		before, after = after, 2*after
	}
	for {
		middle := before + (after-before)/2
		if middle <= before || middle >= after {
			return after
		}
		if by(middle) >= many {
			after = middle
		} else {
			before = middle
		}
	}
}
