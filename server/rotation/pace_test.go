package rotation

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

func maxProcs() int { return runtime.GOMAXPROCS(0) }

// TestPaceRestsAsLongAsItsShareDemands compares pauses with the work before them. A busy machine can make pauses longer
// and never shorter.
func TestPaceRestsAsLongAsItsShareDemands(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		duty   float64
		worked time.Duration
		pause  time.Duration // at least
	}{
		{1, 20 * time.Millisecond, 0},
		{0.5, 20 * time.Millisecond, 20 * time.Millisecond},
		{0.25, 4 * time.Millisecond, 12 * time.Millisecond},
		{0.5, slice / 2, 0},
		{0.01, time.Hour, maxPause},
	} {
		p := newPace(c.duty)
		p.since = time.Now().Add(-c.worked)
		begun := time.Now()
		if err := p.pause(ctx); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(begun); got < c.pause {
			t.Errorf("%g of the time after %v: paused for %v, want %v", c.duty, c.worked, got, c.pause)
		}
	}
}

func TestPaceEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := newPace(0.001)
	if err := p.pause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("before a slice is over: got %v", err)
	}
	p.since = time.Now().Add(-time.Hour)
	if err := p.pause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after a slice: got %v", err)
	}
}
