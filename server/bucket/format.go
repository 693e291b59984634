package bucket

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/kith-project/kith/crypto"
)

// MaxSlots is the largest number of slots of a bucket.
const MaxSlots = 1 << 12

// maxTagBytes is the longest short tag: shorts are handled as numbers of 64 bits.
const maxTagBytes = 8

// slotStep is what slots are a multiple of. A raise by single slots would come with nearly every join of a full epoch, and
// would tell everyone the exact number of users in its fullest bucket.
const slotStep = 8

// wrongHits is 1 over the chance at which a contact that is not registered may meet its short tag in a bucket.
const wrongHits = 1_000_000

var (
	// ErrFormat is returned for a Format that no answer can have.
	ErrFormat = errors.New("bucket: invalid format")
	// ErrFull means that a bucket has more registrations than slots. It comes as a *FullError.
	ErrFull = errors.New("bucket: more registrations than slots")
)

// FullError is the ErrFull of one bucket. The caller raises the epoch's slots, in the keyring for all servers, to at least
// SlotsAbove(Registrations), and asks again.
type FullError struct {
	// Registrations is how many the bucket has.
	Registrations int
}

func (*FullError) Error() string { return ErrFull.Error() }

// Is reports whether target is ErrFull.
func (*FullError) Is(target error) bool { return target == ErrFull }

// Format is the form of all answers of one epoch.
type Format struct {
	// Bits is the length of a prefix, the BucketBits of the epoch's layout.
	Bits int
	// TagBytes is the length of a short tag.
	TagBytes int
	// Slots is the number of short tags in the answer of every bucket.
	Slots int
}

// NewFormat returns the format of an epoch with buckets by a prefix of bits, each of slots. It returns ErrFormat if either
// is out of range.
func NewFormat(bits, slots int) (Format, error) {
	if bits < 0 || bits > crypto.MaxPrefixBits || slots < 1 || slots > MaxSlots {
		return Format{}, ErrFormat
	}
	return Format{Bits: bits, TagBytes: TagBytesFor(bits, slots), Slots: slots}, nil
}

// TagBytesFor returns the length at which a short tag in a bucket of slots is wrong for a given contact in less than one of
// 10^6 cases: the smallest n with slots * 2^-(8n - bits%8) < 10^-6. The bits of the prefix that the first byte begins with
// are equal throughout a bucket and tell nothing. It is 3 to 5 bytes for up to MaxSlots, and never more than 8.
func TagBytesFor(bits, slots int) int {
	n := 1
	for n < maxTagBytes && uint64(slots)*wrongHits >= 1<<(8*n-bits%8) {
		n++
	}
	return n
}

// SlotsFor returns the slots for buckets that have mean registrations on average: mean + 5.7 * sqrt(mean), rounded up to a
// multiple of 8 and at most MaxSlots. It is 96 for 50. By the Poisson distribution one bucket of 4*10^8 has more then, and
// one epoch of 370 with 2^20 buckets has such a bucket.
func SlotsFor(mean float64) int {
	slots := math.Ceil(mean + 5.7*math.Sqrt(mean))
	if !(slots < MaxSlots) { // also for what is no number
		return MaxSlots
	}
	return max(slotStep, roundUp(int(slots)))
}

// SlotsAbove returns the slots to which an epoch is raised for a bucket of that many registrations: the next multiple of 8
// above it, so that servers which meet the same bucket at different moments mostly agree. It can be above MaxSlots: then
// the epoch has far too few buckets, and a rotation has to give it more.
func SlotsAbove(registrations int) int {
	return roundUp(registrations + 1)
}

func roundUp(slots int) int {
	return (slots + slotStep - 1) / slotStep * slotStep
}

// Validate returns ErrFormat unless tags have the bytes, slots are between 1 and MaxSlots, and there are at least four
// times as many short tags as slots, so that enough different fill can be found.
func (f Format) Validate() error {
	if f.Bits < 0 || f.Bits > crypto.MaxPrefixBits || f.TagBytes < 1 || f.TagBytes > maxTagBytes || f.Slots < 1 || f.Slots > MaxSlots {
		return ErrFormat
	}
	if free := f.freeBits(); free < 16 && 4*f.Slots > 1<<free {
		return ErrFormat
	}
	return nil
}

// Size returns the length of the short tags of one bucket in bytes.
func (f Format) Size() int { return f.Slots * f.TagBytes }

// LabelsSize returns the length of the sealed labels of one bucket in bytes.
func (f Format) LabelsSize() int { return f.Slots * crypto.SealedLabelSize }

// freeBits returns how many bits of a short tag are not those of its bucket.
func (f Format) freeBits() int { return 8*f.TagBytes - f.Bits%8 }

// key returns what a registration is told apart by within its bucket, 8 bytes of its tag as a number: its short tag and
// what follows it. Two registrations of an epoch of 2^20 buckets of 50 agree in bucket and key with a chance of 10^-8.
func (f Format) key(tag crypto.Tag) uint64 {
	return binary.BigEndian.Uint64(tag[f.Bits/8:])
}

// short returns the short tag of a key, as a number. It rises with the key.
func (f Format) short(key uint64) uint64 {
	return key >> (64 - 8*f.TagBytes)
}

// fillShort returns the short tag in a bucket whose free bits are those of random.
func (f Format) fillShort(bucket uint32, random uint64) uint64 {
	free := f.freeBits()
	prefix := uint64(bucket) & (1<<(f.Bits%8) - 1)
	return prefix<<free | random&(1<<free-1)
}
