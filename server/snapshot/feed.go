package snapshot

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/kith-project/kith/server/directory"
)

// The fields of a feed in Redis.
const (
	fieldGeneration = "generation"
	fieldHead       = "head"
	fieldTrimmed    = "trimmed"
	fieldPositions  = "positions"
	fieldDay        = "day"
	fieldBytes      = "bytes"
	fieldBefore     = "before"
)

const positionSize = 8 // bytes of a partition's position in Redis

// feed is the state of the changes feed, as far as the builder that gathers it needs it.
type feed struct {
	position  Position             // of its last segment
	positions []directory.Position // that it reaches, one for each partition
	rate      rate
}

// openFeed returns the feed as it is in Redis. It begins a new one if there is none, if it can not be read, or if it is
// behind what this builder has seen: a failover took segments back, and those that follow would be numbered as the lost
// ones that devices may have.
func (b *Builder) openFeed(ctx context.Context, l *lease) (*feed, error) {
	fields, err := b.rdb.HGetAll(ctx, b.keys.feed).Result()
	if err != nil {
		return nil, unavailable(err)
	}
	f, ok := parseFeed(fields, b.layout.Partitions())
	rolledBack := ok && (f.position.Generation < b.seen.Generation ||
		f.position.Generation == b.seen.Generation && f.position.Segment < b.seen.Segment)
	if ok && !rolledBack {
		b.seen = f.position
		return f, nil
	}
	if !ok && len(fields) > 0 {
		b.config.OnCorrupt(1)
	}
	f = new(feed)
	return f, b.newFeed(ctx, l, f, fields[fieldGeneration])
}

// newFeed begins a feed at the present in place of the last, whose generation is stored as text, and sets f to it. It
// returns ErrUnavailable, ErrLease, errChanged if the last is another, or an error of package directory.
func (b *Builder) newFeed(ctx context.Context, l *lease, f *feed, stored string) error {
	now := b.now()
	last, _ := strconv.ParseUint(stored, 10, 53) // 0 for what is no number
	// The clock keeps a generation from being used twice when a failover takes the last ones back.
	next := max(uint64(now.UnixMilli()), last+1, b.seen.Generation+1)
	if next >= positionEnd {
		next = uint64(now.UnixMilli()) // no feed has ever had the last one
	}
	fresh := feed{position: Position{Generation: next}, rate: newRate(now)}
	for partition := range b.layout.Partitions() {
		position, err := b.dir.Position(ctx, b.layout, uint32(partition))
		if err != nil {
			return fmt.Errorf("snapshot: position: %w", err)
		}
		fresh.positions = append(fresh.positions, position)
	}
	err := run(ctx, b.rdb, generationScript, []string{b.keys.lease, b.keys.feed, b.keys.changes},
		append([]any{l.owner, stored, decimal(fresh.position.Generation), fieldHead, 0, fieldTrimmed, 0}, fresh.fields()...)...)
	if err != nil {
		return err
	}
	*f = fresh
	b.seen = f.position
	return nil
}

// fields returns the fields that change with each segment, each followed by its value.
func (f *feed) fields() []any {
	positions := make([]byte, 0, positionSize*len(f.positions))
	for _, position := range f.positions {
		positions = binary.BigEndian.AppendUint64(positions, position.Change)
	}
	return []any{fieldPositions, positions, fieldDay, f.rate.day, fieldBytes, f.rate.bytes, fieldBefore, f.rate.before}
}

// parseFeed decodes the fields of a feed, and reports whether they are those of one of this many partitions. Rates that no
// feed has would become manifests that devices refuse.
func parseFeed(fields map[string]string, partitions uint64) (*feed, bool) {
	position, err := ParsePosition(fields[fieldGeneration] + "." + fields[fieldHead])
	if err != nil {
		return nil, false
	}
	f := &feed{position: position}
	for _, number := range []struct {
		field string
		value *int64
		least int64
	}{{fieldDay, &f.rate.day, 0}, {fieldBytes, &f.rate.bytes, 0}, {fieldBefore, &f.rate.before, -1}} {
		n, err := strconv.ParseInt(fields[number.field], 10, 64)
		if err != nil || n < number.least || n >= positionEnd {
			return nil, false
		}
		*number.value = n
	}
	var ok bool
	f.positions, ok = parsePositions(fields[fieldPositions], partitions)
	return f, ok
}

// parsePositions decodes the stored positions of all partitions, and reports whether there are as many.
func parsePositions(stored string, partitions uint64) ([]directory.Position, bool) {
	if uint64(len(stored)) != positionSize*partitions {
		return nil, false
	}
	positions := make([]directory.Position, partitions)
	for partition := range positions {
		change := binary.BigEndian.Uint64([]byte(stored[positionSize*partition:][:positionSize]))
		positions[partition] = directory.Position{Partition: uint32(partition), Change: change}
	}
	return positions, true
}

// appendSegment adds a segment that reaches positions, and moves f on. It returns ErrUnavailable, ErrLease, or errChanged
// if the feed is not where f is.
func (b *Builder) appendSegment(ctx context.Context, l *lease, f *feed, entries []byte, positions []directory.Position) error {
	now := b.now()
	next := feed{position: f.position.next(), positions: positions, rate: f.rate.add(now, len(entries))}
	args := []any{
		l.owner, decimal(f.position.Generation), decimal(f.position.Segment), decimal(next.position.Segment), entries, now.UnixMilli(),
	}
	err := run(ctx, b.rdb, appendScript, []string{b.keys.lease, b.keys.feed, b.keys.changes}, append(args, next.fields()...)...)
	if err != nil {
		return err
	}
	*f = next
	b.seen = f.position
	return nil
}

// trimBatch is how many segments are removed at a time: more than come in meanwhile.
const trimBatch = 8

// trim removes segments that are too old or too many.
func (b *Builder) trim(ctx context.Context, l *lease, f *feed) error {
	before := b.now().Add(-b.config.KeepChanges)
	return run(ctx, b.rdb, trimScript, []string{b.keys.lease, b.keys.feed, b.keys.changes},
		l.owner, decimal(f.position.Generation), max(before.Sub(time.UnixMilli(0)).Milliseconds(), 0), b.config.MaxSegments, trimBatch)
}
