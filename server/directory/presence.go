package directory

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// fenceReads are reads of the fences of partitions, by which a reader knows that what it read is all there is.
//
// They go last into the pipeline. Redis runs the commands of a pipeline in order but lets others in between: if a server
// loses its data before some of the reads, the fence read after them is missing too.
type fenceReads []*redis.StringCmd

func newFenceReads(n int) fenceReads {
	return make(fenceReads, 0, n)
}

// read adds the read of one partition's fence to the pipeline.
func (f *fenceReads) read(ctx context.Context, pipe redis.Pipeliner, layout Layout, partition uint32) {
	*f = append(*f, pipe.HGet(ctx, layout.metaKey(partition), "fence"))
}

// check returns ErrIncomplete if a partition is missing, ErrUnavailable if that is not known, and nil if all are there.
// It takes the error with which the pipeline's Exec returned.
func (f fenceReads) check(executed error) error {
	if err := pipelineFailed(executed); err != nil {
		return err
	}
	for _, fence := range f {
		switch err := fence.Err(); {
		case errors.Is(err, redis.Nil):
			return ErrIncomplete
		case err != nil:
			return unavailable(err)
		}
	}
	return nil
}
