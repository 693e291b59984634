package quota

import (
	"fmt"
	"time"
)

// The limits that a Limits of zeros stands for.
const (
	DefaultBurst        = 10_000
	DefaultRefillPerDay = 1_000
	DefaultReplayCap    = 16
	DefaultKeepKeys     = 24 * time.Hour
	DefaultYoungAge     = 7 * 24 * time.Hour
)

const (
	// MaxBurst is the largest Burst and RefillPerDay: more could not be counted exactly in the store.
	MaxBurst = 50_000_000
	// MaxYoungPerDay is the largest YoungPerDay.
	MaxYoungPerDay = 50_000_000_000
	// maxReplays is the largest ReplayCap.
	maxReplays = 1_000
	// maxKeepKeys is the longest KeepKeys.
	maxKeepKeys = 30 * 24 * time.Hour
	// maxRefillTime is the longest that an empty bucket may take to be full: an account is forgotten after 400 days, and
	// must not gain by it.
	maxRefillTime = 365 // days
	// maxYoungAge is the largest YoungAge, in which an account must not be forgotten either.
	maxYoungAge = 365 * 24 * time.Hour
)

// Limits are what accounts may have evaluated. All servers have to be given the same. They can not change at run time; at
// a restart with others every account keeps the units that it has used.
type Limits struct {
	// Burst is how many units a bucket holds: the most elements that an account can have evaluated at once, and the largest
	// address book that syncs without waiting. From 1 to MaxBurst; 0 means DefaultBurst.
	Burst int
	// RefillPerDay is how many units flow back a day, evenly. From 1 to MaxBurst, and at least the 365th part of Burst;
	// 0 means DefaultRefillPerDay.
	RefillPerDay int
	// ReplayCap is how often a request under one Idempotency-Key may be repeated without being charged, each of which is
	// work that nobody pays for. From 1 to 1,000; 0 means DefaultReplayCap.
	ReplayCap int
	// KeepKeys is how long a request is remembered under its Idempotency-Key; after that it would be charged again. From
	// one minute to 30 days; 0 means DefaultKeepKeys.
	KeepKeys time.Duration
	// YoungAge is for how long after its first request an account is young. From one minute to 365 days; 0 means
	// DefaultYoungAge.
	YoungAge time.Duration
	// YoungPerDay is how many units all young accounts together may be charged a day, beside the limits of each; in any
	// 24 hours at most twice as many. Up to MaxYoungPerDay; 0 means that there is no such budget.
	YoungPerDay int
}

// withDefaults returns the limits with those of zeros filled in, or an error that wraps ErrLimits and names the one that is
// out of range.
func (l Limits) withDefaults() (Limits, error) {
	for _, count := range []struct {
		name     string
		value    *int
		standard int
		most     int
	}{
		{"Burst", &l.Burst, DefaultBurst, MaxBurst},
		{"RefillPerDay", &l.RefillPerDay, DefaultRefillPerDay, MaxBurst},
		{"ReplayCap", &l.ReplayCap, DefaultReplayCap, maxReplays},
		{"YoungPerDay", &l.YoungPerDay, 0, MaxYoungPerDay},
	} {
		if *count.value == 0 {
			*count.value = count.standard
		}
		if *count.value < 0 || *count.value > count.most {
			return Limits{}, fmt.Errorf("%w: %s is not from 0 to %d", ErrLimits, count.name, count.most)
		}
	}
	for _, span := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
		most     time.Duration
	}{
		{"KeepKeys", &l.KeepKeys, DefaultKeepKeys, maxKeepKeys},
		{"YoungAge", &l.YoungAge, DefaultYoungAge, maxYoungAge},
	} {
		if *span.value == 0 {
			*span.value = span.standard
		}
		if *span.value < minTime || *span.value > span.most {
			return Limits{}, fmt.Errorf("%w: %s is not from %v to %v", ErrLimits, span.name, minTime, span.most)
		}
	}
	if l.Burst > maxRefillTime*l.RefillPerDay {
		return Limits{}, fmt.Errorf("%w: RefillPerDay takes more than %d days to fill Burst", ErrLimits, maxRefillTime)
	}
	return l, nil
}

// minTime is the shortest KeepKeys and YoungAge.
const minTime = time.Minute
