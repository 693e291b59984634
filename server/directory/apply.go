package directory

import (
	"context"
	"slices"
	"strconv"

	"github.com/kith-project/kith/crypto"
)

// maxCallWrites bounds the writes of one script call. Redis does nothing else while a script runs: at this size, for
// about 6 ms (INFO commandstats of Redis 7.0.15 under BenchmarkApply, AMD EPYC, two busy cores).
const maxCallWrites = 512

// Apply writes to one epoch as the writer of a keyring generation, up to VersionEnd-1, and returns the outcomes in the
// order of the writes. Writes of one tag are applied in their order.
//
// The writes of a partition are applied together, at most 512 at a time. Partitions are independent: one may refuse while
// others have written. Apply then returns an error and still all outcomes, which say for each write what became of it.
// The error is, or joins, ErrStale and ErrIncomplete for partitions that wrote nothing (or no more, after the first
// 512), ErrUnavailable, and ErrRecord for writes that met a malformed stored value. Writes with versions can all be
// repeated safely whatever the outcomes; of those without, only the ones that are not Applied should be, as
// Write.Version explains.
//
// Without outcomes, and before anything is written, it returns ErrLayout for an invalid layout, and ErrRecord for an
// invalid write or generation.
func (s *Store) Apply(ctx context.Context, layout Layout, generation uint64, writes []Write) ([]Outcome, error) {
	if err := layout.Validate(); err != nil {
		return nil, err
	}
	if generation >= VersionEnd {
		return nil, ErrRecord
	}
	for i := range writes {
		if err := writes[i].validate(); err != nil {
			return nil, err
		}
	}

	outcomes := make([]Outcome, len(writes))
	var errs errorSet
	queues := queue(layout, writes)
	for len(queues) > 0 {
		// One call of each partition a round, so that the calls of a partition stay in order even if some have to be sent
		// again with the script's text.
		calls := make([]*call, len(queues))
		for i, q := range queues {
			calls[i] = s.applyCall(layout, generation, writes, q)
		}
		s.run(ctx, applyScript, calls)
		for i, q := range queues {
			errs.add(s.settle(q, calls[i], outcomes))
		}
		queues = slices.DeleteFunc(queues, func(q *partitionQueue) bool { return len(q.writes) == 0 })
	}
	return outcomes, errs.join()
}

// partitionQueue holds the writes of one partition that are still to be sent.
type partitionQueue struct {
	partition uint32
	writes    []int // indexes of writes, in order
}

// next returns the writes of the queue's next call.
func (q *partitionQueue) next() []int {
	return q.writes[:min(len(q.writes), maxCallWrites)]
}

// queue sorts the writes by partition, in the order in which the partitions are first met.
func queue(layout Layout, writes []Write) []*partitionQueue {
	var queues []*partitionQueue
	byPartition := make(map[uint32]*partitionQueue)
	for i := range writes {
		partition := layout.Partition(writes[i].Tag)
		q := byPartition[partition]
		if q == nil {
			q = &partitionQueue{partition: partition}
			byPartition[partition] = q
			queues = append(queues, q)
		}
		q.writes = append(q.writes, i)
	}
	return queues
}

// applyCall builds the call of apply.lua for the next writes of the queue.
func (s *Store) applyCall(layout Layout, generation uint64, writes []Write, q *partitionQueue) *call {
	batch := q.next()
	c := &call{
		keys: []string{layout.metaKey(q.partition), layout.changesKey(q.partition)},
		args: make([]any, 0, 4+7*len(batch)),
	}
	c.args = append(c.args, decimal(generation), strconv.Itoa(s.config.ChangesLength), strconv.Itoa(int(layout.Parity)),
		strconv.Itoa(layout.skip()))
	keyIndex := make(map[uint32]string) // of each bucket in KEYS, from 1 as Lua counts
	for _, i := range batch {
		w := &writes[i]
		bucket := layout.Bucket(w.Tag)
		index, ok := keyIndex[bucket]
		if !ok {
			c.keys = append(c.keys, layout.bucketKey(bucket))
			index = strconv.Itoa(len(c.keys))
			keyIndex[bucket] = index
		}
		c.args = append(c.args, index, w.Tag[:], decimal(uint64(w.Format)), decimal(w.Version),
			w.body(), decimal(w.Since), w.expect())
	}
	return c
}

// settle records the outcomes of the call that was made for the queue's next writes, takes them off the queue, and
// returns the error of the call, if any. After one, nothing more of the partition is sent.
func (s *Store) settle(q *partitionQueue, c *call, outcomes []Outcome) error {
	batch := q.next()
	results := make([]Outcome, len(batch))
	err := c.err
	if err == nil {
		err = decodeOutcomes(c.reply, results)
	}
	if err != nil {
		for _, i := range q.writes {
			outcomes[i] = refusal(err)
		}
		q.writes = nil
		return err
	}

	malformed := 0
	for n, i := range batch {
		outcomes[i] = results[n]
		if results[n].Result == Corrupt {
			malformed++
		}
	}
	q.writes = q.writes[len(batch):]
	s.corrupt(malformed)
	if malformed > 0 {
		return ErrRecord
	}
	return nil
}

// body returns what is stored of the write between its version and its time.
func (w *Write) body() []byte {
	if w.Format != Visible {
		return w.Wrapped[:]
	}
	label, _ := w.Label.Compact() // as validate has seen
	b := make([]byte, 0, crypto.WrappedSize+crypto.CompactLabelSize)
	return append(append(b, w.Wrapped[:]...), label[:]...)
}

// expect returns the argument of apply.lua for what the write was decided on.
func (w *Write) expect() []byte {
	if w.ExpectNone {
		return expectNone
	}
	return w.Expect
}

func decimal(n uint64) string {
	return strconv.FormatUint(n, 10)
}
