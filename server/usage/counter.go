package usage

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisKey is the hash of all totals. It is one key since a deployment has a few epochs.
const redisKey = "kith:usage"

const (
	// DefaultInterval is how often counts are added to the store where nothing else is configured.
	DefaultInterval = time.Second
	// flushTimeout bounds one addition.
	flushTimeout = 2 * time.Second
)

// ErrUnavailable means that the store did not answer.
var ErrUnavailable = errors.New("usage: store unavailable")

// Config is what a Counter is made of. Redis is required.
type Config struct {
	Redis    redis.UniversalClient
	Interval time.Duration // between two additions to the store; 0 for DefaultInterval
	// OnTotals is told the totals after each addition, by epoch. It must not change the map.
	OnTotals func(totals map[uint32]int64)
	// OnCorrupt is told how many fields of the store are passed over, since they are no totals, each time they are met.
	OnCorrupt func(fields int)
	// OnError is told why an addition did not succeed: ErrUnavailable. What was to be added is added later.
	OnError func(error)
}

// Counter counts the evaluations of one server, and knows the totals of all.
type Counter struct {
	config Config

	flushing sync.Mutex // held while counts are added, so that none is added twice

	mu      sync.Mutex       // guards what follows
	pending map[uint32]int64 // counted here and not in the store yet
	totals  map[uint32]int64 // of all servers, as the store last had them
}

// New returns a counter. It adds nothing to the store until Run or Flush does.
func New(config Config) *Counter {
	if config.Interval == 0 {
		config.Interval = DefaultInterval
	}
	if config.OnTotals == nil {
		config.OnTotals = func(map[uint32]int64) {}
	}
	if config.OnCorrupt == nil {
		config.OnCorrupt = func(int) {}
	}
	if config.OnError == nil {
		config.OnError = func(error) {}
	}
	return &Counter{config: config, pending: make(map[uint32]int64), totals: make(map[uint32]int64)}
}

// Add counts elements that were evaluated under the key of an epoch. It does not wait for the store.
func (c *Counter) Add(epoch uint32, elements int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[epoch] += int64(elements)
}

// Total returns how many elements were evaluated under the key of an epoch: by all servers as of their last additions,
// and by this one up to now.
func (c *Counter) Total(epoch uint32) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.totals[epoch] + c.pending[epoch]
}

// Run adds to the store at every interval until ctx ends, and once more then.
func (c *Counter) Run(ctx context.Context) {
	ticker := time.NewTicker(c.config.Interval)
	defer ticker.Stop()
	for {
		if err := c.Flush(ctx); err != nil && ctx.Err() == nil {
			c.config.OnError(err)
		}
		select {
		case <-ctx.Done():
			if err := c.Flush(context.WithoutCancel(ctx)); err != nil {
				c.config.OnError(err)
			}
			return
		case <-ticker.C:
		}
	}
}

// Flush adds what was counted since the last time to the store, and reads the totals. It returns ErrUnavailable if any
// of that failed; what was not added stays counted.
func (c *Counter) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	c.flushing.Lock()
	defer c.flushing.Unlock()
	c.mu.Lock()
	adding := maps.Clone(c.pending)
	c.mu.Unlock()

	pipe := c.config.Redis.Pipeline()
	added := make(map[uint32]*redis.IntCmd, len(adding))
	for epoch, n := range adding {
		added[epoch] = pipe.HIncrBy(ctx, redisKey, epochField(epoch), n)
	}
	all := pipe.HGetAll(ctx, redisKey)
	_, failed := pipe.Exec(ctx)

	totals := parseTotals(all.Val())
	if passed := len(all.Val()) - len(totals); passed > 0 {
		c.config.OnCorrupt(passed)
	}
	for epoch := range adding {
		if added[epoch].Err() != nil {
			delete(adding, epoch)
		}
	}
	read := failed == nil || all.Err() == nil && len(totals) > 0 // a total that can not be added to does not hide the others
	c.settle(adding, totals, read)
	if read {
		c.config.OnTotals(totals)
	}
	if failed != nil {
		return ErrUnavailable
	}
	return nil
}

// settle takes what has been added from what is pending, and takes over the totals if they were read.
func (c *Counter) settle(added, totals map[uint32]int64, read bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for epoch, n := range added {
		if c.pending[epoch] -= n; c.pending[epoch] == 0 {
			delete(c.pending, epoch)
		}
	}
	if read {
		c.totals = totals
	}
}

// parseTotals reads the hash. Fields that are no epoch's and values that are no counts are passed over: a count that was
// altered is no reason to stop evaluating.
func parseTotals(fields map[string]string) map[uint32]int64 {
	totals := make(map[uint32]int64, len(fields))
	for field, value := range fields {
		number, _ := strings.CutPrefix(field, fieldPrefix)
		epoch, err := strconv.ParseUint(number, 10, 32)
		total, bad := strconv.ParseInt(value, 10, 64)
		if err == nil && bad == nil && total >= 0 && field == epochField(uint32(epoch)) {
			totals[uint32(epoch)] = total
		}
	}
	return totals
}

const fieldPrefix = "e"

func epochField(epoch uint32) string { return fieldPrefix + strconv.FormatUint(uint64(epoch), 10) }
