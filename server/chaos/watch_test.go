package chaos

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/keyring"
)

// watch reads the keyring in Redis, past all servers. It opens it again only when it has changed, since that takes some
// milliseconds under the race detector.
type watch struct {
	rdb    *redis.Client
	master keyring.MasterKey

	mu       sync.Mutex
	snapshot *keyring.Snapshot
}

// keyring returns the keyring as it is stored. It returns the errors of Redis and of package keyring.
func (w *watch) keyring() (*keyring.Snapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx := context.Background()
	generation, err := w.rdb.HGet(ctx, "kith:keyring", "generation").Uint64()
	if err != nil {
		return nil, err
	}
	if w.snapshot != nil && w.snapshot.Generation == generation {
		return w.snapshot, nil
	}
	keys, err := keyring.Open(ctx, w.rdb, w.master)
	if err != nil {
		return nil, err
	}
	w.snapshot, err = keys.Current()
	return w.snapshot, err
}
