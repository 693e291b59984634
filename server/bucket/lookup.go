package bucket

import (
	"context"
	"errors"

	"github.com/kith-project/kith/server/directory"
)

// storeBuckets is how many buckets are asked of Redis at a time: at 50 records of 132 bytes each, 1.7 MB.
const storeBuckets = 256

// Lookup answers requests for buckets of one epoch. Its methods may be called concurrently.
type Lookup struct {
	view *View
}

// NewLookup returns a lookup of the view's epoch, from its memory and from its store. Without Run, all answers come from
// the store.
func NewLookup(view *View) *Lookup { return &Lookup{view} }

// Tags returns the short tags of the buckets back to back in the order asked for, and their format: Size() bytes a bucket.
// They come from memory if that is current, and for other buckets from Redis, with the same bytes; the answer is the
// caller's. The caller bounds the number of buckets.
//
// It answers for all buckets or for none. It returns a *FullError, directory.ErrLayout for a bucket that the epoch does
// not have, and what Store.Buckets of package directory returns.
func (l *Lookup) Tags(ctx context.Context, buckets []uint32) ([]byte, Format, error) {
	v, f := l.view, l.view.Format()
	if err := v.hasAll(buckets); err != nil {
		return nil, f, err
	}
	now, size := v.config.Now(), f.Size()
	tags := make([]byte, len(buckets)*size)
	var behind []int // indexes of the buckets that memory does not answer
	for i, bucket := range buckets {
		_, err := v.append(tags[i*size:i*size], f, bucket, now)
		if errors.Is(err, ErrBehind) {
			behind = append(behind, i)
		} else if err != nil {
			return nil, f, err
		}
	}
	err := v.eachStored(ctx, f, buckets, behind, func(i int, slots []slot, _ []directory.Match) {
		f.appendTags(tags[i*size:i*size], slots)
	})
	if err != nil {
		return nil, f, err
	}
	v.answered(len(buckets)-len(behind), len(behind))
	return tags, f, nil
}

// Labels is Tags with the sealed labels of all slots, LabelsSize() bytes a bucket in the order of the tags. They always come
// from Redis, and so do the tags, so that both are of one moment.
func (l *Lookup) Labels(ctx context.Context, buckets []uint32) (tags, labels []byte, f Format, err error) {
	v, f := l.view, l.view.Format()
	if err := v.hasAll(buckets); err != nil {
		return nil, nil, f, err
	}
	all := make([]int, len(buckets))
	for i := range all {
		all[i] = i
	}
	tags = make([]byte, 0, len(buckets)*f.Size())
	labels = make([]byte, 0, len(buckets)*f.LabelsSize())
	err = v.eachStored(ctx, f, buckets, all, func(i int, slots []slot, found []directory.Match) {
		tags = f.appendTags(tags, slots)
		labels = v.padder.appendLabels(labels, buckets[i], slots, found)
	})
	if err != nil {
		return nil, nil, f, err
	}
	v.answered(0, len(buckets))
	return tags, labels, f, nil
}

// eachStored reads the buckets of the given indexes from the store, and calls with each index, in order, its slots and
// its registrations.
func (v *View) eachStored(
	ctx context.Context, f Format, buckets []uint32, indexes []int, call func(i int, slots []slot, found []directory.Match),
) error {
	for len(indexes) > 0 {
		batch := indexes[:min(len(indexes), storeBuckets)]
		numbers := make([]uint32, len(batch))
		for n, i := range batch {
			numbers[n] = buckets[i]
		}
		found, err := v.store.Buckets(ctx, v.layout, numbers)
		if err != nil {
			return err
		}
		for n, i := range batch {
			slots, err := v.padder.slots(f, numbers[n], f.keys(found[n]))
			if err != nil {
				return err
			}
			call(i, slots, found[n])
		}
		indexes = indexes[len(batch):]
	}
	return nil
}

// hasAll returns directory.ErrLayout unless the epoch has all of the buckets.
func (v *View) hasAll(buckets []uint32) error {
	for _, bucket := range buckets {
		if !v.has(bucket) {
			return directory.ErrLayout
		}
	}
	return nil
}

// answered tells the hook of an answered request.
func (v *View) answered(memory, store int) {
	if v.config.OnLookup != nil {
		v.config.OnLookup(memory, store)
	}
}
