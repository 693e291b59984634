package redistest_test

import (
	"context"
	"testing"

	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

func TestShippedConfiguration(t *testing.T) {
	client := redistest.Start(t).Client()
	for name, want := range map[string]string{
		"maxmemory-policy":          "noeviction",
		"hash-max-listpack-value":   "128",
		"hash-max-listpack-entries": "512",
		"appendonly":                "yes",
		"appendfsync":               "always",
		"slowlog-log-slower-than":   "-1",
		"bind":                      "127.0.0.1",
	} {
		values, err := client.ConfigGet(context.Background(), name).Result()
		if got := values[name]; err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestOptionsOverrideShippedConfiguration(t *testing.T) {
	s := redistest.Start(t, redistest.AppendFsync("everysec"), redistest.Config("maxmemory-policy", "allkeys-lru"))
	for name, want := range map[string]string{"appendfsync": "everysec", "maxmemory-policy": "allkeys-lru"} {
		values, err := s.Client().ConfigGet(context.Background(), name).Result()
		if got := values[name]; err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestServersAreSeparateAndNeedTheirPassword(t *testing.T) {
	a, b := redistest.Start(t), redistest.Start(t)
	if a.Addr() == b.Addr() || a.URL() == b.URL() || a.Password() == b.Password() {
		t.Fatal("two servers share an address or a password")
	}
	stranger := redis.NewClient(&redis.Options{Addr: a.Addr()})
	defer stranger.Close()
	if err := stranger.Ping(context.Background()).Err(); err == nil {
		t.Error("a client without a password was served")
	}
	options, err := redis.ParseURL(a.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	if err := client.Ping(context.Background()).Err(); err != nil {
		t.Errorf("URL: %v", err)
	}
}

func TestKillAndRestartKeepsPortAndData(t *testing.T) {
	ctx := context.Background()
	s := redistest.Start(t)
	addr := s.Addr()
	if err := s.Client().Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	options := s.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	client := redis.NewClient(options)
	defer client.Close()
	if err := client.Ping(ctx).Err(); err == nil {
		t.Error("a killed server answered")
	}
	s.Restart()
	if got, err := s.Client().Get(ctx, "k").Result(); err != nil || got != "v" || s.Addr() != addr {
		t.Errorf("after restart: got %q, %v at %s, want %q at %s", got, err, s.Addr(), "v", addr)
	}
}

func TestPauseHoldsAnswersUntilResume(t *testing.T) {
	ctx := context.Background()
	s := redistest.Start(t)
	client := s.Client()
	s.Pause()
	answered := make(chan error, 1)
	go func() { answered <- client.Incr(ctx, "n").Err() }()
	select {
	case err := <-answered:
		t.Fatalf("a paused server answered: %v", err)
	default:
	}
	s.Resume()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestCleanupKills(t *testing.T) {
	var client *redis.Client
	t.Run("inner", func(t *testing.T) {
		s := redistest.Start(t)
		options := s.Options()
		options.MaxRetries, options.DialerRetries = -1, 1
		client = redis.NewClient(options)
	})
	defer client.Close()
	if err := client.Ping(context.Background()).Err(); err == nil {
		t.Error("the server outlived its test")
	}
}

func TestCluster(t *testing.T) {
	ctx := context.Background()
	c := redistest.StartCluster(t, 3, 1)
	if len(c.Masters) != 3 || len(c.Replicas) != 3 {
		t.Fatalf("got %d masters, %d replicas, want 3, 3", len(c.Masters), len(c.Replicas))
	}
	client := c.Client()
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		if err := client.Set(ctx, key, key, 0).Err(); err != nil {
			t.Errorf("set: %v", err)
		}
	}
	shards, err := c.Masters[0].Client().ClusterShards(ctx).Result()
	if err != nil || len(shards) != 3 {
		t.Fatalf("got %d shards, %v, want 3", len(shards), err)
	}
	for _, shard := range shards {
		if got := len(shard.Nodes); got != 2 {
			t.Errorf("shard: got %d nodes, want 2", got)
		}
	}
}
