package snapshot

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Shard returns the bytes of a shard, which must not be changed. They are those of its id for ever.
//
// It returns ErrNotFound if there is no such shard, or no longer; ErrCorrupt if the stored bytes are others;
// ErrUnavailable if Redis does not answer, and if the present manifest lists the shard but it is gone: caches must not
// remember that it does not exist, for the next build brings it back.
func (s *Store) Shard(ctx context.Context, id ID) ([]byte, error) {
	return s.shards.get(ctx, id, s.readShard)
}

// readShard reads a shard from Redis.
func (s *Store) readShard(ctx context.Context, id ID) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	b, err := s.rdb.Get(ctx, s.keys.shard(id)).Bytes()
	if errors.Is(err, redis.Nil) {
		if m, _, err := s.Manifest(ctx); err == nil && !m.lists(id) || errors.Is(err, ErrNone) {
			return nil, ErrNotFound
		}
		return nil, ErrUnavailable
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if sha256.Sum256(b) != id {
		return nil, ErrCorrupt
	}
	return b, nil
}

// shardCache remembers the shards that were asked for last, and lets callers who want the same one wait for one read.
type shardCache struct {
	capacity int // bytes

	mu      sync.Mutex // guards what follows
	size    int        // bytes
	order   *list.List // of *cachedShard, the last used first
	entries map[ID]*list.Element
	reads   map[ID]*shardRead
}

type cachedShard struct {
	id    ID
	bytes []byte
}

// shardRead is a read under way. Its outcome may be looked at once done is closed.
type shardRead struct {
	done  chan struct{}
	bytes []byte
	err   error
}

func newShardCache(capacity int) *shardCache {
	return &shardCache{
		capacity: capacity, order: list.New(), entries: make(map[ID]*list.Element), reads: make(map[ID]*shardRead),
	}
}

// get returns a shard from memory, or as read returns it. Errors are not remembered, but shared by those who wait.
func (c *shardCache) get(
	ctx context.Context, id ID, read func(context.Context, ID) ([]byte, error),
) ([]byte, error) {
	c.mu.Lock()
	if element, ok := c.entries[id]; ok {
		c.order.MoveToFront(element)
		b := element.Value.(*cachedShard).bytes
		c.mu.Unlock()
		return b, nil
	}
	r, waiting := c.reads[id]
	if !waiting {
		r = &shardRead{done: make(chan struct{})}
		c.reads[id] = r
	}
	c.mu.Unlock()
	if waiting {
		select {
		case <-r.done:
			return r.bytes, r.err
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		}
	}

	r.bytes, r.err = read(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.reads, id)
	close(r.done)
	if r.err == nil {
		c.add(id, r.bytes)
	}
	return r.bytes, r.err
}

// add remembers a shard, and forgets those that were used longest ago while there are too many. mu is held.
func (c *shardCache) add(id ID, b []byte) {
	if len(b) > c.capacity {
		return
	}
	c.entries[id] = c.order.PushFront(&cachedShard{id, b})
	c.size += len(b)
	for c.size > c.capacity {
		last := c.order.Back()
		shard := c.order.Remove(last).(*cachedShard)
		delete(c.entries, shard.id)
		c.size -= len(shard.bytes)
	}
}
