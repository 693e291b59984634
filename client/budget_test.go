package client

import (
	"testing"
	"time"
)

func TestLedger(t *testing.T) {
	start := time.Date(2026, 8, 1, 12, 30, 0, 0, time.UTC)
	after := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	var l ledger
	l.add(start, 10)
	l.add(start.Add(time.Minute), 5)
	l.add(after(6), 100)
	for _, tt := range []struct {
		hours int
		want  int64
	}{{0, 115}, {6, 115}, {24, 115}, {25, 100}, {30, 100}, {31, 0}, {1000, 0}, {-100, 115}} {
		if got := l.spent(after(tt.hours)); got != tt.want {
			t.Errorf("after %d hours: got %d, want %d", tt.hours, got, tt.want)
		}
	}
	end := func(hours int) time.Time { return after(hours).Truncate(time.Hour) }
	for _, tt := range []struct {
		budget, need int64
		want         time.Time
	}{
		{200, 50, after(7)}, {120, 5, after(7)}, {120, 20, end(25)}, {120, 110, end(31)}, {120, 1000, end(31)},
	} {
		if got := l.next(after(7), tt.budget, tt.need); !got.Equal(tt.want) {
			t.Errorf("%d of %d: got %v, want %v", tt.need, tt.budget, got, tt.want)
		}
	}
	// A clock that was set back neither frees what was spent nor keeps it for ever.
	l.add(after(-1000), 1)
	if got := l.spent(after(-1000)); got != 116 || len(l) != 1 {
		t.Errorf("clock set back: got %d in %v, want 116", got, l)
	}
	if got := l.spent(after(-1000 + 25)); got != 0 {
		t.Errorf("a day after that: got %d, want 0", got)
	}
}
