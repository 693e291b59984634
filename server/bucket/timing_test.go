//go:build timing

package bucket

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/dudect"
)

// TestTimeDoesNotDependOnRegistration compares how long answers from memory take for a bucket in which a tag is registered
// and for the same bucket without it, by Welch's t-test (package dudect). Where an answer happens to lie in memory changes its
// time by a nanosecond, so the samples are of views: the medians of many that differ in the tag alone, measured in random order.
// It wants a quiet machine: make timing.
func TestTimeDoesNotDependOnRegistration(t *testing.T) {
	const pairs, rounds, batch = 200, 400, 16
	type sample struct {
		view   *View
		class  int
		bucket uint32
		times  []float64
	}
	var samples []*sample
	for range pairs {
		with, without, bucket := twoViews(t)
		samples = append(samples, &sample{view: with, class: 1, bucket: bucket}, &sample{view: without, bucket: bucket})
	}
	buffer := make([]byte, 0, samples[0].view.Format().Size())
	random := rand.New(rand.NewPCG(1, 1))
	for range rounds {
		random.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		for _, s := range samples {
			_, _ = s.view.Append(buffer, s.bucket) // into the caches
			started := time.Now()
			for range batch {
				if _, err := s.view.Append(buffer, s.bucket); err != nil {
					t.Fatal(err)
				}
			}
			s.times = append(s.times, float64(time.Since(started))/batch)
		}
	}
	var medians [2][]float64
	for _, s := range samples {
		medians[s.class] = append(medians[s.class], dudect.Median(s.times))
	}
	statistic := dudect.Welch(medians[0], medians[1])
	t.Logf("t = %.2f over %d views, medians %.1f and %.1f ns an answer", statistic, 2*pairs, dudect.Median(medians[0]), dudect.Median(medians[1]))
	if math.Abs(statistic) > dudect.Bound {
		t.Errorf("|t| = %.2f, want at most %.1f", math.Abs(statistic), dudect.Bound)
	}
}
