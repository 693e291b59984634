package directory

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Buckets returns for each of the buckets its visible records in ascending order of their tags, a bucket given twice
// twice. All are read in one pipeline, each at one moment, so the caller bounds their number: a bucket of 50 records is
// 6.5 KB of answer.
//
// It answers for all buckets or for none, as Match does: it returns ErrIncomplete if a partition of any bucket is missing,
// ErrUnavailable, ErrRecord if any stored value is malformed or stands in a bucket that is not its tag's (the number is
// reported to Config.OnCorrupt), or ErrLayout, also for a bucket that the layout does not have.
func (s *Store) Buckets(ctx context.Context, layout Layout, buckets []uint32) ([][]Match, error) {
	if err := layout.validBuckets(buckets); err != nil || len(buckets) == 0 {
		return nil, err
	}
	fields, err := s.readBuckets(ctx, layout, buckets)
	if err != nil {
		return nil, err
	}
	matches := make([][]Match, len(buckets))
	malformed := 0
	for i, bucket := range buckets {
		found, bad := visibleOf(layout, bucket, fields[i])
		matches[i] = found
		malformed += bad
	}
	if malformed > 0 {
		s.corrupt(malformed)
		return nil, ErrRecord
	}
	return matches, nil
}

// visibleOf returns the visible records of one bucket in order, and the number of malformed ones.
func visibleOf(layout Layout, bucket uint32, fields map[string]string) (matches []Match, malformed int) {
	matches = make([]Match, 0, len(fields))
	for field, value := range fields {
		entry, err := decodeEntry(layout, bucket, field, value)
		if err != nil {
			malformed++
		} else if entry.Record.Format == Visible {
			matches = append(matches, Match{Tag: entry.Tag, Label: entry.Record.Label})
		}
	}
	slices.SortFunc(matches, func(a, b Match) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	return matches, malformed
}

// readBuckets returns the fields of each of the buckets, which the layout must have. It returns ErrIncomplete if any of
// their partitions is missing, or ErrUnavailable.
func (s *Store) readBuckets(ctx context.Context, layout Layout, buckets []uint32) ([]map[string]string, error) {
	pipe := s.rdb.Pipeline()
	answers := make([]*redis.MapStringStringCmd, len(buckets))
	partitions := make(map[uint32]struct{})
	for i, bucket := range buckets {
		answers[i] = pipe.HGetAll(ctx, layout.bucketKey(bucket))
		partitions[layout.PartitionOf(bucket)] = struct{}{}
	}
	present := s.askPresence(ctx, pipe, layout, slices.Collect(maps.Keys(partitions))...)
	_, err := pipe.Exec(ctx)
	if err := present.check(err); err != nil {
		return nil, err
	}
	fields := make([]map[string]string, len(answers))
	for i, answer := range answers {
		if fields[i], err = answer.Result(); err != nil {
			return nil, unavailable(err)
		}
	}
	return fields, nil
}
