// Package dudect tells by statistics whether the time that a function takes depends on which of two classes its input is of, as
// dudect does (Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?", 2017): inputs of both classes are
// measured in random order, and Welch's t-test says whether the means differ by more than chance.
//
// It is for tests, and part of no binary. That a difference was not found is no proof that there is none: so a test has a
// control besides, a function with a known leak, of which the difference must be found.
package dudect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

// Bound is above what |t| is by chance: with equal means, about one of 150,000 is larger.
const Bound = 4.5

// crops are the parts of all samples, the shortest ones, that are compared: interrupts make some much longer, and they would hide
// a difference of the others. The difference may as well be in the long ones.
var crops = []float64{0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1}

// Result is what Compare has found.
type Result struct {
	// T is Welch's statistic, the largest by its absolute value of those of all crops.
	T float64
	// Crop is the part of the samples that it is of.
	Crop float64
	// Samples is how many there were, of both classes together.
	Samples int
	// Medians are those of both classes, in ns.
	Medians [2]float64
}

// Leaks reports whether |t| is above the bound.
func (r Result) Leaks() bool { return math.Abs(r.T) > Bound }

// String returns all of it.
func (r Result) String() string {
	return fmt.Sprintf("t = %.2f at %g %% of %d samples, medians %.0f and %.0f ns", r.T, 100*r.Crop, r.Samples, r.Medians[0], r.Medians[1])
}

// Compare measures f so many times, each on an input of a class drawn at random, which prepare puts in place: in the same memory
// for both, and with the same work.
func Compare(samples int, prepare func(class int), f func()) Result {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const warmUp = 100
	times, classes := make([]float64, samples), make([]int, samples)
	for i := range classes {
		classes[i] = rand.IntN(2)
	}
	for i := -warmUp; i < samples; i++ {
		prepare(classes[max(i, 0)])
		settle()
		started := time.Now()
		f()
		if took := time.Since(started); i >= 0 {
			times[i] = float64(took)
		}
	}
	return compare(times, classes)
}

// Confirm repeats a comparison that leaks, and returns the last: one that does not leak, or the third in a row with the same sign.
// A real difference comes back; one that chance has made, or where something lay in memory, does not.
func Confirm(compare func() Result) Result {
	r := compare()
	for same := 1; r.Leaks() && same < 3; {
		again := compare()
		if same++; again.T*r.T < 0 {
			same = 1
		}
		r = again
	}
	return r
}

// settled keeps the compiler from leaving settle out.
var settled uint64

// settle lets the processor finish what prepare has begun, such as writes to memory, by steps of which each has to wait for the one
// before.
func settle() {
	x := settled | 1
	for range 1000 {
		x *= 0x9e3779b97f4a7c15
	}
	settled = x
}

// compare compares the times of both classes.
func compare(times []float64, classes []int) Result {
	r := Result{Samples: len(times)}
	sorted := slices.Sorted(slices.Values(times))
	for _, crop := range crops {
		most := sorted[int(crop*float64(len(sorted)-1))]
		var of [2][]float64
		for i, t := range times {
			if t <= most {
				of[classes[i]] = append(of[classes[i]], t)
			}
		}
		if t := Welch(of[0], of[1]); r.Crop == 0 || math.Abs(t) > math.Abs(r.T) {
			r.T, r.Crop = t, crop
		}
		r.Medians = [2]float64{Median(of[0]), Median(of[1])} // at last those of all
	}
	return r
}

// Welch returns Welch's t statistic of two samples. It is zero if neither varies and they have the same mean, or if one has fewer
// than two values.
func Welch(a, b []float64) float64 {
	if len(a) < 2 || len(b) < 2 {
		return 0
	}
	meanA, varA := moments(a)
	meanB, varB := moments(b)
	if meanA == meanB {
		return 0
	}
	return (meanA - meanB) / math.Sqrt(varA/float64(len(a))+varB/float64(len(b)))
}

// moments returns the mean, and the variance by n-1.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x)-1)
}

// Median returns the middle value of x, the larger one of two, or 0 if there are none.
func Median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(x))[len(x)/2]
}
