package rotation

import (
	"slices"
	"strconv"
	"time"

	"github.com/kith-project/kith/server/keyring"
)

// Phase is what is being done about an epoch.
type Phase string

// The phases of a rotation, in the order it goes through them.
const (
	PhasePrepare Phase = "prepare" // the partitions are being made
	PhaseCopy    Phase = "copy"    // registrations are being copied
	PhaseVerify  Phase = "verify"  // every one is being checked
	PhaseReady   Phase = "ready"   // verified, and not active yet
	PhaseSettle  Phase = "settle"  // active; registrations are being compared once more
	PhaseSettled Phase = "settled" // active, and the epoch before it is not needed any more
	PhaseSweep   Phase = "sweep"   // over, and to be removed, or once more
	PhaseDone    Phase = "done"    // over and removed
)

// sweeps is how often an epoch that is over is removed.
const sweeps = 2

// phaseOf returns the phase of an epoch, "" for a draining one and for the first while it is active.
func phaseOf(e *keyring.Epoch) Phase {
	switch e.State {
	case keyring.StateStaged:
		return stagedPhase(e)
	case keyring.StateActive:
		switch {
		case e.From == 0:
			return ""
		case e.Settled.IsZero():
			return PhaseSettle
		default:
			return PhaseSettled
		}
	case keyring.StateRetired, keyring.StateAborted:
		if e.Swept < sweeps {
			return PhaseSweep
		}
		return PhaseDone
	default:
		return ""
	}
}

func stagedPhase(e *keyring.Epoch) Phase {
	switch {
	case !e.Prepared:
		return PhasePrepare
	case e.Copied.IsZero():
		return PhaseCopy
	case e.Verified.IsZero():
		return PhaseVerify
	default:
		return PhaseReady
	}
}

// sweepPhase names the queue of the first or second removal of an epoch.
func sweepPhase(swept int) Phase { return PhaseSweep + Phase(strconv.Itoa(swept)) }

// what is the kind of a task.
type what string

const (
	doPrepare  what = "prepare"
	doCopy     what = "copy"
	doVerify   what = "verify"
	doActivate what = "activate"
	doSettle   what = "settle"
	doRetire   what = "retire"
	doSweep    what = "sweep"
)

// task is something that is to be done about an epoch, as the keyring stands.
type task struct {
	what     what
	snapshot *keyring.Snapshot
	epoch    *keyring.Epoch
	from     *keyring.Epoch // that epoch is copied from, for doCopy, doVerify and doSettle
}

// timed reports whether what is to be done depends on the time.
func timed(s *keyring.Snapshot) bool {
	return slices.ContainsFunc(s.Epochs, func(e *keyring.Epoch) bool {
		return e.State == keyring.StateDraining || e.Over() && e.Swept < sweeps
	})
}

// tasks returns what is to be done at a time by Redis's clock. What frees memory and is soon done comes first.
func (r *Rotator) tasks(s *keyring.Snapshot, now time.Time) []task {
	var all []task
	add := func(what what, e *keyring.Epoch) {
		all = append(all, task{what: what, snapshot: s, epoch: e, from: s.Epoch(e.From)})
	}
	for _, e := range s.Epochs {
		switch {
		case e.Over() && e.Swept < sweeps && r.sweepDue(e, now):
			add(doSweep, e)
		case e.State == keyring.StateDraining && retireDue(s, e, now):
			add(doRetire, e)
		}
	}
	for _, e := range s.Epochs {
		switch phase := phaseOf(e); {
		case phase == PhasePrepare && e.From != 0: // the first epoch is keyring.Create's
			add(doPrepare, e)
		case phase == PhaseReady && e.Auto:
			add(doActivate, e)
		}
	}
	for _, e := range s.Epochs {
		from := s.Epoch(e.From)
		if from == nil || from.Over() {
			continue
		}
		switch phaseOf(e) {
		case PhaseCopy:
			add(doCopy, e)
		case PhaseVerify:
			add(doVerify, e)
		case PhaseSettle:
			add(doSettle, e)
		}
	}
	return all
}

// sweepDue reports whether it is time to remove an epoch that is over, or once more.
func (r *Rotator) sweepDue(e *keyring.Epoch, now time.Time) bool {
	if e.Swept == 0 {
		return now.Sub(e.Ended) >= r.config.SweepAfter
	}
	return now.Sub(e.LastSwept) >= r.config.SecondSweep
}

// retireDue reports whether a draining epoch is to be retired without being asked: the one after it is settled and says
// so, and it is time.
func retireDue(s *keyring.Snapshot, e *keyring.Epoch, now time.Time) bool {
	return slices.ContainsFunc(s.Epochs, func(next *keyring.Epoch) bool {
		return next.From == e.ID && !next.Activated.IsZero() && next.Auto && !next.Settled.IsZero() && !now.Before(e.RetireAt)
	})
}
