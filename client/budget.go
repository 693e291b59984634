package client

import (
	"math"
	"slices"
	"time"
)

// unlimited is the budget of a Sync that has none.
const unlimited = math.MaxInt64

// window is how many hours a byte counts against the budget, from the end of the hour in which it was spent: at least a
// day, since a day's phones sync at about the same time.
const window = 24

// ledger is what lookups cost in the last hours, oldest first. It is in the state, so that the budget holds over any
// number of processes.
type ledger []spending

// spending is what lookups cost in one hour.
type spending struct {
	hour  int64 // since 1970
	bytes int64
}

// add counts bytes, and drops what is older than the window. Entries of the future, which a clock that was set back
// leaves behind, count as of now.
func (l *ledger) add(now time.Time, bytes int64) {
	hour := now.Unix() / 3600
	kept := slices.DeleteFunc(*l, func(s spending) bool { return hour-s.hour > window })
	for _, s := range kept {
		if s.hour >= hour {
			bytes += s.bytes
		}
	}
	kept = slices.DeleteFunc(kept, func(s spending) bool { return s.hour >= hour })
	*l = append(kept, spending{hour, bytes})
}

// spent returns the bytes that count at a time.
func (l ledger) spent(now time.Time) int64 {
	hour := now.Unix() / 3600
	var sum int64
	for _, s := range l {
		if hour-s.hour <= window {
			sum += s.bytes
		}
	}
	return sum
}

// next returns the first time after now at which the budget has room for need bytes, or for as many as it can ever have.
func (l ledger) next(now time.Time, budget, need int64) time.Time {
	need = min(need, budget)
	at := now
	for _, s := range l {
		if budget-l.spent(at) >= need {
			break
		}
		if end := time.Unix((s.hour+window+1)*3600, 0); end.After(at) {
			at = end
		}
	}
	return at
}
