package load

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// TestArrivals draws schedules, whose counts must be what is expected, by tenths of the run, within five standard deviations of a
// Poisson process.
func TestArrivals(t *testing.T) {
	for _, s := range []Shape{
		{Profile: Steady, Rate: 2000, Duration: 10 * time.Second},
		{Profile: Ramp, Rate: 4000, Duration: 10 * time.Second},
		{Profile: Spike, Rate: 1000, Duration: 10 * time.Second, Factor: 4},
	} {
		var tenths [10]int
		total, last := 0, time.Duration(0)
		for at := range s.Arrivals(dice(1)) {
			if at < last || at >= s.Duration {
				t.Fatalf("%s: %v after %v", s.Profile, at, last)
			}
			last = at
			tenths[int(10*at/s.Duration)]++
			total++
		}
		if want := s.Expected(); math.Abs(float64(total)-want) > 5*math.Sqrt(want) {
			t.Errorf("%s: %d arrivals, want about %.0f", s.Profile, total, want)
		}
		for i, n := range tenths {
			want := s.RateAt(s.Duration*time.Duration(2*i+1)/20) * s.Duration.Seconds() / 10
			if math.Abs(float64(n)-want) > 5*math.Sqrt(want) {
				t.Errorf("%s: %d arrivals in tenth %d, want about %.0f", s.Profile, n, i, want)
			}
		}
	}
}

// TestArrivalsAreAPoissonProcess compares the gaps between arrivals with an exponential distribution: its mean and deviation are
// the same.
func TestArrivalsAreAPoissonProcess(t *testing.T) {
	s := Shape{Profile: Steady, Rate: 1000, Duration: 20 * time.Second}
	var gaps []float64
	last := time.Duration(0)
	for at := range s.Arrivals(dice(2)) {
		gaps = append(gaps, (at - last).Seconds())
		last = at
	}
	mean, deviation := moments(gaps)
	if math.Abs(mean-0.001) > 0.00005 || math.Abs(deviation-0.001) > 0.00005 {
		t.Errorf("gaps of %.6f s, deviation %.6f, want 0.001 both", mean, deviation)
	}
}

func moments(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}

func TestShapesRefused(t *testing.T) {
	for name, s := range map[string]Shape{
		"no profile":   {Rate: 1, Duration: time.Second},
		"no rate":      {Profile: Steady, Duration: time.Second},
		"no duration":  {Profile: Steady, Rate: 1},
		"not a number": {Profile: Steady, Rate: math.NaN(), Duration: time.Second},
		"small spike":  {Profile: Spike, Rate: 1, Duration: time.Second, Factor: 0.5},
		"too many":     {Profile: Steady, Rate: 1e9, Duration: time.Minute},
	} {
		if err := s.check(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
}

// TestBooks draws from the default distributions, whose means must be what they are said to be.
func TestBooks(t *testing.T) {
	const n = 200_000
	d, b := dice(3), DefaultBooks
	b.Max = 1 << 20 // so that the mean is that of the distribution
	sizes, logs, overlaps, added := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		sizes[i], overlaps[i], added[i] = float64(b.size(d)), b.overlap(d), float64(b.added(d))
		logs[i] = math.Log(sizes[i])
	}
	for _, c := range []struct {
		what            string
		values          []float64
		mean, deviation float64
	}{
		{"size", sizes, b.Mean, 0},
		{"logarithm of the size", logs, 0, b.Sigma},
		{"overlap", overlaps, b.Overlap, b.Spread},
		{"new on a day", added, b.NewADay, math.Sqrt(b.NewADay)},
	} {
		mean, deviation := moments(c.values)
		if c.mean > 0 && math.Abs(mean/c.mean-1) > 0.02 || c.deviation > 0 && math.Abs(deviation/c.deviation-1) > 0.02 {
			t.Errorf("%s: mean %.4f, deviation %.4f, want %.4f and %.4f", c.what, mean, deviation, c.mean, c.deviation)
		}
	}
	for range 1000 {
		if size := DefaultBooks.size(d); size < 1 || size > DefaultBooks.Max {
			t.Errorf("%d contacts", size)
		}
	}
}

// TestBookOfThePool draws books: all contacts are different, and as many of them are users as the overlap says.
func TestBookOfThePool(t *testing.T) {
	g := &generator{Config: Config{Users: 1000, Pool: 2000, Shape: Shape{Profile: Steady, Rate: 1, Duration: time.Second}}}
	g.makeRegistrations()
	g.newPool()
	d, known, total := dice(4), 0, 0
	for range 200 {
		book := g.pool.book(d, 100, 0.3)
		seen := make(map[*contact]bool)
		for _, c := range book {
			if seen[c] {
				t.Fatal("a contact twice")
			}
			seen[c] = true
			if c.registration.label != "" {
				known++
			}
		}
		total += len(book)
	}
	if total != 200*100 || math.Abs(float64(known)-0.3*float64(total)) > 5*math.Sqrt(0.21*float64(total)) {
		t.Errorf("%d of %d are or will be users, want 30 %%", known, total)
	}
	if book := g.pool.book(d, 100_000, 1); len(book) > 2000 || len(book) < 1000 {
		t.Errorf("a book larger than the pool has %d contacts", len(book))
	}
}
