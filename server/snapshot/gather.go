package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/kith-project/kith/crypto/filter"
	"github.com/kith-project/kith/server/directory"
)

const (
	// maxSegment is the number of entries above which a segment takes no further partition: about 580 KiB.
	maxSegment = 65_536
	// maxRounds bounds the segments made at once, so that a build gets its turn while millions are imported.
	maxRounds = 16
)

// gather moves the feed on to the present. A partition that cannot be read is left where it is, and its error returned
// after the others were gathered. A gap begins a new feed.
func (b *Builder) gather(ctx context.Context, l *lease, f *feed) error {
	b.gathered = b.now()
	for range maxRounds {
		results, err := b.dir.Changes(ctx, b.layout, f.positions)
		if err != nil {
			return fmt.Errorf("snapshot: changes: %w", err)
		}
		g := fold(f.positions, results)
		if g.gap {
			return b.newFeed(ctx, l, f, decimal(f.position.Generation))
		}
		if len(g.entries) > 0 {
			if err := b.appendSegment(ctx, l, f, g.entries, g.positions); err != nil {
				return err
			}
		}
		if g.err != nil {
			return fmt.Errorf("snapshot: changes: %w", g.err)
		}
		if !g.more {
			break
		}
	}
	return b.trim(ctx, l, f)
}

// gathered is what partitions have to tell, for one segment.
type gathered struct {
	entries   []byte
	positions []directory.Position // that the entries reach
	more      bool                 // there is more to read
	gap       bool                 // not all changes are known; nothing else is set
	err       error                // of a partition
}

// fold makes one segment of what the partitions report after positions.
//
// Of several changes of a tag the last is kept, even a "-" after a "+" that no segment has told: a build under way may
// have read the record in between.
func fold(positions []directory.Position, results []directory.Changes) gathered {
	g := gathered{positions: slices.Clone(positions)}
	visible := make(map[filter.TagPrefix]bool)
	for i, result := range results {
		switch {
		case result.Gap:
			return gathered{gap: true}
		case result.Err != nil:
			g.err = result.Err
			continue
		case len(visible) > 0 && len(visible)+len(result.Entries) > maxSegment:
			g.more = true
			continue
		}
		// All changes of a tag are in one partition, in their order.
		for _, change := range result.Entries {
			visible[filter.Prefix(change.Tag)] = change.Visible
		}
		g.positions[i] = result.Position
		g.more = g.more || result.More
	}
	prefixes := slices.SortedFunc(maps.Keys(visible), func(a, b filter.TagPrefix) int { return bytes.Compare(a[:], b[:]) })
	for _, prefix := range prefixes {
		g.entries = filter.AppendChange(g.entries, filter.Change{Prefix: prefix, Visible: visible[prefix]})
	}
	return g
}
