package directory

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// HighestFence returns the highest generation that any partition of an epoch has seen, 0 if all are missing. It is for
// restoring a keyring, whose generation has to be above. What is no generation lets no write pass and is left out. It returns
// ErrUnavailable or ErrLayout.
func (s *Store) HighestFence(ctx context.Context, layout Layout) (uint64, error) {
	if err := layout.Validate(); err != nil {
		return 0, err
	}
	highest := uint64(0)
	for first, end := uint64(0), layout.Partitions(); first < end; first += maxPipeline {
		pipe := s.rdb.Pipeline()
		var fences []*redis.StringCmd
		for partition := first; partition < min(first+maxPipeline, end); partition++ {
			fences = append(fences, pipe.HGet(ctx, layout.metaKey(uint32(partition)), "fence"))
		}
		_, err := pipe.Exec(ctx)
		if err := pipelineFailed(err); err != nil {
			return 0, err
		}
		for _, answer := range fences {
			text, err := answer.Result()
			if errors.Is(err, redis.Nil) {
				continue
			}
			if err != nil {
				return 0, unavailable(err)
			}
			if fence, err := strconv.ParseUint(text, 10, 53); err == nil {
				highest = max(highest, fence)
			}
		}
	}
	return highest, nil
}
