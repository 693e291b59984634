package ephemeral_test

import (
	"context"
	"testing"
	"time"

	"github.com/kith-project/kith/server/ephemeral"
	"github.com/redis/go-redis/v9"
)

func start(t *testing.T) *ephemeral.Store {
	t.Helper()
	s, err := ephemeral.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func connect(t *testing.T, options *redis.Options) *redis.Client {
	t.Helper()
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestOptionsAndURLReachTheSameStore(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	parsed, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := connect(t, s.Options()).Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := connect(t, parsed).Get(ctx, "k").Result(); err != nil || got != "v" {
		t.Errorf("got %q, %v, want %q", got, err, "v")
	}
}

func TestPasswordIsNeeded(t *testing.T) {
	options := start(t).Options()
	options.Password = ""
	if err := connect(t, options).Get(context.Background(), "k").Err(); err == nil || err == redis.Nil {
		t.Errorf("without a password: got %v, want an error of authentication", err)
	}
}

// TestKeysExpire polls without a bound of its own: a store whose clock stands still runs into the test's timeout.
func TestKeysExpire(t *testing.T) {
	ctx := context.Background()
	client := connect(t, start(t).Options())
	if err := client.Set(ctx, "k", "v", time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	for client.Get(ctx, "k").Err() != redis.Nil {
		time.Sleep(time.Millisecond)
	}
}

func TestNothingSurvivesClose(t *testing.T) {
	ctx := context.Background()
	s := start(t)
	if err := connect(t, s.Options()).Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	options := s.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	if err := connect(t, options).Get(ctx, "k").Err(); err == nil {
		t.Error("a closed store answered")
	}
	if err := connect(t, start(t).Options()).Get(ctx, "k").Err(); err != redis.Nil {
		t.Errorf("a new store: got %v, want redis.Nil", err)
	}
}
