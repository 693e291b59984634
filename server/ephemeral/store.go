// Package ephemeral runs a Redis-compatible store inside the process, for `kith demo`, for `kith serve --ephemeral` and
// for quick tests: nothing to install, and nothing survives. When the process ends, or the Store is closed, every
// registration, epoch and quota in it is gone.
//
// The store is miniredis behind a random password on a loopback port, so that the rest of Kith talks to it through the
// same client and the same scripts as to Redis. It knows a part of Redis's commands: CONFIG and most sections of INFO are
// missing, so that directory.CheckServer refuses it. Whoever starts it on purpose skips that check, and warns of
// the loss of everything instead. It is not built for load, and never for production.
package ephemeral

import (
	"crypto/rand"
	"fmt"
	"net/url"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Store is a running store. Its methods may be called concurrently.
type Store struct {
	server   *miniredis.Miniredis
	addr     string
	password string
}

// Start starts an empty store on a free loopback port. It fails when the process may not listen there.
func Start() (*Store, error) {
	server := miniredis.NewMiniRedis()
	password := rand.Text()
	server.RequireAuth(password)
	// By default time stands still for keys with an expiry until a test advances it. Here they follow the clock, as in
	// Redis. This is exact where a ticker calling FastForward would be late by up to its interval.
	server.ClockTTL(true)
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("ephemeral: %w", err)
	}
	return &Store{server: server, addr: server.Addr(), password: password}, nil
}

// URL returns the address of the store in the form of redis.ParseURL. It contains the password.
func (s *Store) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", s.password), Host: s.addr, Path: "/0"}
	return u.String()
}

// Options returns new options for a client of the store. Features of newer servers that the store does not know are
// turned off, where a client would try them first.
func (s *Store) Options() *redis.Options {
	return &redis.Options{
		Addr:                     s.addr,
		Password:                 s.password,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Close stops the store and drops its contents. Clients get errors from then on. Closing twice is allowed.
func (s *Store) Close() {
	s.server.Close()
}
