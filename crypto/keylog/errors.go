package keylog

import "errors"

// Bounds of what is written and accepted.
const (
	// MaxEntries is how many entries a log may have.
	MaxEntries = 10_000
	// MaxEntry is the length of an entry in bytes.
	MaxEntry = 1 << 10
	// MaxCheckpoint is the length of a signed checkpoint in bytes, with all its signatures.
	MaxCheckpoint = 64 << 10
	// MaxCosignatures is how many cosignatures AddCosignature puts on a checkpoint.
	MaxCosignatures = 16
	// MaxName is the length of the origin of a log, and of the name of a witness, in bytes.
	MaxName = 255
)

var (
	// ErrEntry means an entry that is not in canonical form, or that makes no sense where it stands.
	ErrEntry = errors.New("keylog: entry malformed or out of place")
	// ErrCheckpoint means a checkpoint that is not in canonical form or is no signed note.
	ErrCheckpoint = errors.New("keylog: malformed checkpoint")
	// ErrOrigin means a checkpoint of another log.
	ErrOrigin = errors.New("keylog: checkpoint of another log")
	// ErrSignature means a checkpoint that the log did not sign, or a signature or cosignature that does not verify.
	ErrSignature = errors.New("keylog: signature missing or wrong")
	// ErrRoot means a checkpoint of another size or root than the entries have.
	ErrRoot = errors.New("keylog: checkpoint is not that of the entries")
	// ErrRollback means a log that is shorter than it has been.
	ErrRollback = errors.New("keylog: log has become shorter")
	// ErrFork means a log that does not begin with the entries it had.
	ErrFork = errors.New("keylog: log does not extend what was seen before")
	// ErrQuorum means too few cosignatures by the witnesses given.
	ErrQuorum = errors.New("keylog: too few witnesses have cosigned")
	// ErrTooLarge means a log, entry or checkpoint over its bound, or one cosignature too many.
	ErrTooLarge = errors.New("keylog: log, entry or checkpoint too large")
	// ErrKey means a verifier key or witness key that is not in canonical form, or of another kind.
	ErrKey = errors.New("keylog: malformed key")
	// ErrName means an origin or a name of a witness that is empty, longer than MaxName, or has spaces, control characters
	// or plus signs.
	ErrName = errors.New("keylog: invalid name")
	// ErrTime means a cosignature dated before 1970.
	ErrTime = errors.New("keylog: time before 1970")
)
