package snapshot

import (
	"strconv"
	"strings"
)

// positionEnd is the first number that is too large for a position: what exact numbers of other languages end with.
const positionEnd = 1 << 53

// Position is a place in a feed: behind its segment of this number, or before the first if that is 0. It is text to
// others, "<generation>.<n>", which they give back as it is.
type Position struct {
	// Generation is which feed, from 1. It grows with each one of an epoch.
	Generation uint64
	// Segment is the number of the last segment that is known.
	Segment uint64
}

// ParsePosition returns the position whose String is text, or ErrPosition.
func ParsePosition(text string) (Position, error) {
	generation, segment, ok := strings.Cut(text, ".")
	if !ok {
		return Position{}, ErrPosition
	}
	var p Position
	for _, number := range []struct {
		text  string
		value *uint64
	}{{generation, &p.Generation}, {segment, &p.Segment}} {
		n, err := strconv.ParseUint(number.text, 10, 64)
		if err != nil || n >= positionEnd {
			return Position{}, ErrPosition
		}
		*number.value = n
	}
	// One text for each position: otherwise a cache would keep a segment under several names.
	if p.Generation == 0 || p.String() != text {
		return Position{}, ErrPosition
	}
	return p, nil
}

// String returns the text of the position.
func (p Position) String() string {
	return decimal(p.Generation) + "." + decimal(p.Segment)
}

// MarshalText returns the text of the position. The error is always nil.
func (p Position) MarshalText() ([]byte, error) {
	return []byte(p.String()), nil
}

// UnmarshalText sets p to the position with this text, or returns ErrPosition and leaves p as it was.
func (p *Position) UnmarshalText(text []byte) error {
	parsed, err := ParsePosition(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// streamID returns the id of the segment that ends at p.
func (p Position) streamID() string {
	return decimal(p.Generation) + "-" + decimal(p.Segment)
}

// next returns the position after one more segment.
func (p Position) next() Position {
	return Position{Generation: p.Generation, Segment: p.Segment + 1}
}

func decimal(n uint64) string {
	return strconv.FormatUint(n, 10)
}
