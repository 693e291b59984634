package rotation

import (
	"context"
	"time"
)

const (
	// slice is how long a worker works between two pauses.
	slice = time.Millisecond
	// maxPause bounds a pause: a worker that was kept waiting for long has not worked for all of it.
	maxPause = 250 * time.Millisecond
)

// pace keeps a worker to its share of the time. It measures how long work took, not when it was done, so that the clock
// of the machine may be wrong.
type pace struct {
	rest  float64 // of pause for each of work
	since time.Time
}

func newPace(duty float64) *pace { return &pace{rest: 1/duty - 1, since: time.Now()} }

// pause returns at once if a slice of work has not been done since the last pause, and otherwise after the pause that it
// calls for. It returns the error of an ended context.
func (p *pace) pause(ctx context.Context) error {
	worked := time.Since(p.since)
	if worked < slice {
		return ctx.Err()
	}
	err := sleep(ctx, min(time.Duration(float64(worked)*p.rest), maxPause))
	p.since = time.Now()
	return err
}

// sleep returns after d, or when ctx ends, with its error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
