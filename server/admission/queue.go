package admission

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Defaults of Config.
const (
	DefaultQueueElements = 1 << 16
	DefaultMaxWait       = time.Second
	// DefaultRate is what one worker evaluates in a second at least, on any processor.
	DefaultRate = 5000
)

// leastShare is how many requests share a worker at most.
const leastShare = 16

// longestTurn is how long a request is told to wait for others that were refused, at most: some may not come again.
const longestTurn = 30 * time.Second

// patience is after how many times MaxWait a request that waits is refused after all: the rate was less than had been
// measured.
const patience = 2

var (
	// ErrConfig means a Config with a negative value or without workers.
	ErrConfig = errors.New("admission: workers, elements, wait and rate must be positive")
	// ErrClosed means that the queue has been closed.
	ErrClosed = errors.New("admission: closed")
)

// OverloadedError means that a request was refused, and nothing was done, because too much is waiting already.
type OverloadedError struct {
	// RetryAfter is when there is likely to be room for it, for instance 120 ms: when what waits has been done, and what was
	// refused before, up to 30 s of that. It is above zero.
	RetryAfter time.Duration
}

func (e *OverloadedError) Error() string { return "admission: overloaded" }

// Config says how much a Queue lets in.
type Config struct {
	// Workers is how many requests are under way at once. Each keeps a core busy but for its call to the store, so that some
	// more than there are cores keep all of them busy.
	Workers int
	// Whole is from how many elements on a request takes a worker for itself. Smaller ones share it, so that so many of them are
	// under way as can be computed together; one of few elements counts as Whole/leastShare of them. 0 means that every
	// request takes a worker.
	Whole int
	// QueueElements bounds the elements that wait, and with that the memory; DefaultQueueElements if zero. A request of more
	// is admitted only while none waits.
	QueueElements int
	// MaxWait bounds the time that a request waits, as far as that is known when it comes; DefaultMaxWait if zero. One that
	// has waited twice as long is refused.
	MaxWait time.Duration
	// Rate is how many elements a second all workers do together, until it has been measured; DefaultRate for each
	// worker if zero.
	Rate float64
	// Waited is called for each request that is admitted, with how long it waited. It may be nil, and must not block.
	Waited func(time.Duration)
	// Refused is called for each that is refused for overload. It may be nil, and must not block.
	Refused func()
}

// Queue admits requests. Its methods may be called concurrently.
type Queue struct {
	whole    int
	capacity int // of all workers, Whole for each
	elements int
	maxWait  time.Duration
	waited   func(time.Duration)
	refused  func()

	mu       sync.Mutex // guards what follows
	underWay int        // requests
	busy     int        // what they take of the capacity
	waiting  fairQueue
	rate     meter
	turn     time.Time // when those who were refused would have had their turn
	closed   bool
}

// New returns a queue in which nothing waits. It returns ErrConfig.
func New(c Config) (*Queue, error) {
	if c.Workers <= 0 || c.Whole < 0 || c.QueueElements < 0 || c.MaxWait < 0 || c.Rate < 0 {
		return nil, ErrConfig
	}
	if c.QueueElements == 0 {
		c.QueueElements = DefaultQueueElements
	}
	if c.MaxWait == 0 {
		c.MaxWait = DefaultMaxWait
	}
	if c.Rate == 0 {
		c.Rate = float64(DefaultRate * c.Workers)
	}
	if c.Waited == nil {
		c.Waited = func(time.Duration) {}
	}
	if c.Refused == nil {
		c.Refused = func() {}
	}
	c.Whole = max(c.Whole, 1)
	return &Queue{
		whole: c.Whole, capacity: c.Workers * c.Whole, elements: c.QueueElements, maxWait: c.MaxWait, waited: c.Waited, refused: c.Refused,
		waiting: newFairQueue(), rate: meter{rate: c.Rate},
	}, nil
}

// Admit returns when a request of an account for so many elements, at least one, may begin. The caller calls release when it has
// ended, in whatever way; calls after the first do nothing. Admit returns an *OverloadedError at once if the request would have to
// wait too long, or later if it did after all; ErrClosed; and the error of ctx when that ends before the request has begun.
func (q *Queue) Admit(ctx context.Context, account string, elements int) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	elements = max(elements, 1)
	w, err := q.enter(account, elements)
	if err == nil && w != nil {
		err = q.wait(ctx, w)
	}
	if err != nil {
		if _, overloaded := err.(*OverloadedError); overloaded {
			q.refused()
		}
		return nil, err
	}
	if w == nil {
		q.waited(0)
	} else {
		q.waited(time.Since(w.since))
	}
	return q.releaser(elements), nil
}

// share returns what a request of so many elements takes of the capacity.
func (q *Queue) share(elements int) int {
	return min(max(elements, q.whole/leastShare, 1), q.whole)
}

