package registry_test

import (
	"context"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

func TestPurge(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	var told []*keyring.Epoch
	w.OnWrite = func(e *keyring.Epoch, _ crypto.Tag) { told = append(told, e) }
	if applied, err := w.Delete(ctx, registry.Deletion{Number: number}); err != nil || !applied {
		t.Fatalf("Delete: %t, %v", applied, err)
	}
	if len(told) != 3 {
		t.Errorf("OnWrite was told of %d epochs, want the 3 that are written to", len(told))
	}
	const written = 3
	if n, err := registry.Purge(ctx, w.keys, w.store, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("tombstones younger than that: purged %d, %v, want none", n, err)
	}
	if got := w.find(t, 3).format; got != directory.Deleted {
		t.Errorf("a young tombstone is gone: format %d", got)
	}
	if n, err := registry.Purge(ctx, w.keys, w.store, time.Now().Add(time.Hour)); n != written || err != nil {
		t.Errorf("tombstones older than that: purged %d, %v, want one in each of %d epochs", n, err, written)
	}
	if got := w.find(t, 3); got != (found{}) {
		t.Errorf("an old tombstone is still there: %+v", got)
	}
	w.redis.Kill()
	if _, err := registry.Purge(ctx, w.keys, w.store, time.Now()); err == nil {
		t.Error("with the store away Purge gave no error")
	}
}
