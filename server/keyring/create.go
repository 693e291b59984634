package keyring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/secret"
)

// firstEpoch is the id of the epoch that Create makes. Ids are never used twice.
const firstEpoch = 1

// Exists reports whether the store holds a keyring, without a master key. It returns ErrUnavailable.
func Exists(ctx context.Context, rdb redis.UniversalClient) (bool, error) {
	n, err := rdb.Exists(ctx, redisKey).Result()
	if err != nil {
		return false, ErrUnavailable
	}
	return n == 1, nil
}

// CreateOptions say how a keyring is made.
type CreateOptions struct {
	// Masters are the master keys that may have sealed a keyring which is there already. A new one is sealed under the
	// first of them.
	Masters []MasterKey
	Rand    io.Reader // of all keys
	Plan    Plan      // of the first epoch
	// Origin names the key log, to witnesses above all: a host and path of one's own, such as "kith.example.org/keylog".
	// If empty, a random name is made. It can not be changed later.
	Origin string
}

// Create makes a keyring with one active epoch in a store that has none. The epoch is staged, its partitions are
// prepared, and then it becomes active; a Create that was interrupted, or that runs on several servers at once, goes on
// where the store stands, so that all end with the same epoch. On a store that has an active epoch it does nothing, but
// for beginning the key log of a keyring that was made before there was one.
//
// It returns ErrMasterKey, ErrSealed, ErrRecord, ErrUnavailable, ErrChanged, or the error of partitions.
func Create(ctx context.Context, rdb redis.UniversalClient, o CreateOptions, partitions Partitions) error {
	if err := found(ctx, rdb, o); err != nil {
		return err
	}
	k, err := Open(ctx, rdb, o.Masters...)
	if err != nil {
		return err
	}
	if err := k.beginLog(ctx, o); err != nil {
		return err
	}
	snapshot, err := k.Current()
	if err != nil || snapshot.Active() != nil {
		return err
	}
	if err := k.FinishStage(ctx, firstEpoch, partitions); err != nil {
		return err
	}
	// There is nothing that it would have to be a copy of.
	if err := k.MarkVerified(ctx, firstEpoch); err != nil && !errors.Is(err, ErrState) {
		return err
	}
	return k.Activate(ctx, firstEpoch)
}

// found writes generation 1, unless there is a keyring: account key, log, and the first epoch, staged.
func found(ctx context.Context, rdb redis.UniversalClient, o CreateOptions) error {
	if exists, err := Exists(ctx, rdb); err != nil || exists {
		return err
	}
	now, err := serverTime(ctx, rdb)
	if err != nil {
		return err
	}
	e := &edit{rand: o.Rand, master: o.Masters[0]}
	var account secret.Value
	if _, err := io.ReadFull(o.Rand, account[:]); err != nil {
		return fmt.Errorf("keyring: reading randomness: %w", err)
	}
	sealed, err := e.master.seal(o.Rand, accountKeyPurpose, account)
	if err != nil {
		return err
	}
	e.set(fieldMaster, e.master.id())
	e.set(fieldAccountKey, sealed)
	epoch, err := newEpochOf(o.Rand, firstEpoch, o.Plan, now)
	if err != nil {
		return err
	}
	if err := errors.Join(e.put(epoch), e.newLog(o.Origin)); err != nil {
		return err
	}
	if err := e.enter(epoch, now); err != nil {
		return err
	}
	if err := swap(ctx, rdb, 0, e.fields...); !errors.Is(err, ErrChanged) {
		return err
	}
	return nil // another server was first
}

// beginLog makes the log of a keyring that has none, with the epochs that are not over.
func (k *Keyring) beginLog(ctx context.Context, o CreateOptions) error {
	snapshot, err := k.Current()
	if err != nil || snapshot.signer != nil {
		return err
	}
	return k.change(ctx, func(s *Snapshot, e *edit, now time.Time) error {
		if s.signer != nil {
			return nil
		}
		if err := e.newLog(o.Origin); err != nil {
			return err
		}
		for _, epoch := range s.Epochs {
			if epoch.Over() {
				continue
			}
			if err := e.enter(epoch, now); err != nil {
				return err
			}
		}
		return nil
	})
}
