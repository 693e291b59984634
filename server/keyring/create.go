package keyring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
)

// Partitions is what Create needs of the directory: that an epoch's partitions are there before it is active.
type Partitions interface {
	Prepare(ctx context.Context, layout directory.Layout, generation uint64) error
}

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

// Plan says how an epoch is to be laid out.
type Plan struct {
	Layout directory.Layout // its Epoch is ignored
	Slots  int              // of each bucket, at least 1
}

// Create makes a keyring with one active epoch in a store that has none, laid out by plan, its keys from rand. The epoch is staged, its partitions are prepared, and then it becomes active; a Create that was
// interrupted, or that runs on several servers at once, goes on where the store stands, so that all end with the same
// epoch. On a store that has an active epoch it does nothing.
//
// It returns ErrMasterKey, ErrSealed, ErrRecord, ErrUnavailable, or the error of partitions.
func Create(ctx context.Context, rdb redis.UniversalClient, master MasterKey, rand io.Reader, plan Plan, partitions Partitions) error {
	for {
		snapshot, err := read(ctx, rdb, master)
		switch {
		case errors.Is(err, ErrNone):
			err = stageFirst(ctx, rdb, master, rand, plan)
		case err != nil:
			return err
		case snapshot.Active() != nil:
			return nil
		default:
			err = activateFirst(ctx, rdb, master, rand, snapshot, partitions)
		}
		if err != nil && !errors.Is(err, ErrChanged) {
			return err
		}
	}
}

// stageFirst writes generation 1: the account key and the first epoch, staged.
func stageFirst(ctx context.Context, rdb redis.UniversalClient, master MasterKey, rand io.Reader, plan Plan) error {
	key, err := voprf.GenerateKeyPair(rand)
	if err != nil {
		return err
	}
	var storage, account secret.Value
	for _, v := range []*secret.Value{&storage, &account} {
		if _, err := io.ReadFull(rand, v[:]); err != nil {
			return fmt.Errorf("keyring: reading randomness: %w", err)
		}
	}
	epoch := &Epoch{
		ID: firstEpoch, State: StateStaged, Key: key, Storage: crypto.StorageKey{Value: storage},
		Layout: plan.Layout, Slots: plan.Slots, Created: time.Now(),
	}
	epoch.Layout.Epoch = firstEpoch
	if err := epoch.Layout.Validate(); err != nil {
		return err
	}
	sealedEpoch, err := epoch.seal(rand, master)
	if err != nil {
		return err
	}
	sealedAccount, err := master.seal(rand, accountKeyPurpose, account)
	if err != nil {
		return err
	}
	return swap(ctx, rdb, 0, fieldMaster, master.id(), fieldAccountKey, sealedAccount, epochField(firstEpoch), sealedEpoch)
}

// activateFirst prepares the partitions of the first epoch and makes it active.
func activateFirst(ctx context.Context, rdb redis.UniversalClient, master MasterKey, rand io.Reader, snapshot *Snapshot, partitions Partitions) error {
	staged := snapshot.Epoch(firstEpoch)
	if staged == nil || staged.State != StateStaged {
		return ErrRecord
	}
	if err := partitions.Prepare(ctx, staged.Layout, snapshot.Generation); err != nil {
		if errors.Is(err, directory.ErrStale) && changedSince(ctx, rdb, snapshot) {
			return ErrChanged // another server made it active, and registrations came already
		}
		return err
	}
	active := *staged
	active.State = StateActive
	sealed, err := active.seal(rand, master)
	if err != nil {
		return err
	}
	return swap(ctx, rdb, snapshot.Generation, epochField(firstEpoch), sealed)
}

// changedSince reports whether the store is known to hold another keyring than the snapshot.
func changedSince(ctx context.Context, rdb redis.UniversalClient, snapshot *Snapshot) bool {
	head, err := readHead(ctx, rdb)
	return err == nil && head != snapshot.head()
}

func epochField(id uint32) string { return fmt.Sprintf("%s%d", prefixEpoch, id) }
