package directory

import "context"

// sweepKeys bounds the keys of one UNLINK.
const sweepKeys = 512

// Sweep removes a partition with everything in it, for epochs that are retired or aborted. The meta key goes first, so
// that from then on every write is refused with ErrIncomplete and creates nothing anew. Repeating it is safe, as after a
// kill in the middle.
//
// It returns ErrUnavailable or ErrLayout. A missing partition is swept like any other.
func (s *Store) Sweep(ctx context.Context, layout Layout, partition uint32) error {
	if err := layout.validPartition(partition); err != nil {
		return err
	}
	keys := []string{layout.metaKey(partition), layout.changesKey(partition), layout.movesKey(partition)}
	bucket, end := layout.Buckets(partition)
	for {
		for ; bucket < end && len(keys) < sweepKeys; bucket++ {
			keys = append(keys, layout.bucketKey(uint32(bucket)))
		}
		if len(keys) == 0 {
			return nil
		}
		if err := s.rdb.Unlink(ctx, keys...).Err(); err != nil {
			return unavailable(err)
		}
		keys = keys[:0]
	}
}
