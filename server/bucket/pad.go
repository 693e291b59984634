package bucket

import (
	"cmp"
	"crypto/aes"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// slot is one place of an answer.
type slot struct {
	short uint64
	index int // of the registration, or of the fill's value
	fill  bool
}

func compare(a, b uint64) int { return cmp.Compare(a, b) }

func compareShort(s slot, short uint64) int { return compare(s.short, short) }

// slots returns the slots of a bucket with registrations of the given keys, which are in ascending order: registrations and
// fill together in ascending order of their short tags. Fill never has the short tag of a registration, so that the order
// says nothing; registrations that share one follow each other in the order of their tags. It returns a *FullError if
// there are more keys than slots.
func (p *padder) slots(f Format, bucket uint32, keys []uint64) ([]slot, error) {
	if len(keys) > f.Slots {
		return nil, &FullError{Registrations: len(keys)}
	}
	fill := p.fill(f, bucket, keys)
	slots := make([]slot, 0, f.Slots)
	for i, key := range keys {
		short := f.short(key)
		for len(fill) > 0 && fill[0].short < short {
			slots = append(slots, fill[0])
			fill = fill[1:]
		}
		slots = append(slots, slot{short: short, index: i})
	}
	return append(slots, fill...), nil
}

// appendTags appends the short tags of the slots to dst, f.Size() bytes.
func (f Format) appendTags(dst []byte, slots []slot) []byte {
	for _, s := range slots {
		for shift := 8 * (f.TagBytes - 1); shift >= 0; shift -= 8 {
			dst = append(dst, byte(s.short>>shift))
		}
	}
	return dst
}

// appendLabels appends the sealed labels of the slots to dst, f.LabelsSize() bytes: those of the registrations, in whose
// order the keys were, and fill.
func (p *padder) appendLabels(dst []byte, bucket uint32, slots []slot, registrations []directory.Match) []byte {
	values := 0
	for _, s := range slots {
		if s.fill {
			values = max(values, s.index+1)
		}
	}
	stream := p.stream(kindLabels, bucket, 0, values*labelBlocks)
	for _, s := range slots {
		if s.fill {
			compact := crypto.CompactLabel(stream[s.index*labelBlocks*aes.BlockSize:][:crypto.CompactLabelSize])
			sealed := compact.Sealed()
			dst = append(dst, sealed[:]...)
		} else {
			dst = append(dst, registrations[s.index].Label[:]...)
		}
	}
	return dst
}

// keys returns the keys of registrations, in their order: ascending if the tags are.
func (f Format) keys(registrations []directory.Match) []uint64 {
	keys := make([]uint64, len(registrations))
	for i := range registrations {
		keys[i] = f.key(registrations[i].Tag)
	}
	return keys
}