// begins takes the share of a request if there is enough left, and tells whether there was.
func (q *Queue) begins(elements int) bool {
	share := q.share(elements)
	if q.busy+share > q.capacity {
		return false
	}
	q.busy += share
	q.underWay++
	return true
}

// enter takes a free worker, or a share of one, and returns nil, or the request as one that waits. Its errors are those of Admit.
func (q *Queue) enter(account string, elements int) (*waiter, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	// Nobody passes those that wait, though there may be a share for a small one.
	if q.waiting.requests == 0 && q.begins(elements) {
		return nil, nil
	}
	if short := q.lacking(q.waiting.of(account), elements); short > 0 {
		return nil, q.refuse(short, elements)
	}
	w := &waiter{elements: elements, since: time.Now(), begin: make(chan error, 1)}
	q.waiting.push(account, w)
	return w, nil
}

// Check returns what Admit would return at once for so many elements of an account of which none wait: an *OverloadedError, or
// nil. What it refuses would be refused whoever's it is, so that under overload nobody has to find out whose. It takes no place, and
// what it lets through may be refused by Admit.
func (q *Queue) Check(elements int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	elements = max(elements, 1)
	short := q.lacking(0, elements)
	if short == 0 {
		return nil
	}
	q.refused()
	return q.refuse(short, elements)
}

// refuse returns the refusal of a request for which so many elements less would have to wait. It is told to come again when there is
// room and those who were refused before have had their turn, as if they all came back in order: told nothing but when there is
// room, all come back at the same moment, and are refused once more.
func (q *Queue) refuse(short, elements int) *OverloadedError {
	now, room := time.Now(), q.rate.timeFor(short)
	wait := max(room, min(q.turn.Sub(now), longestTurn))
	q.turn = now.Add(min(wait+q.rate.exactly(elements), longestTurn))
	return &OverloadedError{RetryAfter: wait}
}

// lacking returns how many elements less would have to wait for a request to be let in, of an account of which some wait already,
// or 0 if it is.
func (q *Queue) lacking(ofAccount, elements int) int {
	total := q.waiting.elements
	room := min(q.elements, q.rate.in(q.maxWait)) - total
	short := ofAccount + elements - room
	// No more than all that waits can go: where none does, any request is let in.
	return max(min(short, total), 0)
}

// wait returns nil when the request may begin.
func (q *Queue) wait(ctx context.Context, w *waiter) error {
	timer := time.NewTimer(patience * q.maxWait)
	defer timer.Stop()
	var err error
	select {
	case err = <-w.begin:
		if err != nil {
			return err
		}
		err = ctx.Err() // the caller may have gone in this very moment
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = &OverloadedError{}
	}
	if err != nil {
		q.leave(w, err)
	}
	return err
}

// leave takes a request out of the queue that will not begin, or gives its worker to another if it was told to a moment ago. It
// says in an OverloadedError when to come again.
func (q *Queue) leave(w *waiter, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if over, ok := err.(*OverloadedError); ok {
		over.RetryAfter = q.rate.timeFor(max(q.waiting.elements, 1))
	}
	if !q.waiting.remove(w) && w.begun {
		q.end(w.elements)
	}
	q.next() // which may have waited for the one that has left
}

// end gives back the share of a request.
func (q *Queue) end(elements int) {
	q.underWay--
	q.busy -= q.share(elements)
}

// releaser returns the release of a request that begins.
func (q *Queue) releaser(elements int) func() {
	released := false
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if released {
			return
		}
		released = true
		if q.waiting.elements > 0 {
			q.rate.done(elements, time.Now())
		}
		q.end(elements)
		q.next()
	}
}

// next lets those begin whose turn it is, for as many as there is room. A request whose caller has gone gives its share back by
// itself.
func (q *Queue) next() {
	for {
		w := q.waiting.first()
		if w == nil {
			q.rate.pause()
			return
		}
		if !q.begins(w.elements) {
			return
		}
		q.waiting.take(w)
		w.begun = true
		w.begin <- nil
	}
}

// Close refuses all requests that wait, and those that come, with ErrClosed. Those under way go on.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for w := q.waiting.first(); w != nil; w = q.waiting.first() {
		q.waiting.take(w)
		w.begin <- ErrClosed
	}
}

// Stats is what a Queue has at one moment.
type Stats struct {
	UnderWay       int     // requests
	Waiting        int     // requests
	QueuedElements int     // their elements
	Accounts       int     // that they are of
	Rate           float64 // elements a second, as last measured under load
}

// Stats returns what the queue has now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{q.underWay, q.waiting.requests, q.waiting.elements, len(q.waiting.accounts), q.rate.rate}
}
