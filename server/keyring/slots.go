package keyring

import (
	"context"
	"time"
)

// RaiseSlots raises the slots of an epoch's buckets to at least the number given, for all servers: a bucket has more
// registrations than it has slots. It does nothing if the epoch has as many already, as when another server has met the
// same bucket.
//
// It returns ErrUnknownEpoch, and the errors of Open.
func (k *Keyring) RaiseSlots(ctx context.Context, epoch uint32, slots int) error {
	return k.changeEpoch(ctx, epoch, func(e *Epoch, _ time.Time) (bool, error) {
		raised := e.Slots < slots
		e.Slots = max(e.Slots, slots)
		return raised, nil
	})
}
