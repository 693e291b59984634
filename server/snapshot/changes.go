package snapshot

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/filter"
)

// Segment is a part of the feed.
type Segment struct {
	// Entries are changes in the wire form of package crypto/filter, in the order of the tags' first 8 bytes, at most one
	// for each of these.
	Entries []byte
	// Next is the position behind the segment.
	Next string
	// Closed says that this is what follows the position for ever, and can be cached. Otherwise no segment follows yet:
	// Next is the position that was asked for, and the entries, if any, are what the next segment is going to tell.
	Closed bool
}

// Changes returns the first segment after a position, which is the text of a manifest's ChangesSince or of a segment's
// Next.
//
// It returns ErrPosition if since is not a position; ErrTrimmed if what follows it is no longer known, or it is one of
// another feed, or no feed of this epoch ever reached it; ErrNone if there is no feed; ErrUnavailable; or, from ReadTail,
// an error of package directory.
func (s *Store) Changes(ctx context.Context, since string) (Segment, error) {
	position, err := ParsePosition(since)
	if err != nil {
		return Segment{}, err
	}
	var (
		state    *redis.SliceCmd
		segments *redis.XMessageSliceCmd
	)
	// One transaction: the feed must not be trimmed or begin anew between the reads.
	_, err = s.rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		state = tx.HMGet(ctx, s.keys.feed, fieldGeneration, fieldHead, fieldTrimmed, fieldPositions)
		segments = tx.XRangeN(ctx, s.keys.changes, position.next().streamID(), "+", 1)
		return nil
	})
	if err != nil {
		return Segment{}, unavailable(err)
	}
	values := state.Val()
	if len(values) != 4 {
		return Segment{}, ErrUnavailable
	}
	head, trimmed, err := parseState(values[:3])
	if err != nil {
		return Segment{}, err
	}
	if position.Generation != head.Generation || position.Segment > head.Segment || position.Segment < trimmed {
		return Segment{}, ErrTrimmed
	}
	if position == head {
		return s.openEnd(ctx, head, values[3])
	}
	return decodeSegment(segments.Val(), position.next())
}

// openEnd returns what follows the last segment.
func (s *Store) openEnd(ctx context.Context, head Position, positions any) (Segment, error) {
	end := Segment{Next: head.String()}
	if s.tail == nil {
		return end, nil
	}
	stored, _ := positions.(string)
	var err error
	end.Entries, err = s.tail.after(ctx, head, stored, s.now())
	return end, err
}

// parseState decodes the state of a feed. It returns ErrNone if there is none, or ErrUnavailable.
func parseState(values []any) (head Position, trimmed uint64, err error) {
	if len(values) != 3 {
		return Position{}, 0, ErrUnavailable
	}
	if values[0] == nil {
		return Position{}, 0, ErrNone
	}
	var texts [3]string
	for i, value := range values {
		texts[i], _ = value.(string)
	}
	head, err1 := ParsePosition(texts[0] + "." + texts[1])
	trimmed, err2 := strconv.ParseUint(texts[2], 10, 53)
	if err := errors.Join(err1, err2); err != nil {
		return Position{}, 0, ErrUnavailable
	}
	return head, trimmed, nil
}

// decodeSegment returns the segment that ends at want, from what was read of the stream. A state that promises a segment
// which is not there, or is malformed, means that segments were lost: ErrTrimmed.
func decodeSegment(messages []redis.XMessage, want Position) (Segment, error) {
	if len(messages) != 1 || messages[0].ID != want.streamID() {
		return Segment{}, ErrTrimmed
	}
	text, _ := messages[0].Values["e"].(string)
	entries := []byte(strings.Clone(text))
	if _, err := filter.ParseChanges(entries); err != nil || len(entries) == 0 {
		return Segment{}, ErrTrimmed
	}
	return Segment{Entries: entries, Next: want.String(), Closed: true}, nil
}
