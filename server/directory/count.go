package directory

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Counts are numbers of records by format. They are kept by the writing script, so counting reads no records; replacing
// malformed values can make them drift.
type Counts struct {
	Visible, Hidden, Deleted int64
}

// Count returns the counts of a whole epoch. Partitions are counted at different moments.
//
// It returns ErrIncomplete if any partition is missing, ErrRecord if a stored count is not a number, ErrUnavailable or
// ErrLayout, and then no counts.
func (s *Store) Count(ctx context.Context, layout Layout) (Counts, error) {
	if err := layout.Validate(); err != nil {
		return Counts{}, err
	}
	var total Counts
	for first := uint64(0); first < layout.Partitions(); first += maxPipeline {
		pipe := s.rdb.Pipeline()
		var answers []*redis.SliceCmd
		for p := first; p < min(first+maxPipeline, layout.Partitions()); p++ {
			answers = append(answers, pipe.HMGet(ctx, layout.metaKey(uint32(p)), "fence", "visible", "hidden", "deleted"))
		}
		_, err := pipe.Exec(ctx)
		if err := pipelineFailed(err); err != nil {
			return Counts{}, err
		}
		for _, answer := range answers {
			if err := total.add(answer); err != nil {
				return Counts{}, err
			}
		}
	}
	return total, nil
}

// add adds the counts of one partition, read as fence, visible, hidden and deleted.
func (c *Counts) add(answer *redis.SliceCmd) error {
	values, err := answer.Result()
	if err != nil {
		return unavailable(err)
	}
	if len(values) != 4 {
		return errUnexpectedReply
	}
	if values[0] == nil {
		return ErrIncomplete
	}
	for i, sum := range []*int64{&c.Visible, &c.Hidden, &c.Deleted} {
		text, _ := values[i+1].(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return ErrRecord
		}
		*sum += n
	}
	return nil
}
