package registry

import (
	"context"
	"errors"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// attempts bounds how often a write is decided anew after the keyring or the record changed under it.
const attempts = 8

var (
	// ErrLabelMismatch means a deletion with a label that is not the one registered: the number is another user's now.
	ErrLabelMismatch = errors.New("registry: another label is registered")
	// ErrContended means that the record or the keyring changed under every attempt. The call can be repeated.
	ErrContended = errors.New("registry: too many changes at once")
	// ErrNoEpoch means that no epoch is active yet.
	ErrNoEpoch = errors.New("registry: no active epoch")
)

// Keyring is what a Registry needs of the keyring.
type Keyring interface {
	Current() (*keyring.Snapshot, error)
	Reload(ctx context.Context) error
}

// Store is what a Registry needs of the directory.
type Store interface {
	Apply(ctx context.Context, layout directory.Layout, generation uint64, writes []directory.Write) ([]directory.Outcome, error)
	Get(ctx context.Context, layout directory.Layout, tag crypto.Tag) (directory.Record, []byte, error)
}

// Registry writes registrations.
type Registry struct {
	keys  Keyring
	store Store

	// OnWrite, if set before the first call, is told of each record that may have been changed, also if the call fails
	// afterwards. It must not block.
	OnWrite func(epoch *keyring.Epoch, tag crypto.Tag)
}

// New returns a registry.
func New(keys Keyring, store Store) *Registry { return &Registry{keys: keys, store: store} }

// Registration is what a messenger tells of one number.
type Registration struct {
	Number  string // E.164, as normalize.ParseE164 returns it
	Label   string // at most crypto.MaxLabelSize bytes of UTF-8, opaque to Kith
	Hidden  bool   // registered, but not to be found; the label is not kept then
	Version uint64 // orders the writes of this number, below 2^53; 0 has one assigned
}

// Put registers a number in every epoch, or hides it. It reports whether this write is the one that is stored, which it
// is not if a later version is. Repeating a call is safe; without a version, a repetition counts as a new write.
//
// It returns crypto.ErrLabel, directory.ErrRecord for a version out of range, ErrNoEpoch, ErrContended, and what the
// keyring and the directory return, ErrUnavailable of either above all; after those the write may have reached some
// epochs, and is to be repeated.
func (r *Registry) Put(ctx context.Context, reg Registration) (applied bool, err error) {
	if err := crypto.CheckLabel(reg.Label); err != nil {
		return false, err
	}
	return r.retry(ctx, reg.change())
}

// change returns the write that makes a registration.
func (reg *Registration) change() change {
	format := directory.Visible
	if reg.Hidden {
		format = directory.Hidden
	}
	return change{number: reg.Number, label: reg.Label, format: format, version: reg.Version}
}

// Deletion asks for the removal of one number.
type Deletion struct {
	Number  string  // E.164
	Label   *string // if not nil, delete only if this label is registered, or none
	Version uint64  // as in Registration
}

// Delete removes a number from every epoch, leaving a tombstone. It reports whether this write is the one that is
// stored. It returns ErrLabelMismatch if d.Label is another than the one registered, else the errors of Put.
func (r *Registry) Delete(ctx context.Context, d Deletion) (applied bool, err error) {
	return r.retry(ctx, change{number: d.Number, onlyLabel: d.Label, format: directory.Deleted, version: d.Version})
}

// change is one write before it is made for an epoch.
type change struct {
	number    string
	label     string
	onlyLabel *string
	format    directory.Format
	version   uint64
}

// errAgain means that the world changed and the write has to be decided anew.
var errAgain = errors.New("registry: again")

// retry makes a change in all epochs, beginning again when the store shows that the keyring has changed, or when the record
// that a deletion was decided on has.
func (r *Registry) retry(ctx context.Context, c change) (bool, error) {
	for range attempts {
		applied, err := r.write(ctx, c)
		if !errors.Is(err, errAgain) {
			return applied, err
		}
	}
	return false, ErrContended
}

// write makes a change in every epoch that is written to, the active one first: the version that it assigns, if none is
// given, goes to the others.
func (r *Registry) write(ctx context.Context, c change) (bool, error) {
	snapshot, active, err := r.active()
	if err != nil {
		return false, err
	}
	outcome, err := r.writeEpoch(ctx, snapshot, active, c)
	if err != nil {
		return false, err
	}
	applied := outcome.Result == directory.Applied
	if c.version == 0 {
		if !applied { // a stored version that leaves no room above it
			return false, nil
		}
		c.version = outcome.Version
	}
	// The label was checked where devices look it up. Elsewhere the same write is to win or lose by its version alone.
	c.onlyLabel = nil
	for _, e := range snapshot.Epochs {
		if e == active || !e.Written() {
			continue
		}
		if _, err := r.writeEpoch(ctx, snapshot, e, c); err != nil {
			return false, err
		}
	}
	return applied, nil
}

// active returns the keyring and its active epoch.
func (r *Registry) active() (*keyring.Snapshot, *keyring.Epoch, error) {
	snapshot, err := r.keys.Current()
	if err != nil {
		return nil, nil, err
	}
	e := snapshot.Active()
	if e == nil {
		return nil, nil, ErrNoEpoch
	}
	return snapshot, e, nil
}

// writeEpoch makes a change in one epoch, as one of a snapshot. It returns errAgain if the keyring is another by now, and
// after a conflict.
func (r *Registry) writeEpoch(ctx context.Context, snapshot *keyring.Snapshot, e *keyring.Epoch, c change) (directory.Outcome, error) {
	w, labelKey, err := prepare(e, c)
	if err != nil {
		return directory.Outcome{}, err
	}
	if c.onlyLabel != nil {
		if err := r.condition(ctx, e, &w, labelKey, *c.onlyLabel); err != nil {
			return directory.Outcome{}, r.outdated(ctx, snapshot, err)
		}
	}
	outcomes, err := r.store.Apply(ctx, e.Layout, snapshot.Generation, []directory.Write{w})
	if r.OnWrite != nil {
		r.OnWrite(e, w.Tag)
	}
	switch {
	case err != nil:
		return directory.Outcome{}, r.outdated(ctx, snapshot, err)
	case outcomes[0].Result == directory.Conflict:
		return directory.Outcome{}, errAgain
	}
	return outcomes[0], nil
}

// outdated reloads the keyring if an error of the store may come from its having changed since the snapshot: ErrStale, or
// ErrIncomplete of an epoch that was retired and removed meanwhile. It returns errAgain if that is so, an error of the
// keyring, or else err, as for an epoch that has lost its data.
func (r *Registry) outdated(ctx context.Context, snapshot *keyring.Snapshot, err error) error {
	stale := errors.Is(err, directory.ErrStale)
	if !stale && !errors.Is(err, directory.ErrIncomplete) {
		return err
	}
	if err := r.keys.Reload(ctx); err != nil {
		return err
	}
	present, currentErr := r.keys.Current()
	switch {
	case currentErr != nil:
		return currentErr
	case stale || present.Generation != snapshot.Generation:
		return errAgain
	default:
		return err
	}
}

// prepare makes the record of a change in one epoch, and returns the label key of its number.
func prepare(e *keyring.Epoch, c change) (directory.Write, crypto.LabelKey, error) {
	writes, keys, err := prepareAll(e, []change{c})
	if err != nil {
		return directory.Write{}, crypto.LabelKey{}, err
	}
	return writes[0], keys[0], nil
}

// condition makes a deletion depend on the record as it is stored now, if that has the label given or none. A tombstone
// has no label that could be another's. It returns ErrLabelMismatch if another label is registered.
func (r *Registry) condition(ctx context.Context, e *keyring.Epoch, w *directory.Write, key crypto.LabelKey, label string) error {
	record, raw, err := r.store.Get(ctx, e.Layout, w.Tag)
	if errors.Is(err, directory.ErrNotFound) {
		w.ExpectNone = true
		return nil
	}
	if err != nil {
		return err
	}
	w.Expect = raw
	if record.Format != directory.Visible {
		return nil
	}
	stored, err := key.Open(w.Tag, record.Label)
	if err != nil {
		return directory.ErrRecord
	}
	if stored != label {
		return ErrLabelMismatch
	}
	return nil
}
