package directory

import (
	"context"
	"strconv"
	"strings"

	"github.com/kith-project/kith/crypto"
	"github.com/redis/go-redis/v9"
)

// maxChanges bounds the entries that Changes reads of one partition: at about 40 bytes each, 20 KB.
const maxChanges = 512

// Position is how far a reader knows the changes of one partition.
type Position struct {
	// Partition is whose changes are read.
	Partition uint32
	// Change is the number of the last change that is known, 0 for none.
	Change uint64
}

// Change is one registration that became visible, or is no longer. A new label is no change.
type Change struct {
	Tag     crypto.Tag
	Visible bool
	// Version is that of the write which made the change.
	Version uint64
}

// Changes is what happened in one partition after a position.
type Changes struct {
	// Entries are the changes in the order in which they took effect, at most 512 at a time.
	Entries []Change
	// Position is that of the last entry, or the position that was asked for if there is none.
	Position Position
	// More says that there are further changes: ask again at Position. Without it, and without Gap and Err, the entries
	// are all changes that were made before the call.
	More bool
	// Gap says that not all changes after the position are known: entries were trimmed, lost or malformed, or a failover
	// rolled the partition back behind the position. There are no Entries then. The reader takes Store.Position and reads
	// the partition again.
	Gap bool
	// Err is why nothing is known of this partition: ErrIncomplete if it is missing, or ErrUnavailable.
	Err error
}

// Changes returns what happened in many partitions after a position in each, in the order of after. The partitions are
// asked 256 in one pipeline. One that does not answer does not spoil the others: its error is in its own result. A
// rollback that was written over until its numbers reach the position again can not be seen.
//
// It returns ErrLayout, and then no results, if the layout is invalid or does not have a partition.
func (s *Store) Changes(ctx context.Context, layout Layout, after []Position) ([]Changes, error) {
	if err := layout.Validate(); err != nil {
		return nil, err
	}
	for _, position := range after {
		if err := layout.validPartition(position.Partition); err != nil {
			return nil, err
		}
	}
	results := make([]Changes, 0, len(after))
	for len(after) > 0 {
		batch := after[:min(len(after), maxPipeline)]
		results = s.appendChanges(ctx, results, layout, batch)
		after = after[len(batch):]
	}
	return results, nil
}

// appendChanges reads the changes of a few partitions in one pipeline.
func (s *Store) appendChanges(ctx context.Context, results []Changes, layout Layout, after []Position) []Changes {
	pipe := s.rdb.Pipeline()
	counters := make([]*redis.SliceCmd, len(after))
	streams := make([]*redis.XMessageSliceCmd, len(after))
	for i, position := range after {
		// The counter goes first, so that the stream, read later, has to hold every change up to it.
		counters[i] = pipe.HMGet(ctx, layout.metaKey(position.Partition), "fence", "changes")
		streams[i] = pipe.XRangeN(ctx, layout.changesKey(position.Partition), changeID(position.Change+1), "+", maxChanges)
	}
	_, err := pipe.Exec(ctx)
	failed := pipelineFailed(err)
	for i, position := range after {
		result := Changes{Position: position}
		counter, err := readCounter(counters[i], failed)
		switch {
		case err != nil:
			result.Err = err
		case streams[i].Err() != nil:
			result.Err = unavailable(streams[i].Err())
		default:
			result.follow(counter, streams[i].Val(), s.corrupt)
		}
		results = append(results, result)
	}
	return results
}

// follow fills in what the counter and the stream of a partition say about the changes after c.Position.
func (c *Changes) follow(counter uint64, messages []redis.XMessage, corrupt func(records int)) {
	last := c.Position.Change
	if counter < last {
		c.Gap = true
		return
	}
	entries := make([]Change, 0, len(messages))
	for _, message := range messages {
		number, change, err := parseChange(message)
		if err != nil {
			corrupt(1)
		}
		if err != nil || number != last+1 {
			c.Gap = true
			return
		}
		entries = append(entries, change)
		last = number
	}
	more := last < counter
	if more && len(messages) < maxChanges {
		c.Gap = true
		return
	}
	c.Entries, c.More, c.Position.Change = entries, more, last
}

// Position returns the number of a partition's last change, 0 for none. Who wants to follow the partition takes it before
// reading the records: the changes after it, applied to what was read, lead to the present however reading and writing
// overlapped.
//
// It returns ErrIncomplete if the partition is missing, ErrUnavailable or ErrLayout.
func (s *Store) Position(ctx context.Context, layout Layout, partition uint32) (Position, error) {
	if err := layout.validPartition(partition); err != nil {
		return Position{}, err
	}
	number, err := readCounter(s.rdb.HMGet(ctx, layout.metaKey(partition), "fence", "changes"), nil)
	return Position{Partition: partition, Change: number}, err
}

// readCounter returns the number of changes of a partition from its fence and changes fields. failed is the error of the
// pipeline as a whole, which stands for that of commands that have no error and no answer.
func readCounter(answer *redis.SliceCmd, failed error) (uint64, error) {
	values, err := answer.Result()
	switch {
	case err != nil:
		return 0, unavailable(err)
	case values == nil && failed != nil:
		return 0, failed
	case len(values) != 2:
		return 0, errUnexpectedReply
	case values[0] == nil || values[1] == nil:
		return 0, ErrIncomplete
	}
	text, _ := values[1].(string)
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || number >= VersionEnd {
		return 0, ErrIncomplete // apply.lua counts on with what is no number as little as with what is missing
	}
	return number, nil
}

// changeID returns the stream id of a change's number.
func changeID(number uint64) string { return decimal(number) + "-0" }

// parseChange decodes an entry of a change stream. It returns ErrRecord unless the entry is exactly what apply.lua adds.
func parseChange(message redis.XMessage) (number uint64, change Change, err error) {
	id, ok := strings.CutSuffix(message.ID, "-0")
	number, parsed := parseDecimal(id)
	text, _ := message.Values["c"].(string)
	if !ok || !parsed || len(text) != headerSize+crypto.TagSize || len(message.Values) != 1 {
		return 0, Change{}, ErrRecord
	}
	format, version := header([]byte(text))
	if format < Visible || format > Deleted || !validVersion(version) {
		return 0, Change{}, ErrRecord
	}
	return number, Change{Tag: crypto.Tag([]byte(text[headerSize:])), Visible: format == Visible, Version: version}, nil
}

// parseDecimal returns the number from 1 to VersionEnd-1 that decimal writes as text, and whether there is one.
func parseDecimal(text string) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && validVersion(n) && decimal(n) == text
}
