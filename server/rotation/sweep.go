package rotation

import (
	"context"
	"fmt"

	"github.com/kith-project/kith/server/keyring"
)

// sweepItem removes one partition of an epoch that is over, and its share of what is kept of moves to an aborted one.
func (r *Rotator) sweepItem(ctx context.Context, t task, h *hold) error {
	partition := uint32(h.item.number)
	if err := r.config.Directory.Sweep(ctx, t.epoch.Layout, partition); err != nil {
		return err
	}
	if err := h.check(ctx); err != nil {
		return err
	}
	if t.epoch.State != keyring.StateAborted || t.from == nil || t.from.Over() {
		return nil // what is kept of the moves goes with the partitions that were moved
	}
	first, end := share(h.item.number, t.epoch.Layout.Partitions(), t.from.Layout.Partitions())
	for p := first; p < end; p++ {
		if err := r.config.Directory.DropMoves(ctx, t.from.Layout, uint32(p), t.epoch.ID); err != nil {
			return err
		}
		if err := h.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sweepRest removes what an epoch has besides its partitions: published sets, and the queues of its own rotation.
func (r *Rotator) sweepRest(ctx context.Context, t task) error {
	if err := r.config.SweepSnapshot(ctx, t.epoch.ID); err != nil {
		return fmt.Errorf("rotation: removing the snapshot: %w", err)
	}
	for _, phase := range []Phase{PhaseCopy, PhaseVerify, PhaseSettle} {
		if err := r.queueOf(phase, t.epoch.ID).remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

// share returns which of things, from first to before end, belong to part i of so many parts.
func share(i, parts, things uint64) (first, end uint64) {
	return i * things / parts, (i + 1) * things / parts
}
