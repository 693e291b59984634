package registry

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// PutAll registers or hides many numbers, each as Put does, with one call of the directory for each epoch. It reports for
// each whether this write is the one that is stored. Of two registrations of one number the first is written first.
//
// It returns ErrLabel of package crypto and directory.ErrRecord before anything is written, and otherwise the errors of Put,
// after which some of the registrations may have been written, in some epochs. Repeating such a call is safe for
// registrations with versions; of those without, a repetition counts as new writes.
func (r *Registry) PutAll(ctx context.Context, regs []Registration) ([]bool, error) {
	changes := make([]change, len(regs))
	for i, reg := range regs {
		if err := crypto.CheckLabel(reg.Label); err != nil {
			return nil, err
		}
		if reg.Version >= directory.VersionEnd {
			return nil, directory.ErrRecord
		}
		changes[i] = reg.change()
	}
	if len(changes) == 0 {
		return nil, nil
	}
	for range attempts {
		applied, err := r.writeAll(ctx, changes)
		if !errors.Is(err, errAgain) {
			return applied, err
		}
	}
	return nil, ErrContended
}

// writeAll makes changes without conditions in every epoch that is written to, as write does. The versions that are assigned are
// entered in the changes, also if it returns an error: when the changes are made again, they are the same ones.
func (r *Registry) writeAll(ctx context.Context, changes []change) ([]bool, error) {
	snapshot, active, err := r.active()
	if err != nil {
		return nil, err
	}
	applied := make([]bool, len(changes))
	if err := r.writeAllTo(ctx, snapshot, active, changes, applied); err != nil {
		return nil, err
	}
	versioned := make([]change, 0, len(changes))
	for _, c := range changes {
		if c.version != 0 { // otherwise a stored version leaves no room above it
			versioned = append(versioned, c)
		}
	}
	for _, e := range snapshot.Epochs {
		if e == active || !e.Written() {
			continue
		}
		if err := r.writeAllTo(ctx, snapshot, e, versioned, make([]bool, len(versioned))); err != nil {
			return nil, err
		}
	}
	return applied, nil
}

// writeAllTo makes changes in one epoch, as one of a snapshot, and sets which were applied. It returns errAgain if the keyring
// is another by now.
func (r *Registry) writeAllTo(ctx context.Context, snapshot *keyring.Snapshot, e *keyring.Epoch, changes []change, applied []bool) error {
	writes, _, err := prepareAll(e, changes)
	if err != nil || len(writes) == 0 {
		return err
	}
	outcomes, err := r.store.Apply(ctx, e.Layout, snapshot.Generation, writes)
	for i, outcome := range outcomes {
		if r.OnWrite != nil {
			r.OnWrite(e, writes[i].Tag)
		}
		applied[i] = outcome.Result == directory.Applied
		if applied[i] && changes[i].version == 0 {
			changes[i].version = outcome.Version
		}
	}
	if err != nil {
		return r.outdated(ctx, snapshot, err)
	}
	return nil
}

// prepareAll makes the records of changes in one epoch, and returns the label keys of their numbers.
func prepareAll(e *keyring.Epoch, changes []change) ([]directory.Write, []crypto.LabelKey, error) {
	inputs := make([][]byte, len(changes))
	for i, c := range changes {
		inputs[i] = normalize.Input(c.number)
	}
	elements, err := e.Key.Evaluate(inputs)
	if err != nil {
		return nil, nil, err
	}
	// A label takes 12 bytes of randomness, and they cost less by the page.
	random := bufio.NewReaderSize(rand.Reader, min(12*len(changes), 4096))
	writes, keys := make([]directory.Write, len(changes)), make([]crypto.LabelKey, len(changes))
	for i, c := range changes {
		tag, key := crypto.Derive(elements[i])
		w := &writes[i]
		w.Tag, w.Format, w.Version, w.Wrapped = tag, c.format, c.version, e.Storage.Wrap(tag, elements[i])
		if c.format == directory.Visible {
			if w.Label, err = key.Seal(random, tag, c.label); err != nil {
				return nil, nil, err
			}
		}
		keys[i] = key
	}
	return writes, keys, nil
}
