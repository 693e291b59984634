package snapshot

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrNone is returned when no set has been published yet, or the last one reached its maximum age.
	ErrNone = errors.New("snapshot: none published")
	// ErrNotFound is returned for a shard that is not stored, or no longer.
	ErrNotFound = errors.New("snapshot: no such shard")
	// ErrCorrupt is returned for a stored shard whose bytes are not those of its name.
	ErrCorrupt = errors.New("snapshot: shard does not match its id")
	// ErrManifest is returned for a manifest that is malformed or contradicts itself.
	ErrManifest = errors.New("snapshot: invalid manifest")
	// ErrPosition is returned for text that is not a position in a feed.
	ErrPosition = errors.New("snapshot: invalid position")
	// ErrTrimmed is returned for a position after which the feed is no longer known. The device takes the manifest anew.
	ErrTrimmed = errors.New("snapshot: changes since the position are gone")
	// ErrUnavailable is returned when Redis could not be reached or could not answer.
	ErrUnavailable = errors.New("snapshot: Redis unavailable")
	// ErrConfig is returned for settings that contradict each other.
	ErrConfig = errors.New("snapshot: invalid settings")
	// ErrLease is reported when a builder finds that its lease has passed to another.
	ErrLease = errors.New("snapshot: lease lost")
)

// errChanged means that a script found another state than it was to change. The state is read again.
var errChanged = errors.New("snapshot: changed meanwhile")

// unavailable returns err as an ErrUnavailable without its text, which may name keys and addresses. An ended context is
// the only cause that stays visible to errors.Is.
func unavailable(err error) error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			return fmt.Errorf("%w: %w", ErrUnavailable, ended)
		}
	}
	return ErrUnavailable
}
