package client

import "context"

// home returns the epoch that this device works in, if the server still serves it: the one in its state, or else the newest
// in which it has results, as in a state of version 1. Otherwise, and for a device that is new, it is the active epoch. That
// is older than the one in the state where a server has not heard of the latter, which passes.
func (r *run) home() directoryEpoch {
	d := r.directory
	if r.state.home != 0 {
		if e, served := d.draining(r.state.home); served && r.usable(e.id) && e.id < d.active.id {
			return e
		}
		return d.active
	}
	newest := directoryEpoch{}
	for _, e := range d.epochs {
		if e.isServed() && r.usable(e.id) && newest.id <= e.id && e.id <= d.active.id {
			newest = e
		}
	}
	if newest.state == "" {
		return d.active
	}
	return newest
}

// usable reports whether this device has results in an epoch, and was not told in this Sync that it is over.
func (r *run) usable(id uint32) bool {
	e := r.state.epoch(id)
	return e != nil && e.hasResults() && r.over[id] == ""
}

// moveDue reports whether it is time to move to the active epoch: at the moment of the window that was drawn, or at once if
// there is no window or the move has begun. It returns the error of Options.Rand.
func (r *run) moveDue() (bool, error) {
	d := r.directory
	to := r.state.remember(d.active.id, d.active.key)
	if d.migration == nil || d.migration.To != d.active.id || to.hasResults() {
		return true, nil
	}
	if to.lot == 0 {
		var err error
		if to.lot, err = drawLot(r.options.Rand); err != nil {
			return false, err
		}
		r.state.dirty = true
	}
	return !d.time.Before(d.migration.moment(to.lot)), nil
}

// move evaluates the address book in the active epoch and looks it up there, as a first Sync does. While the quota does
// not allow that, it answers from the epoch that the device comes from, as far as numbers are known there; the next Sync
// goes on. No Sync looks up in both.
func (r *run) move(ctx context.Context, from directoryEpoch) (*Result, error) {
	if err := r.completePending(ctx); err != nil && !r.moveWaits(err) {
		return nil, err
	}
	if err := r.enter(r.directory.active); err != nil {
		return nil, err
	}
	if err := r.chooseMode(ctx); err != nil {
		return nil, err
	}
	if err := r.evaluate(ctx); err != nil {
		if !r.moveWaits(err) {
			return nil, err
		}
		return r.waitIn(ctx, from, err)
	}
	r.state.moveTo(r.epoch)
	if err := r.save(ctx); err != nil {
		return nil, err
	}
	return r.answer(ctx)
}

// completePending has the requests of the epoch evaluated that an interrupted Sync left behind: they may be paid for.
func (r *run) completePending(ctx context.Context) error {
	for len(r.epoch.pending) > 0 {
		if err := r.save(ctx); err != nil {
			return err
		}
		if _, err := r.complete(ctx, r.epoch.pending[0]); err != nil {
			return err
		}
	}
	return nil
}

// moveWaits reports whether an error of evaluations means that a move has to wait: they are put off, or the server has not
// heard of the epoch.
func (r *run) moveWaits(err error) bool {
	_, wait := r.putOff(err)
	return wait || isProblem(err, CodeUnknownEpoch)
}

// waitIn answers from the epoch that a move comes from, after it was refused in r.epoch.
func (r *run) waitIn(ctx context.Context, from directoryEpoch, refusal error) (*Result, error) {
	problem, _ := r.putOff(refusal)
	moving := &Moving{From: from.id, To: r.epoch.id, Left: r.leftToEvaluate(), Next: r.next(problem)}
	if err := r.enter(from); err != nil {
		return nil, err
	}
	moving.New = r.book.unknown(r.epoch)
	result, err := r.answerPart(ctx)
	if err != nil {
		return nil, err
	}
	result.Moving = moving
	return result, nil
}
