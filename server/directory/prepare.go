package directory

import "context"

// maxPipeline bounds the commands of one pipeline in operations on a whole epoch.
const maxPipeline = 256

// Prepare creates every partition of an epoch with the fence at generation, up to VersionEnd-1, and raises the fence of
// those that exist. Repeating it is safe, as after a kill in the middle: an existing partition keeps its records, and no
// fence is lowered.
//
// It has to succeed before the epoch is first written to, and must not be called after: it would create a partition anew
// whose data was lost, which is what ErrIncomplete guards against.
//
// It returns ErrStale if any partition has seen a higher generation, ErrUnavailable, ErrLayout, or ErrRecord for an
// invalid generation. Partitions that were created until then stay.
func (s *Store) Prepare(ctx context.Context, layout Layout, generation uint64) error {
	if err := layout.Validate(); err != nil {
		return err
	}
	if generation >= VersionEnd {
		return ErrRecord
	}
	for first := uint64(0); first < layout.Partitions(); first += maxPipeline {
		var calls []*call
		for p := first; p < min(first+maxPipeline, layout.Partitions()); p++ {
			calls = append(calls, fenceCall(layout, uint32(p), generation, true))
		}
		s.run(ctx, fenceScript, calls)
		for _, c := range calls {
			if c.err != nil {
				return c.err
			}
		}
	}
	return nil
}

// RaiseFence raises the fence of one partition to generation, up to VersionEnd-1, so that every write of an older
// generation that comes later is refused. A rotation does so before it reads the partition to copy it.
//
// It returns ErrStale if the partition has seen a higher generation, ErrIncomplete if it is missing, ErrUnavailable,
// ErrLayout, or ErrRecord for an invalid generation.
func (s *Store) RaiseFence(ctx context.Context, layout Layout, partition uint32, generation uint64) error {
	if err := layout.validPartition(partition); err != nil {
		return err
	}
	if generation >= VersionEnd {
		return ErrRecord
	}
	c := fenceCall(layout, partition, generation, false)
	s.run(ctx, fenceScript, []*call{c})
	return c.err
}

// fenceCall builds the call of fence.lua for one partition.
func fenceCall(layout Layout, partition uint32, generation uint64, create bool) *call {
	flag := "0"
	if create {
		flag = "1"
	}
	return &call{keys: []string{layout.metaKey(partition)}, args: []any{decimal(generation), flag}}
}
