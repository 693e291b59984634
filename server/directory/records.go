package directory

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/kith-project/kith/crypto"
	"github.com/redis/go-redis/v9"
)

// Scanned is one field of a bucket: a record, or why it is none.
type Scanned struct {
	// Entry is the record with its tag. Beside an Err it has the tag alone, if the field is one.
	Entry
	// Err is ErrRecord for a malformed value, and for a field that is not a tag of its bucket.
	Err error
}

// ScanBuckets returns for each of the buckets all its records, tombstones too, in ascending order of their tags, a bucket
// given twice twice. All are read in one pipeline, each at one moment, so the caller bounds their number, as with Buckets.
//
// Malformed records are told one by one, and to Config.OnCorrupt. It returns ErrIncomplete if a partition of any bucket
// is missing, ErrUnavailable, or ErrLayout, also for a bucket that the layout does not have.
func (s *Store) ScanBuckets(ctx context.Context, layout Layout, buckets []uint32) ([][]Scanned, error) {
	if err := layout.validBuckets(buckets); err != nil || len(buckets) == 0 {
		return nil, err
	}
	fields, err := s.readBuckets(ctx, layout, buckets)
	if err != nil {
		return nil, err
	}
	all := make([][]Scanned, len(buckets))
	for i, bucket := range buckets {
		all[i] = s.scanned(layout, bucket, fields[i])
	}
	return all, nil
}

// scanned decodes the fields of one bucket, in order.
func (s *Store) scanned(layout Layout, bucket uint32, fields map[string]string) []Scanned {
	records := make([]Scanned, 0, len(fields))
	malformed := 0
	for field, value := range fields {
		entry, err := decodeEntry(layout, bucket, field, value)
		if err != nil {
			malformed++
		}
		records = append(records, Scanned{entry, err})
	}
	s.corrupt(malformed)
	slices.SortFunc(records, func(a, b Scanned) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	return records
}

// Found is what is stored under one tag.
type Found struct {
	// Record is what is stored, if Err is nil.
	Record Record
	// Raw is its stored form, for Write.Expect; nil if there is none.
	Raw []byte
	// Err is ErrNotFound if there is no record, not even a tombstone, and ErrRecord if what is stored is malformed.
	Err error
}

// GetAll returns what is stored under each of the tags, in their order. All are read in one pipeline, so the caller bounds
// their number. Malformed values are told one by one, and to Config.OnCorrupt.
//
// It returns ErrIncomplete if a partition of any tag is missing, ErrUnavailable or ErrLayout.
func (s *Store) GetAll(ctx context.Context, layout Layout, tags []crypto.Tag) ([]Found, error) {
	if err := layout.Validate(); err != nil || len(tags) == 0 {
		return nil, err
	}
	values, err := s.readTags(ctx, layout, tags)
	if err != nil {
		return nil, err
	}
	found := make([]Found, len(tags))
	malformed := 0
	for i, value := range values {
		raw, err := value.Bytes()
		switch {
		case errors.Is(err, redis.Nil):
			found[i].Err = ErrNotFound
			continue
		case err != nil:
			return nil, unavailable(err)
		}
		found[i].Raw = raw
		if found[i].Err = found[i].Record.UnmarshalBinary(raw); found[i].Err != nil {
			malformed++
		}
	}
	s.corrupt(malformed)
	return found, nil
}

// readTags reads the values of tags, and the fences of their partitions after them, in one pipeline.
func (s *Store) readTags(ctx context.Context, layout Layout, tags []crypto.Tag) ([]*redis.StringCmd, error) {
	pipe := s.rdb.Pipeline()
	values := make([]*redis.StringCmd, len(tags))
	partitions := make(map[uint32]struct{})
	for i, tag := range tags {
		values[i] = pipe.HGet(ctx, layout.bucketKey(layout.Bucket(tag)), layout.Field(tag))
		partitions[layout.Partition(tag)] = struct{}{}
	}
	present := s.askPresence(ctx, pipe, layout, slices.Collect(maps.Keys(partitions))...)
	_, err := pipe.Exec(ctx)
	return values, present.check(err)
}
