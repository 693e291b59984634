package registry

import (
	"context"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// purgeEvery is the pause between two purges by one server.
const purgeEvery = time.Hour

// Purger is what a purge needs of the directory.
type Purger interface {
	Purge(ctx context.Context, layout directory.Layout, partition uint32, before uint64) (purged int, err error)
}

// Purge removes, in every epoch that is written to, the tombstones of deletions that were made before a time, and
// returns how many. A tombstone keeps a late write from registering again who was deleted, so before must be longer ago
// than any write can be under way. Several servers may purge at once.
//
// While a rotation is under way it removes none: until that is settled, a record which was read before the deletion may
// still be written to the new epoch, and only the tombstone there keeps it out.
//
// It goes on after an error with the next partition, and returns the first: of the keyring, or of directory.Purge.
func Purge(ctx context.Context, keys Keyring, store Purger, before time.Time) (purged int, err error) {
	snapshot, err := keys.Current()
	if err != nil {
		return 0, err
	}
	for _, e := range snapshot.Epochs {
		for partition := range e.Layout.Partitions() {
			may, failed := mayPurge(keys, e.ID)
			if failed != nil {
				return purged, failed
			}
			if !may {
				break
			}
			n, failed := store.Purge(ctx, e.Layout, uint32(partition), uint64(before.UnixMilli()))
			purged += n
			if err == nil {
				err = failed
			}
			if ctx.Err() != nil {
				return purged, err
			}
		}
	}
	return purged, err
}

// mayPurge reports whether an epoch is written to and no rotation is under way, as the keyring now is: purging takes a
// while. It returns the error of the keyring.
func mayPurge(keys Keyring, epoch uint32) (bool, error) {
	snapshot, err := keys.Current()
	if err != nil {
		return false, err
	}
	for _, e := range snapshot.Epochs {
		unsettled := e.State == keyring.StateActive && e.From != 0 && e.Settled.IsZero()
		if e.State == keyring.StateStaged || unsettled {
			return false, nil
		}
	}
	e := snapshot.Epoch(epoch)
	return e != nil && e.Written(), nil
}

// TimedKeyring is a keyring that knows the time by Redis's clock.
type TimedKeyring interface {
	Keyring
	Time(ctx context.Context) (time.Time, error)
}

// PurgeEvery purges the tombstones that are older than keep, every hour until ctx ends, and tells onError what went wrong.
// Their age is by Redis's clock, which has also dated them: this server's may be hours ahead.
func PurgeEvery(ctx context.Context, keys TimedKeyring, store Purger, keep time.Duration, onError func(error)) {
	ticker := time.NewTicker(purgeEvery)
	defer ticker.Stop()
	for {
		if err := purgeOlder(ctx, keys, store, keep); err != nil && ctx.Err() == nil {
			onError(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func purgeOlder(ctx context.Context, keys TimedKeyring, store Purger, keep time.Duration) error {
	now, err := keys.Time(ctx)
	if err != nil {
		return err
	}
	_, err = Purge(ctx, keys, store, now.Add(-keep))
	return err
}
