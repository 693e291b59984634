package quota_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

var accountKey = secret.Value{1, 2, 3}

func request(account, key, content string) quota.Request {
	return quota.Request{Account: account, Epoch: 1, Elements: 10, Key: key, Content: []byte(content), Secret: accountKey}
}

func TestDebit(t *testing.T) {
	ctx := context.Background()
	ledger := quota.New(redistest.Start(t).Client())
	steps := []struct {
		name    string
		request quota.Request
		charged bool
		err     error
		total   int64 // of account a in epoch 1 afterwards
	}{
		{"first request", request("a", "k1", "x"), true, nil, 10},
		{"the same again", request("a", "k1", "x"), false, nil, 10},
		{"another under the same key", request("a", "k1", "y"), false, quota.ErrKeyReused, 10},
		{"another account under the same key", request("b", "k1", "y"), true, nil, 10},
		{"another key", request("a", "k2", "x"), true, nil, 20},
		{"no key", request("a", "", "x"), true, nil, 30},
		{"no key again", request("a", "", "x"), true, nil, 40},
		{"the same elements in another epoch", func() quota.Request {
			r := request("a", "k1", "x")
			r.Epoch = 2
			return r
		}(), false, quota.ErrKeyReused, 40},
	}
	for _, step := range steps {
		charged, err := ledger.Debit(ctx, step.request)
		if charged != step.charged || !errors.Is(err, step.err) {
			t.Errorf("%s: got charged %t, %v, want %t, %v", step.name, charged, err, step.charged, step.err)
		}
		if total, err := ledger.Charged(ctx, accountKey, "a", 1); err != nil || total != step.total {
			t.Errorf("%s: account has been charged %d, %v, want %d", step.name, total, err, step.total)
		}
	}
}

func TestConcurrentRetriesAreChargedOnce(t *testing.T) {
	ctx := context.Background()
	ledger := quota.New(redistest.Start(t).Client())
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := ledger.Debit(ctx, request("a", "k", "x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if total, err := ledger.Charged(ctx, accountKey, "a", 1); err != nil || total != 10 {
		t.Errorf("charged %d, %v, want 10", total, err)
	}
}

// TestStoreShowsNoAccount holds the package comment to its word.
func TestStoreShowsNoAccount(t *testing.T) {
	ctx := context.Background()
	rdb := redistest.Start(t).Client()
	if _, err := quota.New(rdb).Debit(ctx, request("account-of-alice", "key-of-alice", "elements")); err != nil {
		t.Fatal(err)
	}
	keys, err := rdb.Keys(ctx, "*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys: got %q, %v, want 2", keys, err)
	}
	for _, key := range keys {
		dump := key
		if strings.HasSuffix(key, ":account") {
			dump += fmt.Sprint(rdb.HGetAll(ctx, key).Val())
		} else {
			dump += rdb.Get(ctx, key).Val()
		}
		for _, word := range []string{"alice", "elements"} {
			if strings.Contains(dump, word) {
				t.Errorf("the store shows %q in %q", word, dump)
			}
		}
		if ttl := rdb.PTTL(ctx, key).Val(); ttl <= 0 {
			t.Errorf("%q is kept for ever", key)
		}
	}
}

func TestStoreAwayIsAnError(t *testing.T) {
	ctx := context.Background()
	s := redistest.Start(t)
	rdb := redis.NewClient(func() *redis.Options { o := *s.Client().Options(); o.MaxRetries = -1; return &o }())
	t.Cleanup(func() { _ = rdb.Close() })
	ledger := quota.New(rdb)
	s.Kill()
	if charged, err := ledger.Debit(ctx, request("a", "", "x")); charged || err != quota.ErrUnavailable {
		t.Errorf("Debit: got %t, %v, want ErrUnavailable", charged, err)
	}
	if _, err := ledger.Charged(ctx, accountKey, "a", 1); err != quota.ErrUnavailable {
		t.Errorf("Charged: got %v, want ErrUnavailable", err)
	}
}
