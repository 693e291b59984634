package load

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Books are the distributions that address books are drawn from. docs/load.md names the sources of the defaults.
type Books struct {
	// Mean is the mean number of contacts: 308 in M. Fatima, A. Rextin, S. Hayat and M. Nasim, "Exploiting contextual
	// information to improve call prediction", PLoS ONE 14(10), 2019, doi:10.1371/journal.pone.0223780.
	Mean float64 `json:"mean"`
	// Sigma is the standard deviation of the logarithm of the number of contacts, which is normally distributed. That
	// contacts a person are log-normal but for the tail is in M. Seshadri et al., "Mobile call graphs: beyond power-law and lognormal
	// distributions", KDD 2008, doi:10.1145/1401890.1401963, of people called in a month; the value is an assumption.
	Sigma float64 `json:"sigma"`
	// Max is the largest address book.
	Max int `json:"max"`
	// Overlap is the mean share of contacts that are registered: 0.29 of adults in the United States used WhatsApp in
	// Pew Research Center, "Americans' Social Media Use", January 2024.
	Overlap float64 `json:"overlap"`
	// Spread says how much that differs from one person to another: the standard deviation of a beta distribution. An
	// assumption: friends use the same app.
	Spread float64 `json:"spread"`
	// NewADay is the mean number of contacts that are new on a day, Poisson distributed. An assumption.
	NewADay float64 `json:"new_a_day"`
}

// DefaultBooks are the distributions where nothing else is asked for.
var DefaultBooks = Books{Mean: 308, Sigma: 1, Max: 5000, Overlap: 0.29, Spread: 0.15, NewADay: 0.1}

// check returns ErrConfig for distributions that can not be.
func (b Books) check() error {
	switch {
	case !(b.Mean >= 1) || b.Max < 1 || b.Mean > float64(b.Max):
		return fmt.Errorf("%w: the mean number of contacts must be from 1 to the largest", ErrConfig)
	case !(b.Sigma >= 0 && b.Sigma <= 3):
		return fmt.Errorf("%w: sigma must be from 0 to 3", ErrConfig)
	case !(b.Overlap >= 0 && b.Overlap <= 1):
		return fmt.Errorf("%w: the overlap is a share", ErrConfig)
	case !(b.Spread >= 0) || b.Spread > 0 && b.Spread*b.Spread >= b.Overlap*(1-b.Overlap):
		return fmt.Errorf("%w: no share with mean %g can have a standard deviation of %g", ErrConfig, b.Overlap, b.Spread)
	case !(b.NewADay >= 0 && b.NewADay <= 100):
		return fmt.Errorf("%w: new contacts a day must be from 0 to 100", ErrConfig)
	default:
		return nil
	}
}

// size draws the number of contacts of an address book, from 1 to b.Max.
func (b Books) size(dice *rand.Rand) int {
	mu := math.Log(b.Mean) - b.Sigma*b.Sigma/2
	drawn := math.Round(math.Exp(mu + b.Sigma*dice.NormFloat64()))
	return int(min(max(drawn, 1), float64(b.Max)))
}

// overlap draws the share of an address book that is registered.
func (b Books) overlap(dice *rand.Rand) float64 {
	if b.Spread == 0 {
		return b.Overlap
	}
	// The beta distribution of this mean and deviation, as a quotient of gamma distributed numbers.
	n := b.Overlap*(1-b.Overlap)/(b.Spread*b.Spread) - 1
	x, y := gamma(dice, b.Overlap*n), gamma(dice, (1-b.Overlap)*n)
	return x / (x + y)
}

// added draws how many contacts are new on a day, at most b.Max.
func (b Books) added(dice *rand.Rand) int {
	n := 0
	for left := b.NewADay - dice.ExpFloat64(); left > 0 && n < b.Max; left -= dice.ExpFloat64() {
		n++
	}
	return n
}

// gamma draws a gamma distributed number of scale 1 (G. Marsaglia and W. Tsang, "A simple method for generating gamma
// variables", 2000).
func gamma(dice *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(dice, shape+1) * math.Pow(1-dice.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := dice.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-dice.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
