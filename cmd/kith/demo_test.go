package main

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/ephemeral"
	"github.com/kith-project/kith/server/registry"
)

// TestDemoMayTakeItsTime registers later after the start than a keyring may be left unread, as for a large address book.
func TestDemoMayTakeItsTime(t *testing.T) {
	t.Parallel()
	store, err := ephemeral.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rdb := redis.NewClient(store.Options())
	defer func() { _ = rdb.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	d, err := startDemo(ctx, rdb)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.listener.Close() }()
	followed := make(chan struct{})
	go func() { d.keyring.Follow(ctx); close(followed) }()
	defer func() { cancel(); <-followed }()
	time.Sleep(6 * time.Second)
	if _, err := d.registry.Put(ctx, registry.Registration{Number: sampleUser(0), Label: "late"}); err != nil {
		t.Errorf("after six seconds: %v", err)
	}
}
