package directory

import (
	"encoding/binary"
	"errors"

	"github.com/kith-project/kith/crypto"
)

// ErrRecord is returned for a record that is not one: a stored value of the wrong length, format or version, or a
// Record or Write that cannot be stored.
var ErrRecord = errors.New("directory: invalid record")

// Format is what a stored record begins with, 3 bits, and its rank: of two writes with equal versions the higher wins.
type Format uint8

// The formats of a record.
const (
	// Visible is a registered user who can be found.
	Visible Format = 1
	// Hidden is a registered user who does not want to be found. It is stored as a tombstone, without a label.
	Hidden Format = 2
	// Deleted is a tombstone: nobody is registered.
	Deleted Format = 3
)

// Sizes in bytes of a stored record, and the bound on its numbers.
const (
	// VisibleSize is the length of a Visible record: format and version 7, wrapped element 32, compact label 73.
	VisibleSize = headerSize + crypto.WrappedSize + crypto.CompactLabelSize
	// TombstoneSize is the length of a Hidden or Deleted record: format and version 7, wrapped element 32, time 8.
	TombstoneSize = headerSize + crypto.WrappedSize + timeSize
	// VersionEnd is the first number that is too large for a version, a generation, or a time given by a caller: Lua
	// counts in floating point, which is exact below it.
	VersionEnd = 1 << 53

	headerSize  = 7 // 3 bits of format and 53 of version
	versionBits = 53
	timeSize    = 8
)

// Record is a registration as it is stored.
type Record struct {
	// Format says which of the following fields are stored.
	Format Format
	// Version orders the writes of one tag, from 1 to VersionEnd-1.
	Version uint64
	// Wrapped is the unblinded element, encrypted under the epoch's storage key.
	Wrapped crypto.WrappedElement
	// Label is the sealed label of a Visible record, with a nonce as LabelKey.Seal makes it. It is not stored for others.
	Label crypto.SealedLabel
	// Since is when a Hidden or Deleted record was written, in ms since 1970, all 64 bits. It is not stored for Visible.
	Since uint64
}

// MarshalBinary returns the stored form: VisibleSize or TombstoneSize bytes, numbers big-endian. It returns ErrRecord
// if the format or the version is out of range, or the label is none that LabelKey.Seal makes.
func (r *Record) MarshalBinary() ([]byte, error) {
	if !validVersion(r.Version) {
		return nil, ErrRecord
	}
	b := appendHeader(make([]byte, 0, VisibleSize), r.Format, r.Version)
	b = append(b, r.Wrapped[:]...)
	switch r.Format {
	case Visible:
		label, ok := r.Label.Compact()
		if !ok {
			return nil, ErrRecord
		}
		return append(b, label[:]...), nil
	case Hidden, Deleted:
		return binary.BigEndian.AppendUint64(b, r.Since), nil
	default:
		return nil, ErrRecord
	}
}

// UnmarshalBinary decodes a stored record and keeps no reference to b. It returns ErrRecord, and leaves r as it was,
// unless b is exactly what MarshalBinary returns for some record.
func (r *Record) UnmarshalBinary(b []byte) error {
	if len(b) < headerSize {
		return ErrRecord
	}
	var decoded Record
	decoded.Format, decoded.Version = header(b)
	if !validVersion(decoded.Version) {
		return ErrRecord
	}
	switch {
	case decoded.Format == Visible && len(b) == VisibleSize:
		label := crypto.CompactLabel(b[headerSize+crypto.WrappedSize:])
		decoded.Label = label.Sealed()
	case (decoded.Format == Hidden || decoded.Format == Deleted) && len(b) == TombstoneSize:
		decoded.Since = binary.BigEndian.Uint64(b[headerSize+crypto.WrappedSize:])
	default:
		return ErrRecord
	}
	copy(decoded.Wrapped[:], b[headerSize:])
	*r = decoded
	return nil
}

// appendHeader appends what a record begins with, and a change: 3 bits of format and 53 of version, big-endian.
func appendHeader(b []byte, format Format, version uint64) []byte {
	whole := binary.BigEndian.AppendUint64(nil, uint64(format)<<versionBits|version)
	return append(b, whole[8-headerSize:]...)
}

// header reads what appendHeader has written.
func header(b []byte) (format Format, version uint64) {
	var whole [8]byte
	copy(whole[8-headerSize:], b[:headerSize])
	head := binary.BigEndian.Uint64(whole[:])
	return Format(head >> versionBits), head & (VersionEnd - 1)
}

func validVersion(v uint64) bool {
	return v > 0 && v < VersionEnd
}
