package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// manifestMemory is how long a server answers with a manifest before it reads it again.
	manifestMemory = time.Second
	// errorMemory is the same for an error, its absence above all: the first one is waited for.
	errorMemory = 100 * time.Millisecond
	// readTimeout bounds one read on behalf of many callers.
	readTimeout = 5 * time.Second
	// DefaultCacheBytes is the size of a Store's memory of shards unless NewStore is told another.
	DefaultCacheBytes = 64 << 20
)

// Store reads what has been published of one epoch. Its methods may be called concurrently.
type Store struct {
	rdb    redis.UniversalClient
	keys   keys
	now    func() time.Time
	shards *shardCache
	tail   *tail // nil without ReadTail

	mu       sync.Mutex // held while the manifest is read, so that a crowd causes one read; guards what follows
	read     time.Time  // when the last read began
	manifest Manifest
	etag     string
	err      error
}

// NewStore returns a store of an epoch that remembers shards of cacheBytes bytes together, 0 for DefaultCacheBytes, below
// 0 for none. The client has to send reads to masters, and stays the caller's to close.
func NewStore(rdb redis.UniversalClient, epoch uint32, cacheBytes int) *Store {
	if cacheBytes == 0 {
		cacheBytes = DefaultCacheBytes
	}
	return &Store{rdb: rdb, keys: newKeys(epoch), now: time.Now, shards: newShardCache(cacheBytes)}
}

// Manifest returns the manifest of the present set and its entity tag, quotes included. The shards in it must not be
// changed. What it returns may be up to one second old, an error 100 ms.
//
// It returns ErrNone if nothing is published, ErrManifest if what is stored is not a manifest, or ErrUnavailable.
func (s *Store) Manifest(ctx context.Context) (Manifest, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	memory := manifestMemory
	if s.err != nil {
		memory = errorMemory
	}
	if !s.read.IsZero() && now.Sub(s.read) < memory {
		return s.manifest, s.etag, s.err
	}
	// Others wait for this read, so that it does not end with the request that caused it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	m, text, err := readManifest(ctx, s.rdb, s.keys)
	s.read, s.manifest, s.etag, s.err = now, m, "", err
	if err == nil {
		sum := sha256.Sum256(text)
		s.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	}
	return s.manifest, s.etag, s.err
}
