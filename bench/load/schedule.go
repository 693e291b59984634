package load

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// Profile is how the offered rate changes over a run.
type Profile string

const (
	// Steady offers the same rate all the time.
	Steady Profile = "steady"
	// Ramp begins with nothing and reaches the rate at the end, evenly.
	Ramp Profile = "ramp"
	// Spike offers the rate, and in the middle fifth of the run a multiple of it.
	Spike Profile = "spike"
)

// MaxArrivals bounds a run.
const MaxArrivals = 5_000_000

// Shape is the load that is offered.
type Shape struct {
	Profile  Profile       `json:"profile"`
	Rate     float64       `json:"rate"`     // arrivals a second; with Ramp at the end
	Duration time.Duration `json:"duration"` // how long arrivals go on, ns
	Factor   float64       `json:"factor"`   // what Spike multiplies the rate by
}

// check returns ErrConfig for a shape that can not be, or has more than MaxArrivals.
func (s Shape) check() error {
	switch {
	case s.Profile != Steady && s.Profile != Ramp && s.Profile != Spike:
		return fmt.Errorf("%w: profile is none of steady, ramp and spike", ErrConfig)
	case !(s.Rate > 0) || s.Duration <= 0:
		return fmt.Errorf("%w: rate and duration must be above 0", ErrConfig)
	case s.Profile == Spike && !(s.Factor >= 1):
		return fmt.Errorf("%w: the factor of a spike must be at least 1", ErrConfig)
	case s.Expected() > MaxArrivals:
		return fmt.Errorf("%w: more than %d arrivals", ErrConfig, MaxArrivals)
	default:
		return nil
	}
}

// RateAt returns the offered rate at a time from the beginning, in arrivals a second.
func (s Shape) RateAt(at time.Duration) float64 {
	part := at.Seconds() / s.Duration.Seconds()
	switch {
	case part < 0 || part >= 1:
		return 0
	case s.Profile == Ramp:
		return s.Rate * part
	case s.Profile == Spike && part >= 0.4 && part < 0.6:
		return s.Rate * s.Factor
	default:
		return s.Rate
	}
}

// peak is the highest rate.
func (s Shape) peak() float64 {
	if s.Profile == Spike {
		return s.Rate * s.Factor
	}
	return s.Rate
}

// Expected returns how many arrivals there are on average.
func (s Shape) Expected() float64 {
	n := s.Rate * s.Duration.Seconds()
	switch s.Profile {
	case Ramp:
		return n / 2
	case Spike:
		return n * (0.8 + 0.2*s.Factor)
	default:
		return n
	}
}

// Arrivals draws the moments of arrivals from the beginning on, in order: a Poisson process of the rate, by thinning one of
// the highest rate (P. Lewis and G. Shedler, "Simulation of nonhomogeneous Poisson processes by thinning", 1979).
func (s Shape) Arrivals(dice *rand.Rand) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		peak := s.peak()
		for at := 0.0; ; {
			at += dice.ExpFloat64() / peak
			moment := time.Duration(at * float64(time.Second))
			if moment >= s.Duration {
				return
			}
			if dice.Float64()*peak < s.RateAt(moment) && !yield(moment) {
				return
			}
		}
	}
}
