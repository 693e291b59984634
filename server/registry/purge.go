package registry

import (
	"context"
	"time"

	"github.com/kith-project/kith/server/directory"
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
// It goes on after an error with the next partition, and returns the first: of the keyring, or of directory.Purge.
func Purge(ctx context.Context, keys Keyring, store Purger, before time.Time) (purged int, err error) {
	snapshot, err := keys.Current()
	if err != nil {
		return 0, err
	}
	for _, e := range snapshot.Epochs {
		if !e.Written() {
			continue
		}
		for partition := range e.Layout.Partitions() {
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

// PurgeEvery purges the tombstones that are older than keep, every hour until ctx ends, and tells onError what went wrong.
func PurgeEvery(ctx context.Context, keys Keyring, store Purger, keep time.Duration, onError func(error)) {
	ticker := time.NewTicker(purgeEvery)
	defer ticker.Stop()
	for {
		if _, err := Purge(ctx, keys, store, time.Now().Add(-keep)); err != nil && ctx.Err() == nil {
			onError(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
