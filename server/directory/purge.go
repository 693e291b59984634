package directory

import (
	"context"
	"errors"
)

// maxCallPurges bounds the tombstones of one script call, as maxCallWrites does the writes.
const maxCallPurges = 512

// Purge removes the tombstones of deletions from one partition that are older than before, in ms since 1970, and returns
// how many. Hidden users are registered, and stay. Once a tombstone is gone, a late write of a version below the
// deletion's would register the user again, so before is chosen longer ago than any write can be under way.
//
// A tombstone is removed only if it is still what was read, in scripts of at most 512, so writes may go on meanwhile; no
// fence is needed, since no write is lost by it. Repeating it is safe, as after a kill in the middle.
//
// It returns ErrIncomplete if the partition is missing, ErrUnavailable or ErrLayout; ErrRecord if it met malformed
// records, which it leaves, after it has purged the others. The number is that of the removals that are known of, also
// beside an error.
func (s *Store) Purge(ctx context.Context, layout Layout, partition uint32, before uint64) (purged int, err error) {
	if err := layout.validPartition(partition); err != nil {
		return 0, err
	}
	var malformed error
	first, end := layout.Buckets(partition)
	for ; first < end; first += scanBuckets {
		n, err := s.purgeBuckets(ctx, layout, numbers(first, min(first+scanBuckets, end)), before)
		purged += n
		if errors.Is(err, ErrRecord) {
			malformed = err
		} else if err != nil {
			return purged, err
		}
	}
	return purged, malformed
}

// purgeBuckets purges a few buckets of one partition.
func (s *Store) purgeBuckets(ctx context.Context, layout Layout, buckets []uint32, before uint64) (purged int, err error) {
	fields, err := s.readBuckets(ctx, layout, buckets)
	if err != nil {
		return 0, err
	}
	var (
		calls     []*call
		errs      errorSet
		malformed int
	)
	for i, bucket := range buckets {
		args, bad := purgeable(layout, bucket, fields[i], before)
		malformed += bad
		for len(args) > 0 {
			batch := args[:min(len(args), 2*maxCallPurges)]
			calls = append(calls, &call{
				keys: []string{layout.metaKey(layout.PartitionOf(bucket)), layout.bucketKey(bucket)}, args: batch,
			})
			args = args[len(batch):]
		}
	}
	s.run(ctx, purgeScript, calls)
	for _, c := range calls {
		removed, err := decodeRemoved(c)
		purged += removed
		errs.add(err)
	}
	if err := errs.join(); err != nil {
		return purged, err
	}
	if malformed > 0 {
		s.corrupt(malformed)
		return purged, ErrRecord
	}
	return purged, nil
}

// purgeable returns the tombstones of a bucket that are to be purged, as arguments of purge.lua, and the number of
// malformed records.
func purgeable(layout Layout, bucket uint32, fields map[string]string, before uint64) (args []any, malformed int) {
	for field, value := range fields {
		entry, err := decodeEntry(layout, bucket, field, value)
		if err != nil {
			malformed++
		} else if entry.Record.Format == Deleted && entry.Record.Since < before {
			args = append(args, field, value)
		}
	}
	return args, malformed
}

// decodeRemoved returns how many tombstones a call of purge.lua has removed.
func decodeRemoved(c *call) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(c.reply) != 1 {
		return 0, errUnexpectedReply
	}
	removed, ok := c.reply[0].(int64)
	if !ok || removed < 0 {
		return 0, errUnexpectedReply
	}
	return int(removed), nil
}
