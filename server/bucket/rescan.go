package bucket

import (
	"context"
	"errors"
	"time"

	"github.com/kith-project/kith/server/directory"
)

const (
	// readBuckets is how many buckets are read at a time: at 50 records of 132 bytes each, about 200 KiB.
	readBuckets = 32
	// minReadPause and maxReadPause bound the pause before partitions that could not be read are tried again.
	minReadPause = 50 * time.Millisecond
	maxReadPause = 5 * time.Second
)

// errGap means that the changes since the beginning of a reading were trimmed before it ended.
var errGap = errors.New("bucket: changes were lost while a partition was read")

// keepRead reads the partitions that have no table whenever there are any, and all others in turn, until ctx ends.
func (v *View) keepRead(ctx context.Context) {
	turns := time.NewTicker(max(1, v.config.RescanEvery/time.Duration(len(v.partitions))))
	defer turns.Stop()
	next, failures := 0, 0
	for {
		v.reformat()
		var again <-chan time.Time
		if err := v.readMissing(ctx); err != nil {
			v.report(ctx, err)
			failures++
			again = time.After(backoff(minReadPause, failures, maxReadPause))
		} else {
			failures = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-v.wake:
		case <-again:
		case <-turns.C:
			v.report(ctx, v.rescan(ctx, uint32(next)))
			next = (next + 1) % len(v.partitions)
		}
	}
}

// readMissing reads the partitions that have no table, and returns the first error: one that can not be read does not keep
// the others from it.
func (v *View) readMissing(ctx context.Context) (first error) {
	for i := range v.partitions {
		if _, known := v.partitions[i].position(); known {
			continue
		}
		if err := v.rescan(ctx, uint32(i)); err != nil && first == nil {
			first = err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return first
}

// rescan reads a partition anew beside the table in use, catches up with the changes made meanwhile, and puts it in place
// of the old one.
func (v *View) rescan(ctx context.Context, partition uint32) error {
	position, err := v.store.Position(ctx, v.layout, partition)
	if err != nil {
		return err
	}
	fresh, err := v.read(ctx, position)
	if err != nil {
		return err
	}
	for {
		before, _ := v.partitions[partition].position()
		asked := v.config.Now()
		results, err := v.store.Changes(ctx, v.layout, []directory.Position{fresh.known})
		switch {
		case err != nil:
			return err
		case results[0].Err != nil:
			return results[0].Err
		case results[0].Gap:
			return errGap
		}
		v.advance(fresh, results[0])
		if !results[0].More && v.partitions[partition].install(fresh, before, asked) {
			return nil
		}
	}
}

// install puts a table in place that was all there is when asked, and reports whether it did. It does not if the table in
// use has come further since it stood at before, which is no later than asked: users who were hidden in between would be
// found again. If it has not, but stands further than the fresh one, then the partition was rolled back, and fresh is right.
func (p *partition) install(fresh *table, before directory.Position, asked time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table != nil && p.table.known != before && p.table.known.Change > fresh.known.Change {
		return false
	}
	if p.table == nil {
		p.current = time.Time{}
	}
	p.answered(asked)
	p.table = fresh
	return true
}

// read returns a new table of the registrations of the partition at a position.
func (v *View) read(ctx context.Context, known directory.Position) (*table, error) {
	first, end := v.layout.Buckets(known.Partition)
	t := newTable(v.Format(), known, first, end)
	for ; first < end; first += readBuckets {
		numbers := make([]uint32, 0, readBuckets)
		for bucket := first; bucket < min(first+readBuckets, end); bucket++ {
			numbers = append(numbers, uint32(bucket))
		}
		err := v.readInto(ctx, t, numbers)
		if errors.Is(err, directory.ErrRecord) {
			err = v.readDamaged(ctx, t, numbers)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// readInto reads buckets into a table.
func (v *View) readInto(ctx context.Context, t *table, buckets []uint32) error {
	found, err := v.store.Buckets(ctx, v.layout, buckets)
	if err != nil {
		return err
	}
	for i, bucket := range buckets {
		t.set(v.padder, bucket, t.format.keys(found[i]))
	}
	return nil
}

// readDamaged reads buckets one by one, to find those with malformed records. They are marked, so that they alone are not
// answered from memory; repaired records are found when the partition is next read.
func (v *View) readDamaged(ctx context.Context, t *table, buckets []uint32) error {
	for _, bucket := range buckets {
		err := v.readInto(ctx, t, []uint32{bucket})
		if errors.Is(err, directory.ErrRecord) {
			if t.damaged == nil {
				t.damaged = make(map[uint32]struct{})
			}
			t.damaged[bucket] = struct{}{}
		} else if err != nil {
			return err
		}
	}
	return nil
}

// reformat makes the answers of all partitions anew that are not in the format of now.
func (v *View) reformat() {
	for i := range v.partitions {
		p := &v.partitions[i]
		p.mu.Lock()
		if f := v.Format(); p.table != nil && p.table.format != f {
			p.table.reformat(v.padder, f)
		}
		p.mu.Unlock()
	}
}
