package directory

import (
	"errors"
	"fmt"

	"github.com/kith-project/kith/crypto"
)

// Write is one registration, hiding or deletion.
type Write struct {
	// Tag is whose record is written.
	Tag crypto.Tag
	// Format is the kind of record that is written.
	Format Format
	// Version orders the writes of this tag, up to VersionEnd-1. Two writes of a tag that differ need different versions,
	// or one of them is taken for a repetition of the other. 0 has one assigned: the stored version plus one, or the
	// server's clock in ms if that is higher, and one more if that is not of the layout's Parity. A write without version wins whenever it arrives, so a repetition of it can
	// undo a write that came between; callers give versions always or never.
	Version uint64
	// Wrapped is the unblinded element, encrypted under the epoch's storage key.
	Wrapped crypto.WrappedElement
	// Label is the sealed label, stored if the Format is Visible, with a nonce as LabelKey.Seal makes it.
	Label crypto.SealedLabel
	// Since is the time of a tombstone, in ms since 1970, up to VersionEnd-1: given when one is copied, so that it keeps
	// its age. 0 takes the server's clock.
	Since uint64
	// Expect, if not empty, is the stored value that the write was decided on, as Get returned it. If another is stored,
	// or none, nothing is written and the result is Conflict. This is also the way to replace a malformed value, and one
	// that is damaged but has a version, at that same version.
	Expect []byte
	// ExpectNone is the same for a write that was decided on there being no record: if there is one, nothing is written
	// and the result is Conflict. Expect is ignored then.
	ExpectNone bool
}

// expectNone is what apply.lua takes for ExpectNone. No record is as short.
var expectNone = []byte("-")

// validate returns ErrRecord if the write cannot be stored.
func (w *Write) validate() error {
	known := w.Format == Visible || w.Format == Hidden || w.Format == Deleted
	if !known || w.Version >= VersionEnd || w.Since >= VersionEnd {
		return ErrRecord
	}
	if _, ok := w.Label.Compact(); w.Format == Visible && !ok {
		return ErrRecord
	}
	return nil
}

// Result says what became of a Write.
type Result uint8

const (
	// Unknown: Redis did not answer. The write may or may not have taken effect.
	Unknown Result = iota
	// Applied: the write is stored, now or by an earlier call with the same version and format.
	Applied
	// Lost: a write that wins over this one is stored. It is also the result without version if the stored version is the
	// last one.
	Lost
	// Conflict: the stored value is not the expected one, and was left.
	Conflict
	// Corrupt: the stored value is malformed, and was left.
	Corrupt
	// Missing: the partition is missing; nothing was written.
	Missing
	// Stale: the partition has seen a higher generation; nothing was written.
	Stale
)

// String returns the name of the result, for logs.
func (r Result) String() string {
	names := [...]string{"unknown", "applied", "lost", "conflict", "corrupt", "missing", "stale"}
	if int(r) < len(names) {
		return names[r]
	}
	return "invalid"
}

// Outcome is the answer to one Write.
type Outcome struct {
	Result Result
	// Version is the version stored after the write: for Applied the write's own, assigned if it had none; otherwise that
	// of the record which was left. 0 if there is none, and for Unknown, Corrupt, Missing and Stale.
	Version uint64
}

// errUnexpectedReply means that a script answered what this version of Kith does not know.
var errUnexpectedReply = fmt.Errorf("%w: unexpected reply", ErrUnavailable)

// decodeOutcomes fills dst from the reply of apply.lua, two integers each. On an error dst is as it was.
func decodeOutcomes(reply []any, dst []Outcome) error {
	if len(reply) != 2*len(dst) {
		return errUnexpectedReply
	}
	decoded := make([]Outcome, len(dst))
	for i := range decoded {
		result, ok1 := reply[2*i].(int64)
		version, ok2 := reply[2*i+1].(int64)
		if !ok1 || !ok2 || result < int64(Applied) || result > int64(Corrupt) || version < 0 {
			return errUnexpectedReply
		}
		decoded[i] = Outcome{Result: Result(result), Version: uint64(version)}
	}
	copy(dst, decoded)
	return nil
}

// refusal returns the outcome of a write whose script call ended with err.
func refusal(err error) Outcome {
	switch {
	case errors.Is(err, ErrIncomplete):
		return Outcome{Result: Missing}
	case errors.Is(err, ErrStale):
		return Outcome{Result: Stale}
	default:
		return Outcome{Result: Unknown}
	}
}
