package snapshot

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// The fields of a build in Redis, besides one for each finished shard.
const (
	fieldName      = "build"
	fieldCreated   = "created"
	fieldShardBits = "shard_bits"
	fieldSince     = "since"
	fieldMalformed = "malformed"
)

// plan is a build under way.
type plan struct {
	name      string // random: no two builds are the same
	created   int64  // ms since 1970
	shardBits uint8
	since     Position // of the feed, from before the first record was read
	malformed int
	done      map[uint32]Shard
	resumed   bool
}

// shards iterates over the numbers of all shards.
func (p *plan) shards() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for n := uint64(0); n < 1<<p.shardBits; n++ {
			if !yield(uint32(n)) {
				return
			}
		}
	}
}

// finish adds a finished shard.
func (p *plan) finish(shard Shard, malformed int) {
	p.done[shard.Shard] = shard
	p.malformed += malformed
}

func (p *plan) progress() Progress {
	progress := Progress{Shards: len(p.done), Total: 1 << p.shardBits, Malformed: p.malformed, Resumed: p.resumed}
	for _, shard := range p.done {
		progress.Keys += shard.Keys
	}
	return progress
}

// manifest returns the manifest of the build, all of whose shards are finished.
func (p *plan) manifest(epoch uint32, maxAge time.Duration, changesADay int64) Manifest {
	m := Manifest{
		Epoch:            epoch,
		Created:          p.created,
		MaxAge:           int64(maxAge / time.Second),
		Filter:           FilterName,
		ShardBits:        p.shardBits,
		ChangesSince:     p.since,
		ChangesBytesADay: changesADay,
	}
	for number := range p.shards() {
		shard := p.done[number]
		m.Keys += shard.Keys
		m.Bytes += shard.Bytes
		m.Shards = append(m.Shards, shard)
	}
	return m
}

// fields returns the fields of the build without its shards, each followed by its value.
func (p *plan) fields() []any {
	return []any{
		fieldName, p.name,
		fieldCreated, p.created,
		fieldShardBits, p.shardBits,
		fieldSince, p.since.String(),
		fieldMalformed, p.malformed,
	}
}

// shardField returns the field of a finished shard.
func shardField(number uint32) string {
	return "s" + decimal(uint64(number))
}

// shardValue returns what the field of a finished shard holds.
func shardValue(s Shard) string {
	return fmt.Sprintf("%s %d %d", s.ID, s.Keys, s.Bytes)
}

// resume returns the build under way, or nil if there is none to go on with: none at all, one that is so old that the
// next would be due, one of another feed, or one that can not be read. It returns ErrUnavailable.
func (b *Builder) resume(ctx context.Context, f *feed) (*plan, error) {
	fields, err := b.rdb.HGetAll(ctx, b.keys.build).Result()
	if err != nil {
		return nil, unavailable(err)
	}
	p, ok := parsePlan(fields)
	if !ok && len(fields) > 0 {
		b.config.OnCorrupt(1)
	}
	if !ok || p.shardBits > b.layout.PartitionBits || p.since.Generation != f.position.Generation {
		return nil, nil
	}
	age := b.now().Sub(time.UnixMilli(p.created))
	if age < 0 || age >= b.config.Interval {
		return nil, nil
	}
	return p, nil
}

// parsePlan decodes the fields of a build, and reports whether they are those of one.
func parsePlan(fields map[string]string) (*plan, bool) {
	created, err1 := strconv.ParseInt(fields[fieldCreated], 10, 64)
	bits, err2 := strconv.ParseUint(fields[fieldShardBits], 10, 8)
	since, err3 := ParsePosition(fields[fieldSince])
	malformed, err4 := strconv.Atoi(fields[fieldMalformed])
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return nil, false
		}
	}
	if fields[fieldName] == "" || created <= 0 || bits > maxShardBits || malformed < 0 {
		return nil, false
	}
	p := &plan{
		name: fields[fieldName], created: created, shardBits: uint8(bits), since: since, malformed: malformed,
		done: make(map[uint32]Shard), resumed: true,
	}
	var keys, bytes int64
	for field, value := range fields {
		number, isShard := strings.CutPrefix(field, "s")
		n, err := strconv.ParseUint(number, 10, 32)
		if !isShard || err != nil {
			continue // shard_bits and since begin with the same letter
		}
		shard, ok := parseShard(uint32(n), value)
		if !ok || n >= 1<<bits || field != shardField(uint32(n)) {
			return nil, false
		}
		p.done[shard.Shard] = shard
		keys, bytes = keys+shard.Keys, bytes+shard.Bytes
		if keys >= positionEnd || bytes >= positionEnd { // together with the others they would be no sums
			return nil, false
		}
	}
	// publish.lua counts the fields, so others would keep the build from ever being published.
	return p, len(fields) == len(p.fields())/2+len(p.done)
}

// parseShard decodes what the field of a finished shard holds.
func parseShard(number uint32, value string) (Shard, bool) {
	shard := Shard{Shard: number}
	parts := strings.Split(value, " ")
	if len(parts) != 3 {
		return Shard{}, false
	}
	id, err1 := ParseID(parts[0])
	keys, err2 := strconv.ParseInt(parts[1], 10, 64)
	bytes, err3 := strconv.ParseInt(parts[2], 10, 64)
	shard.ID, shard.Keys, shard.Bytes = id, keys, bytes
	return shard, err1 == nil && err2 == nil && err3 == nil &&
		keys >= 0 && keys < positionEnd && bytes >= 0 && bytes < positionEnd
}
