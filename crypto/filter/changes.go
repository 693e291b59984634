package filter

import (
	"errors"

	"github.com/kith-project/kith/crypto"
)

// Sizes in bytes of an entry of a list of changes, and of the part of the tag in it.
const (
	ChangeSize    = 1 + TagPrefixSize
	TagPrefixSize = 8
)

// ErrChanges is returned for bytes that are not a list of changes.
var ErrChanges = errors.New("filter: invalid changes")

// The first byte of an entry.
const (
	opVisible = '+'
	opGone    = '-'
)

// TagPrefix is what a change tells of a tag: bytes 0 to 7. Two of 10 million tags share one with a chance below 3 in a
// million; a device that meets them takes one for the other until the next snapshot.
type TagPrefix [TagPrefixSize]byte

// Prefix returns the part of the tag that a change tells.
func Prefix(tag crypto.Tag) TagPrefix {
	return TagPrefix(tag[:TagPrefixSize])
}

// Change says that a tag became visible, or is no longer.
type Change struct {
	Prefix  TagPrefix
	Visible bool
}

// AppendChange appends the wire form of one change, ChangeSize bytes, to b.
func AppendChange(b []byte, c Change) []byte {
	op := byte(opGone)
	if c.Visible {
		op = opVisible
	}
	return append(append(b, op), c.Prefix[:]...)
}

// ParseChanges decodes a list of len(b)/ChangeSize changes, in their order, and keeps no reference to b. It returns
// ErrChanges, and no changes, if the length or the first byte of an entry is not one that AppendChange gives.
func ParseChanges(b []byte) ([]Change, error) {
	if len(b)%ChangeSize != 0 {
		return nil, ErrChanges
	}
	changes := make([]Change, 0, len(b)/ChangeSize)
	for ; len(b) > 0; b = b[ChangeSize:] {
		if b[0] != opVisible && b[0] != opGone {
			return nil, ErrChanges
		}
		changes = append(changes, Change{Prefix: TagPrefix(b[1:ChangeSize]), Visible: b[0] == opVisible})
	}
	return changes, nil
}
