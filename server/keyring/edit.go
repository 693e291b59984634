package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/keylog"
)

// edits bounds how often a change is decided anew because another server came first.
const edits = 64

// edit is a change of the keyring that is being made up.
type edit struct {
	rand   io.Reader
	master MasterKey
	signer *keylog.Signer
	log    keylog.Message
	fields []any // field, value, ...
}

func (e *edit) set(field string, value any) { e.fields = append(e.fields, field, value) }

// put sets the record of an epoch.
func (e *edit) put(epoch *Epoch) error {
	sealed, err := epoch.seal(e.rand, e.master)
	if err != nil {
		return err
	}
	e.set(epochField(epoch.ID), sealed)
	return nil
}

// on returns an empty edit of a snapshot.
func (s *Snapshot) edit(rand io.Reader) *edit {
	return &edit{rand: rand, master: s.master, signer: s.signer, log: s.Log}
}

// change makes a change by compare-and-set, decided anew each time that another server has changed the keyring first.
// decide is given the keyring as it stands and Redis's time; an edit that it leaves empty changes nothing. It must be
// safe to repeat: after ErrUnavailable it is not known whether the change was made.
//
// It returns the error of decide, ErrChanged if others always came first, and the errors of Open.
func (k *Keyring) change(ctx context.Context, decide func(s *Snapshot, e *edit, now time.Time) error) error {
	for range edits {
		if err := k.Reload(ctx); err != nil {
			return err
		}
		k.rollForward(ctx)
		snapshot, err := k.Current()
		if err != nil {
			return err
		}
		now, err := k.Time(ctx)
		if err != nil {
			return err
		}
		e := snapshot.edit(rand.Reader)
		if err := decide(snapshot, e, now); err != nil || len(e.fields) == 0 {
			return err
		}
		err = swap(ctx, k.rdb, snapshot.Generation, e.fields...)
		if err == nil {
			return k.Reload(ctx)
		}
		if !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return ErrChanged
}

// changeEpoch makes a change of one epoch's record. decide is given a copy to change, and reports whether it did.
// It returns ErrUnknownEpoch, and the errors of change.
func (k *Keyring) changeEpoch(ctx context.Context, id uint32, decide func(epoch *Epoch, now time.Time) (bool, error)) error {
	return k.change(ctx, func(s *Snapshot, e *edit, now time.Time) error {
		epoch := s.Epoch(id)
		if epoch == nil {
			return ErrUnknownEpoch
		}
		changed := *epoch
		if ok, err := decide(&changed, now); err != nil || !ok {
			return err
		}
		return e.put(&changed)
	})
}

// Time returns the time by Redis's clock, the one by which epochs live: servers' clocks may differ by hours. It returns
// ErrUnavailable.
func (k *Keyring) Time(ctx context.Context) (time.Time, error) { return serverTime(ctx, k.rdb) }

func serverTime(ctx context.Context, rdb redis.UniversalClient) (time.Time, error) {
	now, err := rdb.Time(ctx).Result()
	if err != nil {
		return time.Time{}, ErrUnavailable
	}
	return now.Truncate(time.Millisecond), nil
}
