package rotation

import (
	"context"
	"errors"
	"time"
)

// errEnded means that the task which an item belongs to has ended while it was worked on.
var errEnded = errors.New("rotation: task ended")

// hold is a worker's hold of an item: its lease, and its share of the time.
type hold struct {
	queue   *queue
	item    claimed
	renewed time.Time // when the lease was taken or renewed
	pace    *pace
	ended   func() bool // the task is not to be done any more
}

// pause is called after each small piece of work. It pauses as the share demands, and renews the lease when a third of it
// has passed. It returns errLost, errNone, ErrUnavailable or the error of an ended context.
//
// A worker that was stopped for longer than its lease learns of it here, and what it has written in the meantime does no
// harm: see the package comment.
func (h *hold) pause(ctx context.Context) error {
	if err := h.pace.pause(ctx); err != nil {
		return err
	}
	if time.Since(h.renewed) < h.queue.lease/3 {
		return nil
	}
	if err := h.queue.renew(ctx, h.item); err != nil {
		return err
	}
	h.renewed = time.Now()
	return nil
}

// check is called between larger pieces of work. It returns errEnded, and the errors of pause.
func (h *hold) check(ctx context.Context) error {
	if h.ended() {
		return errEnded
	}
	return h.pause(ctx)
}
