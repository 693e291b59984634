package quota

import (
	"context"
	"sync"
	"time"
)

const (
	// maxChunk is how many units a server reserves at a time, at most, unless one request needs more: ten large ones.
	maxChunk = 10_000
	// chunks is into how many chunks a day's budget is divided at least, so that what servers hold unused stays small.
	chunks = 100
	// maxPatience is how long a server goes without asking the store again for what it did not have.
	maxPatience = time.Second
)

// youngBudget is what this server has of the budget of young accounts. It reserves chunks, so that the budget's one key is
// not asked for every request. What is reserved and not used when the process ends is lost, and never spent twice.
type youngBudget struct {
	perDay    int
	chunk     int
	reserving chan struct{} // holds a token while nobody reserves

	mu       sync.Mutex // guards what follows
	reserved int        // units to hand out
	// After a refusal: how many units there were not, when there would be, and until when the store is not asked again.
	missing int
	ready   time.Time
	patient time.Time
}

// reserveFunc asks the store for units: as many as wanted or fewer, but none if there are not as many as needed, which
// there are after retry.
type reserveFunc func(ctx context.Context, needed, wanted int) (units int, retry time.Duration, err error)

func newYoungBudget(perDay int) *youngBudget {
	b := &youngBudget{perDay: perDay, chunk: min(maxChunk, max(1, perDay/chunks)), reserving: make(chan struct{}, 1)}
	b.reserving <- struct{}{}
	return b
}

// take takes n units, reserving more if there are too few here. It returns *YoungError, *TooLargeError, ErrUnavailable or
// ErrRecord.
func (b *youngBudget) take(ctx context.Context, reserve reserveFunc, n int) error {
	if n > b.perDay {
		return &TooLargeError{Limit: b.perDay}
	}
	if b.takeReserved(n) {
		return nil
	}
	select {
	case <-b.reserving: // one at a time: others find what this one has reserved
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	defer func() { b.reserving <- struct{}{} }()
	if b.takeReserved(n) {
		return nil
	}
	if err := b.refused(n); err != nil {
		return err
	}
	part := b.takePart(n)
	needed := n - part
	units, retry, err := reserve(ctx, needed, max(needed, b.chunk))
	if err != nil {
		b.giveBack(part)
		return err
	}
	if units < needed {
		b.giveBack(part)
		b.remember(n, retry)
		return &YoungError{RetryAfter: retry}
	}
	b.giveBack(units - needed)
	return nil
}

func (b *youngBudget) takeReserved(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reserved < n {
		return false
	}
	b.reserved -= n
	return true
}

// takePart takes as many units as there are here, up to n.
func (b *youngBudget) takePart(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	part := min(n, b.reserved)
	b.reserved -= part
	return part
}

// giveBack puts units back that were taken and not charged.
func (b *youngBudget) giveBack(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved += n
}

// refused returns a *YoungError if the store has said a moment ago that there are fewer than n units.
func (b *youngBudget) refused(n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.missing == 0 || n < b.missing || !now.Before(b.patient) {
		return nil
	}
	return &YoungError{RetryAfter: max(b.ready.Sub(now), time.Millisecond)}
}

// remember keeps a refusal of the store.
func (b *youngBudget) remember(n int, retry time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.missing, b.ready, b.patient = n, now.Add(retry), now.Add(min(retry, maxPatience))
}

// reserve is the reserveFunc of the store.
func (l *Ledger) reserve(ctx context.Context, needed, wanted int) (units int, retry time.Duration, err error) {
	n, err := l.scripts.reserve.Run(ctx, l.rdb, []string{youngKey}, l.limits.YoungPerDay, needed, wanted).Int64Slice()
	switch {
	case err != nil:
		return 0, 0, unavailable(err)
	case len(n) != 2:
		return 0, 0, ErrUnavailable
	case n[0] < 0:
		return 0, 0, ErrRecord
	default:
		return int(n[0]), time.Duration(n[1]) * time.Second, nil
	}
}

// YoungRemaining returns how many units of the budget of young accounts no server has reserved, for a metric; 0 if there is
// no budget. It returns ErrUnavailable and ErrRecord.
func (l *Ledger) YoungRemaining(ctx context.Context) (int, error) {
	if l.limits.YoungPerDay == 0 {
		return 0, nil
	}
	n, err := l.scripts.reserve.Run(ctx, l.rdb, []string{youngKey}, l.limits.YoungPerDay, 0, 0).Int64Slice()
	switch {
	case err != nil || len(n) != 2:
		return 0, ErrUnavailable
	case n[0] < 0:
		return 0, ErrRecord
	default:
		return int(n[0]), nil
	}
}
