package directory

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Move is what a rotation keeps of having moved one bucket to another epoch: a proof, which means nothing here.
type Move struct {
	Bucket uint32
	Kept   []byte
}

// SaveMoves stores moves of buckets of one partition to the epoch target, beside that partition, as the writer of a
// keyring generation. What was kept of the same buckets is replaced, and what was kept of moves of the partition to an
// earlier epoch is removed: ids of epochs are never used twice, so that was aborted.
//
// It returns ErrStale if the partition has seen a higher generation, or moves to a later epoch; ErrIncomplete if it is
// missing; ErrUnavailable; ErrLayout, also for a bucket of another partition; or ErrRecord for an invalid generation.
func (s *Store) SaveMoves(ctx context.Context, layout Layout, generation uint64, partition, target uint32, moves []Move) error {
	if err := layout.validPartition(partition); err != nil {
		return err
	}
	if generation >= VersionEnd {
		return ErrRecord
	}
	c := &call{
		keys: []string{layout.metaKey(partition), layout.movesKey(partition)},
		args: append(make([]any, 0, 2+2*len(moves)), decimal(generation), decimal(uint64(target))),
	}
	first, end := layout.Buckets(partition)
	for _, m := range moves {
		if uint64(m.Bucket) < first || uint64(m.Bucket) >= end {
			return fmt.Errorf("%w: no such bucket in the partition", ErrLayout)
		}
		c.args = append(c.args, decimal(uint64(m.Bucket)), m.Kept)
	}
	s.run(ctx, movesScript, []*call{c})
	return c.err
}

// Moves returns what is kept of the moves of buckets of one partition to the epoch target, in the order of the buckets, nil
// for one of which nothing is.
//
// It returns ErrIncomplete if the partition is missing, ErrUnavailable or ErrLayout.
func (s *Store) Moves(ctx context.Context, layout Layout, partition, target uint32, buckets []uint32) ([][]byte, error) {
	if err := layout.validPartition(partition); err != nil {
		return nil, err
	}
	fields := make([]string, 0, 1+len(buckets))
	fields = append(fields, "epoch")
	for _, bucket := range buckets {
		fields = append(fields, decimal(uint64(bucket)))
	}
	pipe := s.rdb.Pipeline()
	answer := pipe.HMGet(ctx, layout.movesKey(partition), fields...)
	present := s.askPresence(ctx, pipe, layout, partition)
	_, err := pipe.Exec(ctx)
	if err := present.check(err); err != nil {
		return nil, err
	}
	return parseMoves(answer, target, len(buckets))
}

// parseMoves reads the epoch and what is kept of so many buckets.
func parseMoves(answer *redis.SliceCmd, target uint32, buckets int) ([][]byte, error) {
	values, err := answer.Result()
	if err != nil {
		return nil, unavailable(err)
	}
	if len(values) != 1+buckets {
		return nil, errUnexpectedReply
	}
	kept := make([][]byte, buckets)
	if epoch, _ := values[0].(string); epoch != decimal(uint64(target)) {
		return kept, nil
	}
	for i, value := range values[1:] {
		if text, ok := value.(string); ok {
			kept[i] = []byte(text)
		}
	}
	return kept, nil
}

// DropMoves removes what is kept of the moves of one partition to the epoch target, which was aborted, or to an earlier
// one. Repeating it is safe, and so is a missing partition.
//
// It returns ErrUnavailable or ErrLayout.
func (s *Store) DropMoves(ctx context.Context, layout Layout, partition, target uint32) error {
	if err := layout.validPartition(partition); err != nil {
		return err
	}
	c := &call{keys: []string{layout.movesKey(partition)}, args: []any{decimal(uint64(target))}}
	s.run(ctx, dropMovesScript, []*call{c})
	return c.err
}
