package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// history is what is to be done to a deployment, wholly decided by its seed.
type history struct {
	seed      uint64
	numbers   int           // how many numbers it is about
	versioned bool          // every write has a version
	shared    bool          // clients call about the same numbers at the same time
	users     int           // for how many the first epoch is laid out
	share     float64       // of the cores that rotations may take: with little they last longer
	patience  time.Duration // how long a client waits for an answer

	clients   [][]call // what each client does, one call after another
	operators [][]order
	servers   []fault // what happens to servers, one fault after another
	redis     []fault // what happens to Redis
	ending    ending
}

// ending is how a history is brought to its end once every process runs again.
type ending struct {
	retry bool // writes of which nothing is known are made again
	abort bool // a rotation that is under way is aborted, and otherwise ended
}

// clients is how many clients a history has.
const clients = 3

func newHistory(seed uint64) *history {
	rng := rand.New(rand.NewPCG(seed, 0))
	h := &history{
		seed:      seed,
		numbers:   6 + rng.IntN(5),
		versioned: chance(rng, 0.5),
		shared:    chance(rng, 0.25),
		users:     pick(rng, 50, 200, 1000),
		share:     pick(rng, 0.02, 0.05, 0.5),
		patience:  pick(rng, 400*time.Millisecond, time.Second, 3*time.Second),
		ending:    ending{retry: chance(rng, 0.5), abort: chance(rng, 0.3)},
	}
	h.planCalls(rng)
	h.planOperators(rng)
	h.planFaults(rng)
	return h
}

func (h *history) String() string {
	versions, calls := "without versions", "one call about a number at a time"
	if h.versioned {
		versions = "with versions"
	}
	if h.shared {
		calls = "calls about a number at the same time"
	}
	return fmt.Sprintf("seed %d: %d numbers, %s, %s, laid out for %d users, share %v, clients wait %v",
		h.seed, h.numbers, versions, calls, h.users, h.share, h.patience)
}

// chance returns true with a probability.
func chance(rng *rand.Rand, p float64) bool { return rng.Float64() < p }

// pick returns one of some values.
func pick[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }

// between returns a time from one to before another, in whole milliseconds.
func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return (low + time.Duration(rng.Int64N(int64(high-low)))).Truncate(time.Millisecond)
}
