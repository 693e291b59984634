package keyring

import (
	"context"
	"crypto/rand"
	"errors"
)

// RaiseSlots raises the slots of an epoch's buckets to at least the number given, for all servers: a bucket has more
// registrations than it has slots. It does nothing if the epoch has as many already, as when another server has met the
// same bucket.
//
// It returns ErrUnknownEpoch, and the errors of Open.
func (k *Keyring) RaiseSlots(ctx context.Context, epoch uint32, slots int) error {
	for {
		if err := k.Reload(ctx); err != nil {
			return err
		}
		snapshot, err := k.Current()
		if err != nil {
			return err
		}
		e := snapshot.Epoch(epoch)
		if e == nil {
			return ErrUnknownEpoch
		}
		if e.Slots >= slots {
			return nil
		}
		raised := *e
		raised.Slots = slots
		sealed, err := raised.seal(rand.Reader, k.master)
		if err != nil {
			return err
		}
		if err := swap(ctx, k.rdb, snapshot.Generation, epochField(epoch), sealed); !errors.Is(err, ErrChanged) {
			if err != nil {
				return err
			}
			return k.Reload(ctx)
		}
	}
}
