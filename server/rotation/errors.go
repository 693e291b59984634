package rotation

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrUnavailable means that Redis did not answer, or not as it should.
	ErrUnavailable = errors.New("rotation: Redis unavailable")
	// ErrConfig means settings that are out of range.
	ErrConfig = errors.New("rotation: invalid settings")
	// ErrUnreadable means that records of the old epoch can not be read, more than the operator has accepted to lose. The
	// new epoch does not become active; or if it is, the old one is not retired.
	ErrUnreadable = errors.New("rotation: more records can not be read than are accepted to be lost")
	// ErrLostChanges means that the store had lost the last changes of the keyring, and that no server knew them. They are
	// gone: an epoch that had become active may be staged again, for instance. Writes go on.
	ErrLostChanges = errors.New("rotation: the store has lost the last changes of the keyring, which partitions have seen")
)

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
