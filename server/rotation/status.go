package rotation

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// verifyCost is how long verifying a record takes, for each of copying it; see BenchmarkCopy and BenchmarkVerify.
const verifyCost = 0.6

// Status is how the epochs of a deployment stand. Its JSON is what operators are shown.
type Status struct {
	Generation uint64        `json:"generation"`
	Epochs     []EpochStatus `json:"epochs"` // by id, ascending
}

// EpochStatus is how one epoch stands. Times are by Redis's clock.
type EpochStatus struct {
	ID          uint32        `json:"id"`
	State       keyring.State `json:"state"`
	PublicKey   string        `json:"public_key"` // base64url without padding
	Created     time.Time     `json:"created"`
	From        uint32        `json:"from,omitempty"` // the epoch that it was copied from
	BucketBits  uint8         `json:"bucket_bits"`
	Slots       int           `json:"slots"`
	Users       int64         `json:"users"` // that can be found
	Evaluations int64         `json:"evaluations"`
	Activated   time.Time     `json:"activated,omitzero"`
	RetireAt    time.Time     `json:"retire_at,omitzero"`
	Ended       time.Time     `json:"ended,omitzero"`
	// Problem is why Users or Evaluations are not known, "" if they are.
	Problem string `json:"problem,omitempty"`
	// Rotation is how far the rotation to this epoch has come, or its removal. The first epoch has none while it is in use,
	// nor has a draining one.
	Rotation *RotationStatus `json:"rotation,omitempty"`
}

// RotationStatus is how far a rotation has come.
type RotationStatus struct {
	Phase Phase `json:"phase"`
	// Items of the phase, and those that are done; 0 before it has begun.
	Items     int64 `json:"items"`
	ItemsDone int64 `json:"items_done"`
	// Records in all items, about, and in those that are done.
	Records     int64 `json:"records"`
	RecordsDone int64 `json:"records_done"`
	// RecordsPerSecond is how fast all servers together have been in the last 10 to 20 seconds.
	RecordsPerSecond float64 `json:"records_per_second"`
	// Repaired is how many records verify or settle have copied again.
	Repaired int64 `json:"repaired"`
	// Unreadable is how many records can not be read, as far as is known, and Accepted how many of them may be lost.
	Unreadable int64     `json:"unreadable"`
	Accepted   int       `json:"accepted"`
	Auto       bool      `json:"auto"`
	Started    time.Time `json:"started,omitzero"` // when the phase began
	// ETASeconds is how long it will take at this rate until the copy is verified, or the phase is over in others; 0 if
	// that is not known or nothing is under way.
	ETASeconds int64 `json:"eta_seconds"`
}

// Status returns how the epochs stand. It returns the error of the keyring, or ErrUnavailable. What is not known of a
// single epoch is said there.
func (r *Rotator) Status(ctx context.Context) (Status, error) {
	snapshot, err := r.config.Keyring.Current()
	if err != nil {
		return Status{}, err
	}
	s := Status{Generation: snapshot.Generation, Epochs: make([]EpochStatus, len(snapshot.Epochs))}
	for i, e := range snapshot.Epochs {
		if s.Epochs[i], err = r.epochStatus(ctx, e); err != nil {
			return Status{}, err
		}
	}
	return s, nil
}

func (r *Rotator) epochStatus(ctx context.Context, e *keyring.Epoch) (EpochStatus, error) {
	s := EpochStatus{
		ID: e.ID, State: e.State, PublicKey: base64.RawURLEncoding.EncodeToString(e.PublicKey.Bytes()),
		Created: e.Created.UTC(), From: e.From, BucketBits: e.Layout.BucketBits, Slots: e.Slots,
		Activated: utc(e.Activated), RetireAt: utc(e.RetireAt), Ended: utc(e.Ended),
	}
	if e.Written() {
		counts, err := r.config.Directory.Count(ctx, e.Layout)
		s.Users = counts.Visible
		s.problem(err)
	}
	var err error
	s.Evaluations, err = r.config.Evaluations(ctx, e.ID)
	s.problem(err)
	if phase := phaseOf(e); phase != "" {
		s.Rotation, err = r.rotationStatus(ctx, e, phase)
		return s, err
	}
	return s, nil
}

// problem notes what could not be found out.
func (s *EpochStatus) problem(err error) {
	if err != nil && s.Problem == "" {
		s.Problem = err.Error()
	}
}

// utc returns the time in UTC, and the zero time as it is.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// shown names the queue whose progress is shown of an epoch in a phase.
func shown(e *keyring.Epoch, phase Phase) Phase {
	switch phase {
	case PhasePrepare, PhaseCopy:
		return PhaseCopy
	case PhaseReady:
		return PhaseVerify
	case PhaseSettled:
		return PhaseSettle
	case PhaseSweep, PhaseDone:
		return sweepPhase(min(e.Swept, sweeps-1))
	default:
		return phase
	}
}

func (r *Rotator) rotationStatus(ctx context.Context, e *keyring.Epoch, phase Phase) (*RotationStatus, error) {
	s := &RotationStatus{Phase: phase, Accepted: e.Accepted, Auto: e.Auto}
	p, err := r.queueOf(shown(e, phase), e.ID).read(ctx)
	if errors.Is(err, errNone) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.Items, s.ItemsDone, s.Records, s.RecordsDone = p.items, p.done, p.expected, p.records
	s.Unreadable, s.Started = p.unreadable, p.started.UTC()
	if phase != PhasePrepare && phase != PhaseCopy {
		s.Repaired = p.written
	}
	if p.complete() {
		return s, nil
	}
	s.RecordsPerSecond = p.perSecond
	s.ETASeconds = eta(phase, p)
	return s, nil
}

// eta returns how many seconds a phase will take at its present rate, with that of verify if it is the copy.
func eta(phase Phase, p progress) int64 {
	if p.perSecond <= 0 {
		return 0
	}
	left := float64(max(p.expected-p.records, 0))
	if phase == PhaseCopy {
		left += verifyCost * float64(p.expected)
	}
	return int64(left/p.perSecond + 0.5)
}

var _ Directory = (*directory.Store)(nil)
var _ Keyring = (*keyring.Keyring)(nil)
