package bucket

import (
	"slices"

	"github.com/kith-project/kith/server/directory"
)

// table holds the registrations of one partition and the answers of its buckets. It is not safe for concurrent use.
type table struct {
	format Format             // of padded
	first  uint32             // number of the partition's first bucket
	known  directory.Position // up to which changes are in the table

	keys    [][]uint64          // of each bucket, ascending
	padded  []byte              // the answers of all buckets, back to back; any bytes for buckets that have none
	damaged map[uint32]struct{} // buckets whose stored records are malformed, by number
	fullest int                 // most keys that a bucket has had
}

// newTable returns a table without registrations and answers of buckets first to before end.
func newTable(f Format, known directory.Position, first, end uint64) *table {
	n := int(end - first)
	return &table{format: f, first: uint32(first), known: known, keys: make([][]uint64, n), padded: make([]byte, n*f.Size())}
}

// set replaces the registrations of one bucket by those of ascending keys, which the table keeps.
func (t *table) set(p *padder, bucket uint32, keys []uint64) {
	t.keys[bucket-t.first] = keys
	t.fullest = max(t.fullest, len(keys))
	t.pad(p, bucket)
}

// apply makes one change. Making it again changes nothing.
func (t *table) apply(p *padder, bucket uint32, key uint64, visible bool) {
	keys := t.keys[bucket-t.first]
	at, found := slices.BinarySearch(keys, key)
	switch {
	case visible && !found:
		t.set(p, bucket, insert(keys, at, key))
	case !visible && found:
		t.set(p, bucket, slices.Delete(keys, at, at+1))
	}
}

// insert inserts a key. Where append would double the capacity, it adds room for a few more: all buckets of an epoch grow
// alike, and the half that stays empty would be most of a server's memory.
func insert(keys []uint64, at int, key uint64) []uint64 {
	const room = 4
	if len(keys) == cap(keys) {
		keys = append(make([]uint64, 0, len(keys)+room), keys...)
	}
	return slices.Insert(keys, at, key)
}

// pad makes the answer of one bucket anew. A bucket that is full has none.
func (t *table) pad(p *padder, bucket uint32) {
	i := int(bucket - t.first)
	slots, err := p.slots(t.format, bucket, t.keys[i])
	if err != nil {
		return
	}
	size := t.format.Size()
	t.format.appendTags(t.padded[i*size:i*size], slots)
}

// reformat makes all answers anew in another format of the same bits.
func (t *table) reformat(p *padder, f Format) {
	t.format, t.padded = f, make([]byte, len(t.keys)*f.Size())
	for i := range t.keys {
		t.pad(p, t.first+uint32(i))
	}
}

// appendAnswer appends the answer of one bucket in the format f to dst. It returns a *FullError, and ErrBehind for a
// damaged bucket, of which only Redis says what is wrong.
func (t *table) appendAnswer(dst []byte, p *padder, f Format, bucket uint32) ([]byte, error) {
	if _, damaged := t.damaged[bucket]; damaged {
		return dst, ErrBehind
	}
	i := int(bucket - t.first)
	if len(t.keys[i]) > f.Slots {
		return dst, &FullError{Registrations: len(t.keys[i])}
	}
	if t.format == f {
		size := f.Size()
		return append(dst, t.padded[i*size:(i+1)*size]...), nil
	}
	// The slots were changed a moment ago, and the answer has not been made anew yet.
	slots, err := p.slots(f, bucket, t.keys[i])
	return f.appendTags(dst, slots), err
}
