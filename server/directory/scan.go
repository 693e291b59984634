package directory

import (
	"context"
	"iter"

	"github.com/kith-project/kith/crypto"
)

// scanBuckets is how many buckets are read in one pipeline: at 50 records of 126 bytes each, about 200 KB.
const scanBuckets = 32

// Entry is a record with its tag.
type Entry struct {
	Tag    crypto.Tag
	Record Record
}

// Scan iterates over all records of one partition, tombstones too, in ascending order of their tags. Each bucket is read
// at one moment, different buckets at different moments: records that are written meanwhile may be missed.
//
// A malformed record comes as ErrRecord, with its tag if that can be told, and the scan goes on. Any other error is the
// last that is yielded: ErrIncomplete if the partition is missing, ErrUnavailable or ErrLayout.
func (s *Store) Scan(ctx context.Context, layout Layout, partition uint32) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := layout.validPartition(partition); err != nil {
			yield(Entry{}, err)
			return
		}
		first, end := layout.Buckets(partition)
		for ; first < end; first += scanBuckets {
			buckets := numbers(first, min(first+scanBuckets, end))
			fields, err := s.readBuckets(ctx, layout, buckets)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for i, bucket := range buckets {
				if !s.yieldBucket(layout, bucket, fields[i], yield) {
					return
				}
			}
		}
	}
}

// numbers returns the numbers from first to before end.
func numbers(first, end uint64) []uint32 {
	all := make([]uint32, 0, end-first)
	for ; first < end; first++ {
		all = append(all, uint32(first))
	}
	return all
}

// yieldBucket yields the records of one bucket in order, and reports whether the iteration goes on.
func (s *Store) yieldBucket(layout Layout, bucket uint32, fields map[string]string, yield func(Entry, error) bool) bool {
	for _, r := range s.scanned(layout, bucket, fields) {
		if !yield(r.Entry, r.Err) {
			return false
		}
	}
	return true
}

// decodeEntry decodes one field of a bucket. It returns ErrRecord if the value is malformed, and if the field is not a
// tag of this bucket, where no lookup would find it.
func decodeEntry(layout Layout, bucket uint32, field, value string) (Entry, error) {
	tag, ok := layout.tag(bucket, field)
	entry := Entry{Tag: tag}
	if !ok {
		return entry, ErrRecord
	}
	return entry, entry.Record.UnmarshalBinary([]byte(value))
}
