package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/admission"
	"github.com/kith-project/kith/server/evaluator"
	"github.com/kith-project/kith/server/quota"
)

// limitsFlags are the flags of kith serve about how much is evaluated. All servers of a store have to be given the same.
type limitsFlags struct {
	Burst        int           `default:"10000" placeholder:"N" help:"How many numbers an account can have evaluated at once, and the largest address book that syncs without waiting (default ${default})."`
	RefillPerDay int           `default:"1000" placeholder:"N" help:"How many flow back a day (default ${default}). kith attack-cost says what the two make an enumeration cost."`
	YoungAge     time.Duration `default:"168h" placeholder:"TIME" help:"For how long after its first evaluation an account is young (default ${default})."`
	YoungPerDay  int           `default:"0" placeholder:"N" help:"How many numbers all young accounts together can have evaluated a day, since accounts can be bought (default 0: no such limit)."`

	MaxWait       time.Duration `default:"1s" placeholder:"TIME" help:"How long an evaluation may have to wait for others before it is refused as overload (default ${default})."`
	QueueElements int           `default:"65536" placeholder:"N" help:"How many elements may wait at most (default ${default}), which bounds memory."`
}

// defaultLimits are the flags as they are when none is given.
var defaultLimits = limitsFlags{
	Burst: quota.DefaultBurst, RefillPerDay: quota.DefaultRefillPerDay, YoungAge: quota.DefaultYoungAge,
	MaxWait: admission.DefaultMaxWait, QueueElements: admission.DefaultQueueElements,
}

const (
	// maxMaxWait is the longest --max-wait. A request that waits is refused after twice as long, and one is answered within
	// ten seconds in any case.
	maxMaxWait = 4 * time.Second
	// maxYoungAge and maxFillDays are bounds of package quota: an account is forgotten after 400 days without a charge, and
	// must not gain by it.
	maxYoungAge = 365 * 24 * time.Hour
	maxFillDays = 365
)

// check refuses limits that can not be.
func (f *limitsFlags) check() error {
	switch {
	case f.Burst < 1 || f.Burst > quota.MaxBurst:
		return fmt.Errorf("--burst: from 1 to %d", quota.MaxBurst)
	case f.RefillPerDay < 1 || f.RefillPerDay > quota.MaxBurst:
		return fmt.Errorf("--refill-per-day: from 1 to %d", quota.MaxBurst)
	case f.Burst > maxFillDays*f.RefillPerDay:
		return withHint(fmt.Errorf("--refill-per-day: would take more than %d days to fill --burst", maxFillDays),
			"at least --refill-per-day %d", (f.Burst+maxFillDays-1)/maxFillDays)
	case f.YoungAge < time.Minute || f.YoungAge > maxYoungAge:
		return fmt.Errorf("--young-age: from 1m to %dh", int(maxYoungAge.Hours()))
	case f.YoungPerDay < 0 || f.YoungPerDay > quota.MaxYoungPerDay:
		return fmt.Errorf("--young-per-day: from 0 to %d", quota.MaxYoungPerDay)
	case f.MaxWait < 10*time.Millisecond || f.MaxWait > maxMaxWait:
		return fmt.Errorf("--max-wait: from 10ms to %v", maxMaxWait)
	case f.QueueElements < 1:
		return fmt.Errorf("--queue-elements: at least 1")
	default:
		return nil
	}
}

// limits returns the limits of accounts.
func (f *limitsFlags) limits() quota.Limits {
	return quota.Limits{Burst: f.Burst, RefillPerDay: f.RefillPerDay, YoungAge: f.YoungAge, YoungPerDay: f.YoungPerDay}
}

// batch returns the limits of one request. Devices send no larger batches than the directory says, and a batch that no
// account could ever pay for is not to be among them.
func (f *limitsFlags) batch() server.Limits {
	most := min(server.DefaultLimits.MaxElements, f.Burst)
	if f.YoungPerDay > 0 {
		most = min(most, f.YoungPerDay)
	}
	return server.Limits{MaxElements: most}
}

// workersPerCore is how many evaluations of full size are under way for each core: one that computes, and one that waits for the
// store.
const workersPerCore = 2

// queue returns what admits evaluations.
func (f *limitsFlags) queue(metrics *server.Metrics) (*admission.Queue, error) {
	rate, err := evaluator.MeasureRate()
	if err != nil {
		return nil, err
	}
	cores := runtime.GOMAXPROCS(0)
	q, err := admission.New(admission.Config{
		Workers: workersPerCore * cores, Whole: evaluator.Small, QueueElements: f.QueueElements, MaxWait: f.MaxWait,
		Rate: rate * float64(cores), Waited: metrics.Waited, Refused: metrics.Overloaded,
	})
	if err != nil {
		return nil, err
	}
	metrics.WatchQueue(q.Stats)
	return q, nil
}
