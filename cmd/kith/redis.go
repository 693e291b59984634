package main

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
)

// Bounds on waiting for Redis, well within the time of a request.
const (
	redisDialTimeout = 2 * time.Second
	redisIOTimeout   = 3 * time.Second
	// Each of the client's own retries dials again: few of them, so that a store that is away is a quick 503.
	redisRetries     = 2
	redisDialRetries = 1
)

// connectRedis returns a client for a Redis URL. It does not connect yet. Its error does not quote the URL, which may
// hold a password.
func connectRedis(url string, cluster bool) (redis.UniversalClient, error) {
	bad := withHint(errors.New("the Redis URL can not be read"), "redis://[[user]:password@]host:port[/db], rediss:// for TLS")
	if cluster {
		o, err := redis.ParseClusterURL(url)
		if err != nil {
			return nil, bad
		}
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = redisDialTimeout, redisIOTimeout, redisIOTimeout
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = redisRetries, redisDialRetries, true
		o.ClusterStateReloadInterval = clusterReload
		client := redis.NewClusterClient(o)
		client.AddHook(clusterHook{client})
		return client, nil
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, bad
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = redisDialTimeout, redisIOTimeout, redisIOTimeout
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = redisRetries, redisDialRetries, true
	return redis.NewClient(o), nil
}

// storeError adds hints to the errors of checking a store.
func storeError(err error) error {
	switch {
	case errors.Is(err, directory.ErrEviction):
		return withHint(err, "set maxmemory-policy noeviction; deploy/redis.conf has the settings that fit")
	case errors.Is(err, directory.ErrUnavailable):
		return withHint(err, "is Redis running at that address, and is the password right?")
	default:
		return err
	}
}
