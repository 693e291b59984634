package bucket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kith-project/kith/server/directory"
)

// maxPollPause bounds the pause between polls while Redis is away. Longer, and memory would lag for as long behind Redis
// after it is back.
const maxPollPause = time.Second

// Run reads all partitions and then follows their changes until ctx ends. Errors do not end it: it goes on with what can
// be read, tries the rest again at growing intervals, and memory is behind meanwhile. It is called once.
func (v *View) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { v.keepRead(ctx) })
	v.follow(ctx)
	wg.Wait()
}

// follow polls until ctx ends.
func (v *View) follow(ctx context.Context) {
	failures := 0
	for {
		again, err := v.poll(ctx)
		pause := v.config.PollEvery
		switch {
		case err != nil:
			failures++
			pause = backoff(pause, failures, maxPollPause)
			v.report(ctx, err)
		case again:
			failures, pause = 0, 0
		default:
			failures = 0
		}
		v.reportFull()
		if !sleep(ctx, pause) {
			return
		}
	}
}

// poll reads and makes the changes of every partition that has been read. It reports whether there are further ones, and
// returns an error if no partition answered: while some do, they are to be polled at the usual pace.
func (v *View) poll(ctx context.Context) (again bool, err error) {
	var after []directory.Position
	for i := range v.partitions {
		if position, ok := v.partitions[i].position(); ok {
			after = append(after, position)
		}
	}
	// What Redis answers holds for the moment of asking at the earliest.
	asked := v.config.Now()
	results, err := v.store.Changes(ctx, v.layout, after)
	if err != nil {
		return false, err
	}
	answered := false
	for i, result := range results {
		if result.Err == nil || errors.Is(result.Err, directory.ErrIncomplete) {
			answered = true
		} else if err == nil {
			err = result.Err
		}
		again = again || result.More
		v.take(after[i], result, asked)
	}
	if answered {
		err = nil
	}
	return again, err
}

// take makes the changes of one partition. After a gap, or if the partition is missing, the table is dropped: Redis is
// asked, and tells by its own answer, until the partition has been read anew.
func (v *View) take(after directory.Position, result directory.Changes, asked time.Time) {
	p := &v.partitions[after.Partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == nil || p.table.known != after {
		return // another table was put in since
	}
	switch {
	case result.Gap, errors.Is(result.Err, directory.ErrIncomplete):
		p.table = nil
		v.wakeUp()
	case result.Err == nil:
		v.advance(p.table, result)
		if !result.More {
			p.answered(asked)
		}
	}
}

// advance makes changes in a table that the caller has to itself.
func (v *View) advance(t *table, result directory.Changes) {
	for _, change := range result.Entries {
		bucket, key := v.locate(change.Tag)
		t.apply(v.padder, bucket, key, change.Visible)
	}
	t.known = result.Position
}

// position returns up to where the partition is known, and whether it is.
func (p *partition) position() (directory.Position, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.table == nil {
		return directory.Position{}, false
	}
	return p.table.known, true
}

// reportFull calls OnFull if a bucket has more registrations than slots.
func (v *View) reportFull() {
	fullest := 0
	for i := range v.partitions {
		p := &v.partitions[i]
		p.mu.RLock()
		if p.table != nil {
			fullest = max(fullest, p.table.fullest)
		}
		p.mu.RUnlock()
	}
	if fullest > v.Format().Slots && v.config.OnFull != nil {
		v.config.OnFull(fullest)
	}
}

// report tells the hook of an error, unless it is only that Run is ending.
func (v *View) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil && v.config.OnError != nil {
		v.config.OnError(err)
	}
}

// backoff returns the pause after a number of failures in a row, from 1: twice pause, and so on up to most.
func backoff(pause time.Duration, failures int, most time.Duration) time.Duration {
	for range failures {
		if pause *= 2; pause >= most {
			return most
		}
	}
	return pause
}

// sleep waits, and reports whether ctx has not ended meanwhile.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
