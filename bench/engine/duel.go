package engine

import (
	"math"
	"slices"
	"time"
)

// contender does once what is compared, and returns how long that took.
type contender func() (time.Duration, error)

// duel is one comparison.
type duel struct {
	name     string
	elements int
	share    float64 // of the time of all duels
	by       [2]contender

	circl, kith []float64 // µs, turn by turn
	spent       time.Duration
}

// The places of a duel's contenders.
const (
	byCircl = iota
	byKith
)

// next returns the duel that has had least of its share.
func next(duels []*duel) *duel {
	return slices.MinFunc(duels, func(a, b *duel) int {
		if d := float64(a.spent)/a.share - float64(b.spent)/b.share; d != 0 {
			return int(math.Copysign(1, d))
		}
		return 0
	})
}

// round gives each a turn. Who begins changes every time.
func (d *duel) round() error {
	started := time.Now()
	var took [2]time.Duration
	for turn := range 2 {
		who := (len(d.kith) + turn) % 2
		var err error
		if took[who], err = d.by[who](); err != nil {
			return err
		}
	}
	d.circl, d.kith = append(d.circl, micros(took[byCircl])), append(d.kith, micros(took[byKith]))
	d.spent += time.Since(started)
	return nil
}

func micros(t time.Duration) float64 { return float64(t) / float64(time.Microsecond) }

// timed returns how long f took.
func timed(f func() error) (time.Duration, error) {
	started := time.Now()
	err := f()
	return time.Since(started), err
}

// quantile returns the value that a part q of x is not above.
func quantile(x []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// round keeps three decimals.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }
