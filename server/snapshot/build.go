package snapshot

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/filter"
	"github.com/kith-project/kith/server/directory"
)

// shardKeys is how many tags a shard has at most, roughly, as long as there are enough partitions: about 600 KB.
const shardKeys = 262_144

// errShardLost means that a shard which the build had stored is gone. The build begins anew.
var errShardLost = errors.New("snapshot: a finished shard was lost")

// build builds a set, or goes on with one that is under way, and publishes it. It returns ErrUnavailable, ErrLease,
// errChanged if the feed began anew meanwhile, errShardLost, or an error of package directory; the last set stays.
func (b *Builder) build(ctx context.Context, l *lease, f *feed) error {
	p, err := b.resume(ctx, f)
	if err != nil {
		return err
	}
	if p == nil {
		if p, err = b.start(ctx, l, f); err != nil {
			return err
		}
	}
	b.config.OnProgress(p.progress())
	var keys []uint64
	for number := range p.shards() {
		if _, done := p.done[number]; done {
			continue
		}
		if keys, err = b.buildShard(ctx, l, p, number, keys[:0]); err != nil {
			return err
		}
		b.config.OnProgress(p.progress())
		if err := b.gatherDuring(ctx, l, f, p); err != nil {
			return err
		}
	}
	return b.publish(ctx, l, p, f)
}

// start begins a new build.
func (b *Builder) start(ctx context.Context, l *lease, f *feed) (*plan, error) {
	counts, err := b.dir.Count(ctx, b.layout)
	if err != nil {
		return nil, fmt.Errorf("snapshot: count: %w", err)
	}
	p := &plan{
		name:      rand.Text(),
		created:   b.now().UnixMilli(),
		shardBits: b.shardBits(counts.Visible),
		since:     f.position,
		done:      make(map[uint32]Shard),
	}
	return p, run(ctx, b.rdb, startScript, []string{b.keys.lease, b.keys.build, b.keys.wanted},
		append([]any{l.owner}, p.fields()...)...)
}

// shardBits returns the least number of bits with which shards of a set of keys have shardKeys or fewer on average, as far
// as there are partitions.
func (b *Builder) shardBits(keys int64) uint8 {
	bits := uint8(0)
	for bits < b.layout.PartitionBits && keys > b.shardKeys<<bits {
		bits++
	}
	return bits
}

// buildShard builds, stores and records one shard. It uses the array of keys, and returns it for the next.
func (b *Builder) buildShard(ctx context.Context, l *lease, p *plan, number uint32, keys []uint64) ([]uint64, error) {
	keys, malformed, err := b.scanShard(ctx, p, number, keys)
	if err != nil {
		return keys, err
	}
	shard := Shard{Shard: number, Keys: int64(len(keys))}
	built, err := filter.Build(keys)
	if err != nil {
		return keys, fmt.Errorf("snapshot: %w", err)
	}
	encoded, err := built.MarshalBinary()
	if err != nil {
		return keys, fmt.Errorf("snapshot: %w", err)
	}
	shard.ID, shard.Bytes = sha256.Sum256(encoded), int64(len(encoded))
	if err := b.rdb.Set(ctx, b.keys.shard(shard.ID), encoded, b.shardLife()).Err(); err != nil {
		return keys, unavailable(err)
	}
	if err := b.record(ctx, l, p, shard, malformed); err != nil {
		return keys, err
	}
	p.finish(shard, malformed)
	return keys, nil
}

// scanShard appends to keys those of a shard's visible registrations, and returns the number of malformed records.
func (b *Builder) scanShard(ctx context.Context, p *plan, number uint32, keys []uint64) ([]uint64, int, error) {
	malformed := 0
	partitions := b.layout.PartitionBits - p.shardBits
	first, end := uint64(number)<<partitions, (uint64(number)+1)<<partitions
	for partition := first; partition < end; partition++ {
		for entry, err := range b.dir.Scan(ctx, b.layout, uint32(partition)) {
			switch {
			case errors.Is(err, directory.ErrRecord):
				malformed++
			case err != nil:
				return keys, 0, fmt.Errorf("snapshot: scan: %w", err)
			case entry.Record.Format == directory.Visible:
				keys = append(keys, filter.Key(entry.Tag))
			}
		}
	}
	return keys, malformed, nil
}

// record notes a finished shard in the build, so that whoever goes on with it need not build it again.
func (b *Builder) record(ctx context.Context, l *lease, p *plan, shard Shard, malformed int) error {
	return run(ctx, b.rdb, recordScript, []string{b.keys.lease, b.keys.build},
		l.owner, p.name, shardField(shard.Shard), shardValue(shard), fieldMalformed, p.malformed+malformed)
}

// shardLife is how long a shard is kept from when it is stored or published. A manifest lists it for MaxAge at most.
//
// It is never shortened when a shard leaves the manifest: the same bytes may be in the next one, and a builder that was
// paused between publishing and shortening would take them away.
func (b *Builder) shardLife() time.Duration {
	return b.config.MaxAge + b.config.Grace
}

// gatherDuring gathers the feed between two shards if that is due. It returns errChanged if the feed began anew.
func (b *Builder) gatherDuring(ctx context.Context, l *lease, f *feed, p *plan) error {
	if b.now().Sub(b.gathered) < b.config.ChangesEvery {
		return nil
	}
	if err := b.gather(ctx, l, f); err != nil {
		return err
	}
	if f.position.Generation != p.since.Generation {
		return errChanged
	}
	return nil
}

// publish replaces the manifest by that of the finished build.
func (b *Builder) publish(ctx context.Context, l *lease, p *plan, f *feed) error {
	m := p.manifest(b.layout.Epoch, b.config.MaxAge, f.rate.perDay(b.now()))
	if err := b.prolong(ctx, m.Shards); err != nil {
		if errors.Is(err, errShardLost) {
			return errors.Join(err, b.abandon(ctx, l, p))
		}
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	left := time.UnixMilli(m.Created).Add(b.config.MaxAge).Sub(b.now())
	if left < time.Millisecond {
		return errors.Join(errChanged, b.abandon(ctx, l, p))
	}
	err = run(ctx, b.rdb, publishScript, []string{b.keys.lease, b.keys.build, b.keys.feed, b.keys.manifest},
		l.owner, p.name, len(p.fields())/2+len(p.done), decimal(p.since.Generation), text, left.Milliseconds())
	if err != nil {
		return err
	}
	b.config.OnBuilt(m)
	return nil
}

// prolong gives every shard its full life again, and returns errShardLost if one is not there any more.
func (b *Builder) prolong(ctx context.Context, shards []Shard) error {
	pipe := b.rdb.Pipeline()
	answers := make([]*redis.BoolCmd, len(shards))
	for i, shard := range shards {
		answers[i] = pipe.PExpire(ctx, b.keys.shard(shard.ID), b.shardLife())
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return unavailable(err)
	}
	for _, answer := range answers {
		if !answer.Val() {
			return errShardLost
		}
	}
	return nil
}

// abandon marks the build as one that nobody can go on with.
func (b *Builder) abandon(ctx context.Context, l *lease, p *plan) error {
	return run(ctx, b.rdb, recordScript, []string{b.keys.lease, b.keys.build}, l.owner, p.name, fieldName, "")
}
