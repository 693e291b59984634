package filter

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/FastFilter/xorfilter"

	"github.com/kith-project/kith/crypto"
)

// Sizes of the wire form, in bytes, and its bounds.
const (
	// HeaderSize is the length of what comes before the fingerprints, and of a filter without any.
	HeaderSize = len(magic) + 8 + 4 + 4
	// FingerprintSize is the length of one fingerprint.
	FingerprintSize = 2
	// MaxKeys is the largest number of keys that Build takes: its filter is about 150 MB.
	MaxKeys = 1 << 26

	magic            = "kbf1"
	maxSegmentLength = 1 << 18
	maxFingerprints  = 1<<32 - 1
)

var (
	// ErrFilter is returned for bytes that are not the wire form of a filter.
	ErrFilter = errors.New("filter: invalid filter")
	// ErrBuild is returned when no filter could be built. For up to MaxKeys keys the chance of it is negligible.
	ErrBuild = errors.New("filter: cannot be built")
)

// Filter is a set of tags. The zero value contains none. Its methods only read, and may be called concurrently.
type Filter struct {
	// fuse has no fingerprints if the filter is empty; otherwise its numbers are within the bounds of the wire form.
	fuse xorfilter.BinaryFuse[uint16]
}

// Key returns what of a tag goes into a filter: bytes 8 to 15, as a big-endian number.
func Key(tag crypto.Tag) uint64 {
	return binary.BigEndian.Uint64(tag[8:])
}

// Build returns a filter of keys, which may contain duplicates. It sorts the slice that it is given, and keeps no
// reference to it. Equal sets of keys give equal filters, on one machine architecture: xorfilter chooses the segment length
// by a logarithm in floating point, of which the last bit may differ between architectures. While building it takes
// about 26 bytes a key beyond the slice, 2.3 of which are the filter.
//
// It returns ErrBuild, for more than MaxKeys keys too.
func Build(keys []uint64) (*Filter, error) {
	if len(keys) > MaxKeys {
		return nil, ErrBuild
	}
	// xorfilter finds duplicates by itself, but with them its outcome would depend on their order.
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) == 0 {
		return new(Filter), nil
	}
	fuse, err := xorfilter.NewBinaryFuse[uint16](keys)
	if err != nil {
		return nil, ErrBuild
	}
	return &Filter{fuse: *fuse}, nil
}

// Contains reports whether the tag is in the filter: always true for one that was put in, and with a chance of 2^-16 for
// any other.
func (f *Filter) Contains(tag crypto.Tag) bool {
	return len(f.fuse.Fingerprints) > 0 && f.fuse.Contains(Key(tag))
}

// AppendBinary appends the wire form to b. The error is always nil.
func (f *Filter) AppendBinary(b []byte) ([]byte, error) {
	b = slices.Grow(b, f.size())
	b = append(b, magic...)
	if len(f.fuse.Fingerprints) == 0 {
		return append(b, make([]byte, HeaderSize-len(magic))...), nil
	}
	b = binary.BigEndian.AppendUint64(b, f.fuse.Seed)
	b = binary.BigEndian.AppendUint32(b, f.fuse.SegmentLength)
	b = binary.BigEndian.AppendUint32(b, f.fuse.SegmentCount)
	for _, fingerprint := range f.fuse.Fingerprints {
		b = binary.BigEndian.AppendUint16(b, fingerprint)
	}
	return b, nil
}

// MarshalBinary returns the wire form. The error is always nil.
func (f *Filter) MarshalBinary() ([]byte, error) {
	return f.AppendBinary(nil)
}

// size returns the length of the wire form.
func (f *Filter) size() int {
	return HeaderSize + FingerprintSize*len(f.fuse.Fingerprints)
}

// Unmarshal decodes the wire form and keeps no reference to b. It returns ErrFilter unless b is exactly what MarshalBinary
// gives for some filter. It allocates no more than len(b) bytes for the fingerprints, whatever the header says.
func Unmarshal(b []byte) (*Filter, error) {
	if len(b) < HeaderSize || string(b[:len(magic)]) != magic {
		return nil, ErrFilter
	}
	header, body := b[len(magic):HeaderSize], b[HeaderSize:]
	seed := binary.BigEndian.Uint64(header)
	length := binary.BigEndian.Uint32(header[8:])
	count := binary.BigEndian.Uint32(header[12:])
	if len(body) == 0 {
		if seed != 0 || length != 0 || count != 0 {
			return nil, ErrFilter
		}
		return new(Filter), nil
	}

	powerOfTwo := length != 0 && length&(length-1) == 0
	if !powerOfTwo || length > maxSegmentLength || count == 0 {
		return nil, ErrFilter
	}
	// At most (2^32 + 1) * 2^18, so it does not overflow.
	fingerprints := (uint64(count) + 2) * uint64(length)
	if fingerprints > maxFingerprints || uint64(len(body)) != FingerprintSize*fingerprints {
		return nil, ErrFilter
	}
	f := &Filter{fuse: xorfilter.BinaryFuse[uint16]{
		Seed:               seed,
		SegmentLength:      length,
		SegmentLengthMask:  length - 1,
		SegmentCount:       count,
		SegmentCountLength: count * length,
		Fingerprints:       make([]uint16, fingerprints),
	}}
	for i := range f.fuse.Fingerprints {
		f.fuse.Fingerprints[i] = binary.BigEndian.Uint16(body[FingerprintSize*i:])
	}
	return f, nil
}
