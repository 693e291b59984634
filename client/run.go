package client

import (
	"context"
	"errors"
	"slices"
)

// run is one Sync under way.
type run struct {
	*Client
	state *state
	book  *book

	directory *directory
	choice    choice
	offered   []Mode      // modes that are left to choose from
	epoch     *epochState // of the active epoch
	evaluated int
	refusals  int

	bytes    int64       // what lookups cost in this Sync
	labels   LabelPolicy // by which labels were fetched
	newsWait bool        // the changes feed was not read to its end
	index    *tagIndex   // of r.epoch
}

// discover does everything from the directory to the result, in the epoch that is active now. If that is over when the
// requests arrive, the error satisfies epochOver and the requests that are pending in it are forgotten.
func (r *run) discover(ctx context.Context) (*Result, error) {
	if err := r.enterEpoch(ctx); err != nil {
		return nil, err
	}
	// Before anything is paid for: without a lookup there is no use for it.
	r.offered = slices.Clone(r.directory.modes)
	if err := r.chooseMode(ctx); err != nil {
		return nil, err
	}
	result := &Result{
		Epoch:    r.epoch.id,
		Contacts: r.book.contacts,
		Numbers:  len(r.book.primary),
		Skipped:  r.book.skipped,
	}
	if err := r.evaluate(ctx); err != nil {
		return nil, r.leaveEpoch(ctx, err)
	}
	result.Evaluated = r.evaluated
	if err := r.lookUp(ctx, result); err != nil {
		return nil, r.leaveEpoch(ctx, err)
	}
	result.Mode, result.Labels, result.Why, result.Bytes = r.choice.mode, r.labelPolicy(), r.choice.why, r.bytes
	return result, nil
}

// enterEpoch asks for the directory and checks it, before anything of the address book is sent.
func (r *run) enterEpoch(ctx context.Context) error {
	d, err := r.fetchDirectory(ctx)
	if err != nil {
		return err
	}
	if err := d.checkKeys(r.state, r.options.PublicKey); err != nil {
		return err
	}
	r.directory = d
	r.epoch = r.state.remember(d.active.id, d.publicKey)
	r.state.useBits(r.epoch, d.figures.BucketBits)
	r.state.forget(d.active.id, d.inUse)
	return nil
}

// leaveEpoch returns err, after forgetting the pending requests if it means that the epoch is over, and keeping what lookups
// have cost: a server that lets them fail must not get around the budget.
func (r *run) leaveEpoch(ctx context.Context, err error) error {
	if !epochOver(err) {
		if r.bytes > 0 {
			err = errors.Join(err, r.save(context.WithoutCancel(ctx)))
		}
		return err
	}
	r.state.dropPending(r.epoch)
	if saveErr := r.state.save(ctx, r.options.State); saveErr != nil {
		return saveErr
	}
	return err
}

// epochOver reports whether an error is the server's answer that the epoch is not there any more.
func epochOver(err error) bool {
	var problem *ProblemError
	if !errors.As(err, &problem) {
		return false
	}
	return problem.Code == CodeUnknownEpoch || problem.Code == CodeEpochRetired
}
