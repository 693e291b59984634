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
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// clockInterval is how late a key may expire.
const clockInterval = 100 * time.Millisecond

// Store is a running store. Its methods may be called concurrently.
type Store struct {
	server   *miniredis.Miniredis
	addr     string
	password string

	close   sync.Once
	closed  chan struct{} // closed by Close, to stop the clock
	running sync.WaitGroup
}

// Start starts an empty store on a free loopback port. It fails when the process may not listen there.
func Start() (*Store, error) {
	server := miniredis.NewMiniRedis()
	password := rand.Text()
	server.RequireAuth(password)
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("ephemeral: %w", err)
	}
	s := &Store{server: server, addr: server.Addr(), password: password, closed: make(chan struct{})}
	s.running.Go(s.runClock)
	return s, nil
}

// runClock lets keys expire, whose time stands still in miniredis until somebody advances it. Its own ClockTTL would be
// exact, but sorts all keys on each access: 4,096 registrations then took 3.5 s.
func (s *Store) runClock() {
	ticker := time.NewTicker(clockInterval)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-s.closed:
			return
		case now := <-ticker.C:
			s.server.FastForward(now.Sub(last))
			last = now
		}
	}
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
	s.close.Do(func() {
		close(s.closed)
		s.running.Wait()
		s.server.Close()
	})
}
