package rotation

import (
	"context"
	"errors"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

const (
	// maxItemBuckets bounds the buckets of an item: at 50 records each, 12,800 records.
	maxItemBuckets = 256
	// chunkBuckets is how many buckets are read at a time: at 50 records of 132 bytes each, 100 KiB.
	chunkBuckets = 16
	// chunkRecords bounds the records that are compared at a time.
	chunkRecords = 1024
	// rekeyBatch is how many elements are moved between two pauses, well below a millisecond.
	rekeyBatch = 8
	// conflicts bounds how often a record is compared anew because it changed in between.
	conflicts = 8
)

// errContended means a record that changed each time it was about to be replaced.
var errContended = errors.New("rotation: a record changes all the time")

// itemSize returns how many buckets an item has: as many as a partition, up to maxItemBuckets. Both are powers of two.
func itemSize(l directory.Layout) uint64 {
	first, end := l.Buckets(0)
	return min(end-first, maxItemBuckets)
}

// mover moves the buckets of one item.
type mover struct {
	config   Config
	hold     *hold
	from, to *keyring.Epoch
	factor   *voprf.Factor
	// generation is that of the keyring under which the item was claimed. Everything is written with it: what is written
	// after the fences have gone on is refused.
	generation uint64
	counts     counts
}

// moveItem brings the new epoch up to the old one for the buckets of an item. It is the work of all three phases: in the
// copy most records are not there yet; in the others they are, and what is not was lost on the way.
func (r *Rotator) moveItem(ctx context.Context, t task, h *hold) (counts, error) {
	m := &mover{
		config: r.config, hold: h, from: t.from, to: t.epoch, factor: voprf.NewFactor(t.from.Key, t.epoch.Key),
		generation: t.snapshot.Generation,
	}
	defer m.factor.Wipe()
	first, end := h.item.number*h.item.size, (h.item.number+1)*h.item.size
	partition := m.from.Layout.PartitionOf(uint32(first))
	// From here on, a server that does not know of the new epoch can not write to the old one unnoticed.
	if err := m.config.Directory.RaiseFence(ctx, m.from.Layout, partition, m.generation); err != nil {
		return counts{}, err
	}
	if t.what == doSettle {
		if err := m.raiseTargets(ctx); err != nil {
			return counts{}, err
		}
	}
	for ; first < end; first += chunkBuckets {
		var buckets []uint32
		for b := first; b < min(first+chunkBuckets, end); b++ {
			buckets = append(buckets, uint32(b))
		}
		if err := m.buckets(ctx, partition, buckets); err != nil {
			return counts{}, err
		}
	}
	return m.counts, nil
}

// raiseTargets raises the fences of this item's share of the new epoch's partitions, so that nobody who does not know
// that it is active writes there once the phase is over.
func (m *mover) raiseTargets(ctx context.Context) error {
	items := 1 << m.from.Layout.BucketBits / m.hold.item.size
	first, end := share(m.hold.item.number, items, m.to.Layout.Partitions())
	for p := first; p < end; p++ {
		if err := m.config.Directory.RaiseFence(ctx, m.to.Layout, uint32(p), m.generation); err != nil {
			return err
		}
		if err := m.hold.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// buckets moves a few buckets of one partition.
func (m *mover) buckets(ctx context.Context, partition uint32, buckets []uint32) error {
	scanned, err := m.config.Directory.ScanBuckets(ctx, m.from.Layout, buckets)
	if err != nil {
		return err
	}
	kept, err := m.config.Directory.Moves(ctx, m.from.Layout, partition, m.to.ID, buckets)
	if err != nil {
		return err
	}
	records := make([][]*moving, len(buckets))
	var all []*moving
	defer func() {
		for _, r := range all {
			r.wipe()
		}
	}()
	for i := range buckets {
		if records[i], err = m.rekey(ctx, m.readable(scanned[i])); err != nil {
			return err
		}
		all = append(all, records[i]...)
		m.counts.records += len(scanned[i])
	}
	if err := m.reconcile(ctx, all); err != nil {
		return err
	}
	var moves []directory.Move
	for i, bucket := range buckets {
		if kept[i] != nil && fits(kept[i], records[i]) {
			continue
		}
		proof, err := m.prove(ctx, records[i])
		if err != nil {
			return err
		}
		moves = append(moves, directory.Move{Bucket: bucket, Kept: proof})
	}
	if len(moves) > 0 {
		if err := m.config.Directory.SaveMoves(ctx, m.from.Layout, m.generation, partition, m.to.ID, moves); err != nil {
			return err
		}
	}
	return m.hold.check(ctx)
}

// moving is a record of the old epoch on its way to the new one.
type moving struct {
	directory.Entry                        // as it is in the old epoch
	n               voprf.UnblindedElement // by the old key
	label           string                 // of a visible record, opened

	moved voprf.UnblindedElement // n by the new key
	tag   crypto.Tag             // of moved
	key   crypto.LabelKey        // of moved

	written bool // to the new epoch, by this worker
}

// wipe clears what is secret of the record.
func (r *moving) wipe() {
	r.n.Wipe()
	r.moved.Wipe()
	r.key.Wipe()
	r.label = ""
}

// readable returns the records of a bucket that can be read, and counts the others.
func (m *mover) readable(scanned []directory.Scanned) []*moving {
	records := make([]*moving, 0, len(scanned))
	for _, s := range scanned {
		r := &moving{Entry: s.Entry}
		if s.Err != nil || !open(m.from.Storage, s.Tag, s.Record, r) {
			m.counts.unreadable++
			continue
		}
		records = append(records, r)
	}
	return records
}

// open unwraps the element of a stored record, which authenticates it, and opens its label if it has one; both into r. It
// reports whether that could be done.
func open(storage crypto.StorageKey, tag crypto.Tag, record directory.Record, r *moving) bool {
	n, err := storage.Unwrap(tag, record.Wrapped)
	if err != nil {
		return false
	}
	r.n = n
	if record.Format != directory.Visible {
		return true
	}
	_, key := crypto.Derive(n)
	defer key.Wipe()
	r.label, err = key.Open(tag, record.Label)
	return err == nil
}

// rekey moves the elements of records to the new key and derives their tags and label keys. It returns the records of
// which that could be done, and counts the others: an element that is in the store as it was sealed is not one of the
// group only if it never was one.
func (m *mover) rekey(ctx context.Context, records []*moving) ([]*moving, error) {
	moved := make([]*moving, 0, len(records))
	for len(records) > 0 {
		batch := records[:min(len(records), rekeyBatch)]
		records = records[len(batch):]
		if err := m.rekeyAll(batch); err == nil {
			moved = append(moved, batch...)
		} else {
			for _, r := range batch {
				if err := m.rekeyAll([]*moving{r}); err != nil {
					m.counts.unreadable++
					continue
				}
				moved = append(moved, r)
			}
		}
		if err := m.hold.pause(ctx); err != nil {
			return nil, err
		}
	}
	return moved, nil
}

// rekeyAll moves the elements of a few records, all or none.
func (m *mover) rekeyAll(records []*moving) error {
	n := make([]voprf.UnblindedElement, len(records))
	defer clear(n)
	for i, r := range records {
		n[i] = r.n
	}
	moved, err := m.factor.Rekey(n)
	if err != nil {
		return err
	}
	defer clear(moved)
	for i, r := range records {
		r.moved = moved[i]
		r.tag, r.key = crypto.Derive(moved[i])
	}
	return nil
}
