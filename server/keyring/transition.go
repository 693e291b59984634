package keyring

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrState means that the epoch is not in the state from which this step leads.
	ErrState = errors.New("keyring: the epoch is in another state")
	// ErrNotVerified means an epoch that does not have, or is not known to have, all registrations of the active one.
	ErrNotVerified = errors.New("keyring: not all registrations are verified")
	// ErrNotSettled means that the registrations of a draining epoch were not compared with those of the active one since
	// that became active.
	ErrNotSettled = errors.New("keyring: the registrations are not settled")
)

// The methods below are the steps of a rotation. Each is a compare-and-set, does nothing if it was done before, and
// returns ErrUnknownEpoch and the errors of Open beside those it names.

// MarkCopied says that every registration of the active epoch was copied to a staged one. It returns ErrState for an epoch
// that is aborted.
func (k *Keyring) MarkCopied(ctx context.Context, id uint32) error {
	return k.mark(ctx, id, StateStaged, func(e *Epoch) *time.Time { return &e.Copied })
}

// MarkVerified says that every registration of the active epoch was found in a staged one. It returns ErrState as
// MarkCopied does.
func (k *Keyring) MarkVerified(ctx context.Context, id uint32) error {
	return k.mark(ctx, id, StateStaged, func(e *Epoch) *time.Time { return &e.Verified })
}

// MarkSettled says that the registrations of an active epoch and of the one before it were compared since it became
// active. It returns ErrState for an epoch that is not active any more, or not yet.
func (k *Keyring) MarkSettled(ctx context.Context, id uint32) error {
	return k.mark(ctx, id, StateActive, func(e *Epoch) *time.Time { return &e.Settled })
}

// mark sets one of an epoch's times, once.
func (k *Keyring) mark(ctx context.Context, id uint32, state State, field func(*Epoch) *time.Time) error {
	return k.changeEpoch(ctx, id, func(e *Epoch, now time.Time) (bool, error) {
		at := field(e)
		if !at.IsZero() {
			return false, nil
		}
		if e.State != state {
			return false, ErrState
		}
		*at = now
		return true, nil
	})
}

// AcceptLoss says that up to so many records that can not be read may be left behind by an epoch that is staged, or active
// and not settled. It returns ErrState for any other.
func (k *Keyring) AcceptLoss(ctx context.Context, id uint32, records int) error {
	return k.changeEpoch(ctx, id, func(e *Epoch, _ time.Time) (bool, error) {
		if e.State != StateStaged && (e.State != StateActive || e.From == 0 || !e.Settled.IsZero()) {
			return false, ErrState
		}
		changed := e.Accepted != records
		e.Accepted = records
		return changed, nil
	})
}

// Activate makes a verified epoch the one that devices use, and the one before it a draining one, at one moment. It
// returns ErrNotVerified, and ErrState for an epoch that is over.
func (k *Keyring) Activate(ctx context.Context, id uint32) error {
	return k.change(ctx, func(s *Snapshot, e *edit, now time.Time) error {
		staged := s.Epoch(id)
		switch {
		case staged == nil:
			return ErrUnknownEpoch
		case staged.Served():
			return nil
		case staged.State != StateStaged:
			return ErrState
		case staged.Verified.IsZero():
			return ErrNotVerified
		}
		next := *staged
		next.State, next.Activated = StateActive, now
		if active := s.Active(); active != nil {
			last := *active
			last.State, last.RetireAt = StateDraining, now.Add(next.Drain)
			if err := e.put(&last); err != nil {
				return err
			}
		}
		return e.put(&next)
	})
}

// Abort ends a rotation before its epoch was active: registrations go to the old epoch alone, the keys of the new one are
// destroyed, and the log says so. It returns ErrState for an epoch that has been active.
func (k *Keyring) Abort(ctx context.Context, id uint32) error {
	return k.change(ctx, func(s *Snapshot, e *edit, now time.Time) error {
		epoch := s.Epoch(id)
		switch {
		case epoch == nil:
			return ErrUnknownEpoch
		case epoch.State == StateAborted:
			return nil
		case epoch.State != StateStaged || epoch.From == 0: // without the first there would be none
			return ErrState
		}
		if err := e.enterAborted(epoch, now); err != nil {
			return err
		}
		return e.put(epoch.ended(StateAborted, now))
	})
}

// Retire ends a draining epoch: devices are sent on to the active one, registrations do not go to it, and its keys are
// destroyed. It returns ErrNotSettled, and ErrState for an epoch that is not draining.
func (k *Keyring) Retire(ctx context.Context, id uint32) error {
	return k.change(ctx, func(s *Snapshot, e *edit, now time.Time) error {
		epoch := s.Epoch(id)
		switch {
		case epoch == nil:
			return ErrUnknownEpoch
		case epoch.State == StateRetired:
			return nil
		case epoch.State != StateDraining:
			return ErrState
		}
		if next := s.successor(id); next == nil || next.Settled.IsZero() {
			return ErrNotSettled
		}
		return e.put(epoch.ended(StateRetired, now))
	})
}

// successor returns the epoch that the registrations of an epoch were copied to and that became active, or nil.
func (s *Snapshot) successor(id uint32) *Epoch {
	for _, e := range s.Epochs {
		if e.From == id && !e.Activated.IsZero() {
			return e
		}
	}
	return nil
}

// ended returns the epoch without its keys.
func (e *Epoch) ended(state State, now time.Time) *Epoch {
	return &Epoch{
		ID: e.ID, State: state, PublicKey: e.PublicKey, Layout: e.Layout, Slots: e.Slots, Created: e.Created, From: e.From,
		Prepared: e.Prepared, Copied: e.Copied, Verified: e.Verified, Activated: e.Activated, Settled: e.Settled,
		RetireAt: e.RetireAt, Ended: now, Auto: e.Auto, Window: e.Window, Drain: e.Drain, Accepted: e.Accepted,
	}
}

// MarkSwept says that the partitions of an epoch that is over were removed, as they were swept times before. It returns ErrState for one that is not over.
func (k *Keyring) MarkSwept(ctx context.Context, id uint32, swept int) error {
	return k.changeEpoch(ctx, id, func(e *Epoch, now time.Time) (bool, error) {
		if !e.Over() {
			return false, ErrState
		}
		if e.Swept != swept {
			return false, nil
		}
		e.Swept++
		e.LastSwept = now
		return true, nil
	})
}
