package dudect

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWelch compares with values that were computed by hand.
func TestWelch(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b []float64
		want float64
	}{
		// Means 2 and 5, variances 1 and 4, of three each: -3 / sqrt(1/3 + 4/3).
		{"three and three", []float64{1, 2, 3}, []float64{3, 5, 7}, -3 / math.Sqrt(5./3)},
		// Means 2.5 and 2, variances 5/3 and 0: 0.5 / sqrt(5/12).
		{"four and two", []float64{1, 2, 3, 4}, []float64{2, 2}, 0.5 / math.Sqrt(5./12)},
		{"equal means", []float64{1, 3}, []float64{2, 2}, 0},
		{"constant and equal", []float64{2, 2}, []float64{2, 2}, 0},
		{"constant and different", []float64{3, 3}, []float64{2, 2}, math.Inf(1)},
		{"too few", []float64{1}, []float64{2, 3}, 0},
	} {
		if got := Welch(c.a, c.b); math.Abs(got-c.want) > 1e-12 && got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 3}} {
		if got := Median(c.x); got != c.want {
			t.Errorf("median of %v: got %v, want %v", c.x, got, c.want)
		}
	}
}

// TestCompareTimes draws times of both classes: equal ones pass, and a difference of a hundredth is found, also behind
// interrupts that take a thousand times as long.
func TestCompareTimes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name       string
		difference float64
		interrupts float64 // part of the samples
		leaks      bool
	}{
		{"equal", 0, 0, false},
		{"equal, with interrupts", 0, 0.01, false},
		{"different", 10, 0, true},
		{"different, with interrupts", 10, 0.01, true},
	} {
		times, classes := make([]float64, 20_000), make([]int, 20_000)
		for i := range times {
			classes[i] = random.IntN(2)
			times[i] = 1000 + 100*random.NormFloat64() + c.difference*float64(classes[i])
			if random.Float64() < c.interrupts {
				times[i] += 1e6 * random.Float64()
			}
		}
		if r := compare(times, classes); r.Leaks() != c.leaks || r.Samples != len(times) || math.Abs(r.Medians[0]-1000) > 10 {
			t.Errorf("%s: %v", c.name, r)
		}
	}
}

// TestCompareMeasures counts: both classes have about half, and every measurement is of what was prepared before.
func TestCompareMeasures(t *testing.T) {
	var prepared, count [2]int
	last := -1
	r := Compare(1000, func(class int) { prepared[class]++; last = class }, func() { count[last]++ })
	if r.Samples != 1000 || prepared != count || count[0]+count[1] != 1100 || min(count[0], count[1]) < 400 {
		t.Errorf("%d samples, prepared %v, measured %v", r.Samples, prepared, count)
	}
}

func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		name  string
		t     []float64
		leaks bool
	}{
		{"none", []float64{1}, false},
		{"once", []float64{9, 1}, false},
		{"twice", []float64{9, 9, -1}, false},
		{"three times", []float64{9, 5, 12}, true},
		{"with other signs, and then with the same", []float64{9, -9, 9, -9, -5, -9}, true},
		{"with other signs, and then not", []float64{-9, 9, 9, 4.5}, false},
	} {
		calls := 0
		r := Confirm(func() Result { calls++; return Result{T: c.t[calls-1]} })
		if r.Leaks() != c.leaks || calls != len(c.t) || r.T != c.t[len(c.t)-1] {
			t.Errorf("%s: leaks is %t after %d, want %t after %d", c.name, r.Leaks(), calls, c.leaks, len(c.t))
		}
	}
}
