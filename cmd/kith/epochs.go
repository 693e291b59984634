package main

import (
	"context"
	"errors"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/rotation"
)

// minPlanned is the least number of users that a rotation lays an epoch out for by itself: who has few users hopes for
// more before the next rotation.
const minPlanned = 10_000

// epochOperator does what operators ask of the admin listener, which is server.Operator.
type epochOperator struct {
	keyring      *keyring.Keyring
	directory    *directory.Store
	rotator      *rotation.Rotator
	minAnonymity int
	keyCeiling   int64
}

// status is the answer of GET /v1/epochs.
type status struct {
	rotation.Status
	KeyCeiling int64 `json:"key_ceiling"`
}

// Status returns how the epochs stand.
func (o *epochOperator) Status(ctx context.Context) (any, error) {
	s, err := o.rotator.Status(ctx)
	return status{s, o.keyCeiling}, rotationError(err)
}

// rotationError returns an error of package rotation as one that the server knows.
func rotationError(err error) error {
	if errors.Is(err, rotation.ErrUnavailable) {
		return keyring.ErrUnavailable
	}
	return err
}

// Rotate begins a rotation, or joins the one under way.
func (o *epochOperator) Rotate(ctx context.Context, r server.Rotation) (epoch uint32, joined bool, err error) {
	plan, err := o.plan(ctx, r.ExpectedUsers)
	if err != nil {
		return 0, false, err
	}
	staged, joined, err := o.keyring.Stage(ctx, keyring.StageOptions{Plan: plan, Auto: r.Auto, Window: r.Window, Drain: r.Drain}, o.directory)
	if err != nil {
		return 0, joined, err
	}
	o.rotator.Wake()
	return staged.ID, joined, nil
}

// plan returns how the next epoch is laid out: for so many users, or if that is 0 for those that there are.
func (o *epochOperator) plan(ctx context.Context, users int) (keyring.Plan, error) {
	if users == 0 {
		snapshot, err := o.keyring.Current()
		if err != nil {
			return keyring.Plan{}, err
		}
		active := snapshot.Active()
		if active == nil {
			return keyring.Plan{}, keyring.ErrNoActive
		}
		counts, err := o.directory.Count(ctx, active.Layout)
		if err != nil {
			return keyring.Plan{}, err
		}
		users = int(max(counts.Visible+counts.Hidden, minPlanned))
	}
	return planFor(users, o.minAnonymity), nil
}

// Activate makes a verified epoch active.
func (o *epochOperator) Activate(ctx context.Context, epoch uint32, loss int) error {
	return rotationError(o.rotator.Activate(ctx, epoch, loss))
}

// Abort ends a rotation before its epoch is active.
func (o *epochOperator) Abort(ctx context.Context, epoch uint32) error {
	return o.keyring.Abort(ctx, epoch)
}

// Retire destroys the key of a draining epoch.
func (o *epochOperator) Retire(ctx context.Context, epoch uint32) error {
	return o.keyring.Retire(ctx, epoch)
}

// Cosign adds a witness's signature to the key log.
func (o *epochOperator) Cosign(ctx context.Context, w *keylog.Witness, line string) error {
	return o.keyring.AddCosignature(ctx, w, line)
}

// sayEpochs logs each change of an epoch's state, until ctx ends: what an operator does on one server is in the logs of
// all.
func (s *stack) sayEpochs(ctx context.Context) {
	states := make(map[uint32]keyring.State)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if snapshot, err := s.keyring.Current(); err == nil {
			for _, e := range snapshot.Epochs {
				if states[e.ID] != e.State {
					states[e.ID] = e.State
					s.logger.Info("epoch", "epoch", e.ID, "state", string(e.State))
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
