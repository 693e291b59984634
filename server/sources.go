package server

import (
	"hash/maphash"
	"net"
	"sync"

	"github.com/labstack/echo/v4"
)

// DefaultLookupsPerSource is how many lookups of one address may be under way at once where nothing else is configured.
const DefaultLookupsPerSource = 32

// sources counts the lookups under way by where they come from. It is in memory alone, forgets a source with its last
// lookup, and holds a keyed hash of the address, not the address.
type sources struct {
	limit int // below 0 for none
	seed  maphash.Seed

	mu    sync.Mutex
	under map[uint64]int
}

func newSources(limit int) *sources {
	return &sources{limit: limit, seed: maphash.MakeSeed(), under: make(map[uint64]int)}
}

// limitSource refuses a lookup while its source has as many under way as it may have.
func (s *sources) limitSource(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.limit < 0 {
			return next(c)
		}
		key := s.key(c.RealIP())
		if !s.enter(key) {
			return refuse(kindOverloaded, "This address has too many lookups under way.")
		}
		defer s.leave(key)
		return next(c)
	}
}

// key hashes an address: of IPv6 the network of 64 bits, all of which one device usually has to itself.
func (s *sources) key(address string) uint64 {
	ip := net.ParseIP(address)
	if ip != nil && ip.To4() == nil {
		ip = ip.Mask(net.CIDRMask(64, 128))
	}
	return maphash.Bytes(s.seed, ip)
}

func (s *sources) enter(key uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.under[key] >= s.limit {
		return false
	}
	s.under[key]++
	return true
}

func (s *sources) leave(key uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.under[key]--; s.under[key] == 0 {
		delete(s.under, key)
	}
}
