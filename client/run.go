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
	whole *book // the address book
	book  *book // what of it is looked up

	directory *directory
	over      map[uint32]string // epochs that the server said in this Sync are not there: the code of the problem
	choice    choice
	offered   []Mode      // modes that are left to choose from
	epoch     *epochState // of the epoch that is used
	evaluated int
	refusals  int // batches that were made anew
	atMost    int // elements of a batch, as the server said when it refused one; 0 if it did not

	bytes    int64       // what lookups cost in this Sync
	labels   LabelPolicy // by which labels were fetched
	newsWait bool        // the changes feed was not read to its end
	index    *tagIndex   // of r.epoch
}

// discover does everything from the directory to the result. If the epoch that it uses is over when the requests arrive,
// the error satisfies epochOver, and discover can be called once more: what the server says then is another epoch.
func (r *run) discover(ctx context.Context) (*Result, error) {
	r.book = r.whole
	if err := r.openDirectory(ctx); err != nil {
		return nil, err
	}
	home := r.home()
	if err := r.enter(home); err != nil {
		return nil, err
	}
	if home.id >= r.state.home { // not where the server has only not heard of the device's own
		r.state.moveTo(r.epoch)
	}
	r.state.forget(r.directory.active.id, r.inUse)
	result, err := r.discoverFrom(ctx, home)
	if err != nil {
		return nil, r.failed(ctx, err)
	}
	return result, nil
}

// discoverFrom moves to the active epoch, if it is time, or else does all in the epoch that the device is in.
func (r *run) discoverFrom(ctx context.Context, home directoryEpoch) (*Result, error) {
	if !home.isActive() {
		if due, err := r.moveDue(); err != nil {
			return nil, err
		} else if due {
			return r.move(ctx, home)
		}
	}
	// Before anything is paid for: without a lookup there is no use for it.
	if err := r.chooseMode(ctx); err != nil {
		return nil, err
	}
	if err := r.evaluate(ctx); err != nil {
		return r.answerKnown(ctx, err)
	}
	return r.answer(ctx)
}

// answer looks up r.book in r.epoch, and returns the result.
func (r *run) answer(ctx context.Context) (*Result, error) {
	result := &Result{
		Epoch:     r.epoch.id,
		Contacts:  r.whole.contacts,
		Numbers:   len(r.whole.primary),
		Skipped:   r.whole.skipped,
		Evaluated: r.evaluated,
	}
	if err := r.lookUp(ctx, result); err != nil {
		return nil, err
	}
	result.Mode, result.Labels, result.Why, result.Bytes = r.choice.mode, r.labelPolicy(), r.choice.why, r.bytes
	return result, nil
}

// openDirectory asks for the directory and checks it, by the key log too, before anything of the address book is sent. The
// directory comes first: the log has each key before the directory does.
func (r *run) openDirectory(ctx context.Context) error {
	d, err := r.fetchDirectory(ctx)
	if err != nil {
		return err
	}
	if err := d.checkKeys(r.state, r.options.PublicKey); err != nil {
		return err
	}
	r.directory = d
	return r.checkKeyLog(ctx)
}

// enter makes e the epoch that is used. It returns ErrAnswer if its key is none.
func (r *run) enter(e directoryEpoch) error {
	if err := r.directory.use(e); err != nil {
		return err
	}
	r.epoch = r.state.remember(e.id, e.key)
	r.state.useBits(r.epoch, e.figures.BucketBits)
	r.offered = slices.Clone(r.directory.modes)
	return nil
}

// inUse reports whether an epoch may still be asked, by the directory and by what was answered in this Sync.
func (r *run) inUse(id uint32) bool { return r.directory.inUse(id) && r.over[id] != CodeEpochRetired }

// failed returns err, after noting whether it means that the epoch is over, and keeping what lookups have cost: a server
// that lets them fail must not get around the budget.
func (r *run) failed(ctx context.Context, err error) error {
	if code, over := epochOver(err); over {
		r.over[r.epoch.id] = code
	}
	if r.bytes > 0 {
		err = errors.Join(err, r.save(context.WithoutCancel(ctx)))
	}
	return err
}

// epochOver reports whether an error is the server's answer that the epoch is not there, and returns its code.
func epochOver(err error) (code string, over bool) {
	var problem *ProblemError
	if !errors.As(err, &problem) {
		return "", false
	}
	return problem.Code, problem.Code == CodeUnknownEpoch || problem.Code == CodeEpochRetired
}
