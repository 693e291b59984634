package rotation

import (
	"context"
	"errors"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// reconcile compares records of the old epoch with those of the new one, and writes there what it does not have, or has
// older or damaged. What was registered directly in both epochs meanwhile has its version in both, and is left.
func (m *mover) reconcile(ctx context.Context, records []*moving) error {
	for len(records) > 0 {
		batch := records[:min(len(records), chunkRecords)]
		records = records[len(batch):]
		for range conflicts {
			var err error
			if batch, err = m.compare(ctx, batch); err != nil {
				return err
			}
			if len(batch) == 0 {
				break
			}
		}
		if len(batch) > 0 {
			return errContended
		}
	}
	return nil
}

// compare reads a few records of the new epoch and writes those that are needed. It returns the ones that changed between
// reading and writing, which are to be compared again.
func (m *mover) compare(ctx context.Context, records []*moving) (again []*moving, err error) {
	tags := make([]crypto.Tag, len(records))
	for i, r := range records {
		tags[i] = r.tag
	}
	found, err := m.config.Directory.GetAll(ctx, m.to.Layout, tags)
	if err != nil {
		return nil, err
	}
	var (
		writes  []directory.Write
		written []*moving
	)
	for i, r := range records {
		needed, expect := m.needed(r, found[i])
		if !needed {
			continue
		}
		w, err := m.write(r, expect)
		if err != nil {
			return nil, err
		}
		writes, written = append(writes, w), append(written, r)
	}
	if err := m.hold.pause(ctx); err != nil {
		return nil, err
	}
	return m.apply(ctx, writes, written)
}

// needed reports whether a record is to be written to the new epoch, and the stored value that it then replaces, nil for
// one that it wins over by its version. A stored value that can be neither read nor replaced is counted.
func (m *mover) needed(r *moving, found directory.Found) (needed bool, expect []byte) {
	switch {
	case errors.Is(found.Err, directory.ErrNotFound):
		return true, nil
	case found.Err != nil:
		if len(found.Raw) == 0 { // Write.Expect can not say so
			m.counts.unreadable++
			return false, nil
		}
		return true, found.Raw
	}
	stored := found.Record
	if stored.Version < r.Record.Version || stored.Version == r.Record.Version && stored.Format < r.Record.Format {
		return true, nil
	}
	var opened moving
	intact := open(m.to.Storage, r.tag, stored, &opened)
	opened.wipe()
	switch {
	case intact:
		return false, nil
	case stored.Version == r.Record.Version && stored.Format == r.Record.Format:
		return true, found.Raw
	default: // what it was is only here
		m.counts.unreadable++
		return false, nil
	}
}

// write returns the write that brings a record to the new epoch, with the version and the time that it has in the old one.
func (m *mover) write(r *moving, expect []byte) (directory.Write, error) {
	w := directory.Write{
		Tag: r.tag, Format: r.Record.Format, Version: r.Record.Version, Wrapped: m.to.Storage.Wrap(r.tag, r.moved),
		Since: r.Record.Since, Expect: expect,
	}
	if w.Format != directory.Visible {
		return w, nil
	}
	var err error
	w.Label, err = r.key.Seal(m.config.Rand, r.tag, r.label)
	return w, err
}

// apply makes the writes, and returns the records whose stored value was not the one expected any more.
func (m *mover) apply(ctx context.Context, writes []directory.Write, records []*moving) (again []*moving, err error) {
	if len(writes) == 0 {
		return nil, nil
	}
	outcomes, err := m.config.Directory.Apply(ctx, m.to.Layout, m.generation, writes)
	if len(outcomes) != len(writes) {
		return nil, err
	}
	for i, o := range outcomes {
		switch o.Result {
		case directory.Applied:
			records[i].written = true
			m.counts.written++
		case directory.Lost: // a later one has come
		case directory.Conflict, directory.Corrupt: // damaged since it was read
			again = append(again, records[i])
		default:
			return nil, err
		}
	}
	return again, nil
}
