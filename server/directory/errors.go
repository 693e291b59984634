package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrUnavailable is returned when Redis could not be reached or could not answer. Nothing is known about the data;
	// of a write it is not known whether it took effect.
	ErrUnavailable = errors.New("directory: Redis unavailable")
	// ErrIncomplete is returned when a partition's meta key is missing: the epoch was not prepared, was swept, or the
	// server that holds the partition has lost its data.
	ErrIncomplete = errors.New("directory: partition missing")
	// ErrStale is returned when a partition has seen a higher generation of the keyring than the caller's. The caller
	// reloads the keyring and writes again, to every epoch.
	ErrStale = errors.New("directory: stale keyring generation")
	// ErrNotFound is returned by Get for a tag that has no record, not even a tombstone.
	ErrNotFound = errors.New("directory: no such record")
)

// unavailable returns err as an ErrUnavailable with one of a few fixed texts, and not err's own: go-redis puts
// addresses into errors of dialing, and Redis puts keys and arguments into errors of commands. An ended context is the
// only cause that stays visible to errors.Is.
func unavailable(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", ErrUnavailable, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrUnavailable, context.DeadlineExceeded)
	default:
		return fmt.Errorf("%w: %s", ErrUnavailable, cause(err))
	}
}

// causes names what an operator can act on. The first that holds is taken.
var causes = []struct {
	text  string
	holds func(error) bool
}{
	{"client closed", func(err error) bool { return errors.Is(err, redis.ErrClosed) }},
	{"no free connection", func(err error) bool {
		return errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted)
	}},
	{"loading its data", redis.IsLoadingError},
	{"read-only replica", redis.IsReadOnlyError},
	{"out of memory", redis.IsOOMError},
	{"cluster down", redis.IsClusterDownError},
	{"master down", redis.IsMasterDownError},
	{"too few replicas", redis.IsNoReplicasError},
	{"slot moving", func(err error) bool {
		_, moved := redis.IsMovedError(err)
		_, ask := redis.IsAskError(err)
		return moved || ask || redis.IsTryAgainError(err)
	}},
	{"keys of several slots", func(err error) bool { return redis.HasErrorPrefix(err, "CROSSSLOT") }},
	{"cannot persist", func(err error) bool { return redis.HasErrorPrefix(err, "MISCONF") }},
	{"too many clients", redis.IsMaxClientsError},
	{"authentication refused", redis.IsAuthError},
	{"command not permitted", redis.IsPermissionError},
	{"command refused", refused},
	{"cannot connect", func(err error) bool {
		var op *net.OpError
		return errors.As(err, &op) && op.Op == "dial"
	}},
	{"timeout", func(err error) bool {
		var timeout net.Error
		return errors.As(err, &timeout) && timeout.Timeout()
	}},
	{"connection lost", func(err error) bool {
		var op *net.OpError
		return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	}},
}

func cause(err error) string {
	for _, c := range causes {
		if c.holds(err) {
			return c.text
		}
	}
	return "unknown failure"
}

// refused reports whether err is an answer of Redis, not a failure to get one.
func refused(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer) && !errors.Is(err, redis.Nil)
}
