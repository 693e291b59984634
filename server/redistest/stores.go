package redistest

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/ephemeral"
)

// OnEachStore runs a test on a real Redis and on the embedded store, which have to behave alike. The real one does not wait
// for the disk, on which what such a test shows does not depend: one that writes much would spend most of its time there.
func OnEachStore(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Run("redis", func(t *testing.T) { test(t, Start(t, AppendFsync("no")).Client()) })
	t.Run("ephemeral", func(t *testing.T) {
		store, err := ephemeral.Start()
		if err != nil {
			t.Fatalf("redistest: %v", err)
		}
		t.Cleanup(store.Close)
		client := redis.NewClient(store.Options())
		t.Cleanup(func() { _ = client.Close() })
		test(t, client)
	})
}
