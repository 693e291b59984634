package lookup

import (
	"context"
	"errors"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/bucket"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/snapshot"
)

// Tags returns the padded short tags of the buckets, as bucket.Lookup.Tags does. If a bucket has more registrations than
// slots, it raises the epoch's slots first. It returns ErrCrowded if that does not help, and the errors of the directory
// and the keyring.
func (l *Lookups) Tags(ctx context.Context, k *keyring.Epoch, buckets []uint32) (tags []byte, f bucket.Format, err error) {
	err = l.answer(ctx, k, func(e *epoch) error {
		tags, f, err = e.lookup.Tags(ctx, buckets)
		return err
	})
	return tags, f, err
}

// Labels is Tags with the sealed labels of all slots, as bucket.Lookup.Labels has them.
func (l *Lookups) Labels(ctx context.Context, k *keyring.Epoch, buckets []uint32) (tags, labels []byte, f bucket.Format, err error) {
	err = l.answer(ctx, k, func(e *epoch) error {
		tags, labels, f, err = e.lookup.Labels(ctx, buckets)
		return err
	})
	return tags, labels, f, err
}

// answer asks, and asks again after raising the slots of a bucket that was too full.
func (l *Lookups) answer(ctx context.Context, k *keyring.Epoch, ask func(*epoch) error) error {
	for range raises {
		e, err := l.of(k)
		if err != nil {
			return err
		}
		err = ask(e)
		full, ok := errors.AsType[*bucket.FullError](err)
		if !ok {
			return err
		}
		if err := l.raise(ctx, k.ID, full.Registrations); err != nil {
			return err
		}
		current, err := l.config.Keyring.Current()
		if err != nil {
			return err
		}
		if k = current.Epoch(k.ID); k == nil {
			return keyring.ErrUnknownEpoch
		}
	}
	return ErrCrowded
}

// raise raises the slots of an epoch above a number of registrations.
func (l *Lookups) raise(ctx context.Context, epoch uint32, registrations int) error {
	slots := bucket.SlotsAbove(registrations)
	if slots > bucket.MaxSlots {
		return ErrCrowded
	}
	return l.config.Keyring.RaiseSlots(ctx, epoch, slots)
}

// Snapshot returns what is published of an epoch for devices to download.
func (l *Lookups) Snapshot(k *keyring.Epoch) (*snapshot.Store, error) {
	e, err := l.of(k)
	if err != nil {
		return nil, err
	}
	return e.store, nil
}

// Build asks for a new snapshot of an epoch. It returns the errors of snapshot.Builder.Trigger.
func (l *Lookups) Build(ctx context.Context, k *keyring.Epoch) error {
	e, err := l.of(k)
	if err != nil {
		return err
	}
	return e.builder.Trigger(ctx)
}

// Wrote tells that this server has changed the record of a tag: until memory has caught up, the store is asked for its
// bucket, and the end of the changes feed is read anew, so that the next answer of this server has the change.
func (l *Lookups) Wrote(k *keyring.Epoch, tag crypto.Tag) {
	l.mu.Lock()
	e := l.epochs[k.ID]
	l.mu.Unlock()
	if e != nil {
		e.view.Wrote(e.layout.Partition(tag))
		e.store.Wrote()
	}
}
