package rotation

import (
	"context"
	"crypto/rand"
	_ "embed" // queue.lua
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// horizon is how far ahead the time of an item may be. Leases and pauses are shorter.
	horizon = 10 * time.Minute
	// mendPause is how long after an item was done with records that could not be read it is given once more.
	mendPause = time.Minute
)

var (
	// errDone means that every item of a queue is done.
	errDone = errors.New("rotation: every item is done")
	// errWait means that every item of a queue is done or being worked on.
	errWait = errors.New("rotation: every item is being worked on")
	// errLost means that the lease of an item has passed to another worker.
	errLost = errors.New("rotation: lease of an item lost")
	// errNone means a queue that is not open: it never was, or was lost.
	errNone = errors.New("rotation: no such queue")
)

//go:embed queue.lua
var queueSource string

var queueScript = redis.NewScript(queueSource)

// queue hands out the items of one phase to the workers of all servers. Everything in it is by Redis's clock. It may be
// lost: its items are then worked on once more, which changes nothing that was done.
type queue struct {
	rdb   redis.UniversalClient
	key   string
	lease time.Duration
	mend  time.Duration // mendPause
}

// queueOf returns the queue of a phase of an epoch.
func (r *Rotator) queueOf(phase Phase, epoch uint32) *queue {
	return &queue{rdb: r.config.Redis, key: queueKey(phase, epoch), lease: r.config.Lease, mend: r.mend}
}

// queueKey returns the name of the hash. That of the leases begins with it.
func queueKey(phase Phase, epoch uint32) string {
	return "kith:{rotation.e" + strconv.FormatUint(uint64(epoch), 10) + "." + string(phase) + "}"
}

func (q *queue) keys() []string { return []string{q.key, q.key + ":leases"} }

// claimed is an item that a worker has the lease of.
type claimed struct {
	number uint64
	size   uint64 // what the queue was opened with
	owner  string // random, so that no two claims are the same
	// again says that every item of the queue is done, and that this one is looked at once more.
	again bool
}

// counts is what came of an item.
type counts struct {
	records    int // that were looked at
	written    int // of these to the other epoch, since it had none, an older or a damaged one
	unreadable int // that can not be read
}

// open makes a queue of so many items, each of which stands for size of something, and all of them for about so many
// records, unless there is one. It returns ErrUnavailable.
func (q *queue) open(ctx context.Context, items, size uint64, records int64) error {
	_, err := q.call(ctx, "open", items, size, records)
	return err
}

// claim takes an item. It returns errDone, errWait, errNone or ErrUnavailable.
func (q *queue) claim(ctx context.Context) (claimed, error) {
	owner := rand.Text()
	reply, err := q.call(ctx, "claim", owner, q.lease.Milliseconds(), horizon.Milliseconds())
	if err != nil {
		return claimed{}, err
	}
	if len(reply) != 3 {
		return claimed{}, ErrUnavailable
	}
	number, ok1 := reply[0].(int64)
	size, ok2 := reply[1].(int64)
	if !ok1 || !ok2 || number < 0 || size < 1 {
		return claimed{}, ErrUnavailable
	}
	return claimed{number: uint64(number), size: uint64(size), owner: owner, again: reply[2] == int64(1)}, nil
}

// renew has the lease last from now on. It returns errLost, errNone or ErrUnavailable.
func (q *queue) renew(ctx context.Context, c claimed) error {
	_, err := q.call(ctx, "renew", c.number, c.owner, q.lease.Milliseconds())
	return err
}

// complete says that an item is done. It returns errLost or errNone, and then the counts are not added; or ErrUnavailable.
func (q *queue) complete(ctx context.Context, c claimed, n counts) error {
	_, err := q.call(ctx, "complete", c.number, c.owner, n.records, n.written, n.unreadable, q.mend.Milliseconds())
	return err
}

// release gives an item back that is not done, to be given again after a time. It returns errLost, errNone or
// ErrUnavailable.
func (q *queue) release(ctx context.Context, c claimed, after time.Duration) error {
	_, err := q.call(ctx, "release", c.number, c.owner, after.Milliseconds())
	return err
}

// remove removes the queue. It returns ErrUnavailable.
func (q *queue) remove(ctx context.Context) error {
	if err := q.rdb.Unlink(ctx, q.keys()...).Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

// call runs queue.lua and returns what follows the status of its reply.
func (q *queue) call(ctx context.Context, args ...any) ([]any, error) {
	reply, err := queueScript.Run(ctx, q.rdb, q.keys(), args...).Slice()
	if err != nil {
		return nil, unavailable(err)
	}
	if len(reply) == 0 {
		return nil, ErrUnavailable
	}
	switch reply[0] {
	case "OK":
		return reply[1:], nil
	case "DONE":
		return nil, errDone
	case "WAIT":
		return nil, errWait
	case "LOST":
		return nil, errLost
	case "NONE":
		return nil, errNone
	default:
		return nil, ErrUnavailable
	}
}

// progress is how far a phase has come.
type progress struct {
	items, done       int64
	expected, records int64 // records in all items, about, and in those that are done
	written           int64
	unreadable        int64
	started           time.Time
	perSecond         float64 // records in the last 10 to 20 s, or since the beginning
}

// complete reports whether every item is done.
func (p progress) complete() bool { return p.items > 0 && p.done >= p.items }

// read returns how far the phase has come. It returns errNone or ErrUnavailable.
func (q *queue) read(ctx context.Context) (progress, error) {
	reply, err := q.call(ctx, "read")
	if err != nil {
		return progress{}, err
	}
	var n [9]int64
	if len(reply) != len(n) {
		return progress{}, ErrUnavailable
	}
	for i, value := range reply {
		n[i], _ = value.(int64) // the script answers with numbers
	}
	p := progress{
		items: n[0], done: n[1], expected: n[2], records: n[3], written: n[4], unreadable: n[5],
		started: time.UnixMilli(n[6]),
	}
	if n[8] > 0 {
		p.perSecond = float64(n[7]) * 1000 / float64(n[8])
	}
	return p, nil
}
