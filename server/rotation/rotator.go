package rotation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

const (
	// idle is the pause between two looks at the keyring.
	idle = 250 * time.Millisecond
	// maxBackoff is the longest pause after errors, which doubles from idle on while nothing succeeds.
	maxBackoff = 30 * time.Second
	// failedPause is how long an item is left alone that could not be done.
	failedPause = 5 * time.Second
	// releaseTimeout bounds the wait for giving an item back, which may be at the end of a process.
	releaseTimeout = 2 * time.Second
)

// Rotator does a server's part of the rotations of a deployment.
type Rotator struct {
	config Config
	nudge  chan struct{} // Wake was called
	mend   time.Duration // mendPause, or less in tests
	behind time.Duration // behindFor, or less in tests

	// What follows belongs to the goroutine of Run.

	// With what ErrUnreadable was reported last.
	unreadable unreadableCount
}

// unreadableCount is how many records can not be read, found by a phase of a rotation.
type unreadableCount struct {
	epoch   uint32
	phase   what
	records int64
}

// New returns a rotator, or ErrConfig.
func New(config Config) (*Rotator, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Rotator{config: config, nudge: make(chan struct{}, 1), mend: mendPause, behind: behindFor}, nil
}

// Wake has Run look at the keyring at once, as after a rotation was begun. It may be called concurrently.
func (r *Rotator) Wake() {
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// Run does what is to be done, until ctx ends: the part of the work for which this server gets leases, and every step
// that no server has made yet. It also watches over the keyring, and heals it when the store has lost its last changes.
// Errors go to Config.OnError, and the work is tried again. It must not run twice at a time.
func (r *Rotator) Run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { r.watch(ctx) })
	backoff := idle
	for ctx.Err() == nil {
		worked, errs := r.step(ctx)
		for _, err := range errs {
			if ctx.Err() == nil {
				r.config.OnError(err)
			}
		}
		switch {
		case worked || len(errs) == 0:
			backoff = idle
		default:
			backoff = min(2*backoff, maxBackoff)
		}
		if !worked || len(errs) > 0 {
			r.wait(ctx, backoff)
		}
	}
}

// wait returns after d, when ctx ends, or after Wake.
func (r *Rotator) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.nudge:
	}
}

// step does once what is to be done as the keyring stands. It reports whether anything was done, and what went wrong.
func (r *Rotator) step(ctx context.Context) (worked bool, errs []error) {
	snapshot, err := r.config.Keyring.Current()
	if err != nil {
		return false, []error{err}
	}
	var now time.Time
	if timed(snapshot) {
		if now, err = r.config.Keyring.Time(ctx); err != nil {
			return false, []error{err}
		}
	}
	for _, t := range r.tasks(snapshot, now) {
		did, err := r.do(ctx, t)
		worked = worked || did
		if err != nil {
			errs = append(errs, err)
		}
	}
	return worked, errs
}

// do does a task, or as much of it as there are items to be had. It reports whether anything was done.
func (r *Rotator) do(ctx context.Context, t task) (worked bool, err error) {
	keys, id := r.config.Keyring, t.epoch.ID
	switch t.what {
	case doPrepare:
		err = r.outcome(ctx, keys.FinishStage(ctx, id, r.config.Directory))
		return err == nil, err
	case doActivate:
		err = r.outcome(ctx, keys.Activate(ctx, id))
		return err == nil, err
	case doRetire:
		err = r.outcome(ctx, keys.Retire(ctx, id))
		return err == nil, err
	case doSweep:
		return r.phase(ctx, t, r.queueOf(sweepPhase(t.epoch.Swept), id))
	default:
		return r.phase(ctx, t, r.queueOf(Phase(t.what), id))
	}
}

// outcome returns the error of a step of the keyring, but for those which say that another server or an operator has
// gone on in the meantime.
func (r *Rotator) outcome(ctx context.Context, err error) error {
	if errors.Is(err, keyring.ErrState) || errors.Is(err, keyring.ErrChanged) {
		return r.config.Keyring.Reload(ctx)
	}
	return err
}

// phase works on the items of a task until there are none to be had, and says so in the keyring once all are done.
func (r *Rotator) phase(ctx context.Context, t task, q *queue) (worked bool, err error) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // guards what follows
		done int
		over bool // every item is done
		errs []error
	)
	for range r.config.Workers {
		wg.Go(func() {
			n, err := r.work(ctx, t, q)
			mu.Lock()
			defer mu.Unlock()
			done += n
			over = over || errors.Is(err, errDone)
			if err != nil && !errors.Is(err, errDone) && !errors.Is(err, errWait) {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return done > 0, errs[0]
	}
	if !over {
		return done > 0, nil
	}
	finished, err := r.finish(ctx, t, q)
	return done > 0 || finished, err
}

// work does items, one after another, and returns how many it has done and why it ended: errDone, errWait, nil if the
// task has ended meanwhile, or what went wrong.
func (r *Rotator) work(ctx context.Context, t task, q *queue) (done int, err error) {
	for ctx.Err() == nil {
		present, ok := r.present(t)
		if !ok {
			return done, nil
		}
		c, err := q.claim(ctx)
		if errors.Is(err, errNone) {
			if err := r.open(ctx, present, q); err != nil {
				return done, err
			}
			continue
		}
		if err != nil {
			return done, err
		}
		finished, err := r.item(ctx, present, q, c)
		if err != nil {
			return done, err
		}
		if finished {
			done++
		}
		if c.again {
			return done, errDone // there may always be another, and what comes next does not wait for that
		}
	}
	return done, ctx.Err()
}

// present returns the task by the keyring as it now is, and whether it is still to be done.
func (r *Rotator) present(t task) (task, bool) {
	snapshot, err := r.config.Keyring.Current()
	if err != nil {
		return task{}, false // the next step says so
	}
	e := snapshot.Epoch(t.epoch.ID)
	if e == nil || phaseOf(e) != phaseOf(t.epoch) || e.Swept != t.epoch.Swept {
		return task{}, false
	}
	return task{what: t.what, snapshot: snapshot, epoch: e, from: snapshot.Epoch(e.From)}, true
}

// open opens the queue of a task.
func (r *Rotator) open(ctx context.Context, t task, q *queue) error {
	if t.what == doSweep {
		return q.open(ctx, t.epoch.Layout.Partitions(), 1, 0)
	}
	n, err := r.config.Directory.Count(ctx, t.from.Layout)
	if err != nil {
		return err
	}
	size := itemSize(t.from.Layout)
	return q.open(ctx, 1<<t.from.Layout.BucketBits/size, size, n.Visible+n.Hidden+n.Deleted)
}

// item does one item under its lease, and reports whether it is done. An item that could not be done is given back, and
// so is one whose task has ended or was begun under a keyring that has changed.
func (r *Rotator) item(ctx context.Context, t task, q *queue, c claimed) (finished bool, err error) {
	h := &hold{queue: q, item: c, renewed: time.Now(), pace: newPace(r.config.duty()), ended: func() bool { _, ok := r.present(t); return !ok }}
	var n counts
	if t.what == doSweep {
		err = r.sweepItem(ctx, t, h)
	} else {
		n, err = r.moveItem(ctx, t, h)
	}
	if err == nil {
		err = q.complete(ctx, c, n)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errLost), errors.Is(err, errNone):
		return false, nil // another has it, or will
	case errors.Is(err, errEnded):
		r.giveBack(ctx, q, c, 0)
		return false, nil
	}
	return false, r.failed(ctx, t, q, c, err)
}

// failed gives an item back that could not be done, and returns the error unless it was a keyring that has changed.
func (r *Rotator) failed(ctx context.Context, t task, q *queue, c claimed, err error) error {
	changed := false
	if errors.Is(err, directory.ErrStale) || errors.Is(err, directory.ErrIncomplete) {
		if reload := r.config.Keyring.Reload(ctx); reload != nil {
			err = reload
		} else if snapshot, current := r.config.Keyring.Current(); current == nil {
			changed = snapshot.Generation != t.snapshot.Generation
		}
	}
	if changed || ctx.Err() != nil {
		r.giveBack(ctx, q, c, 0)
		return ctx.Err()
	}
	r.giveBack(ctx, q, c, failedPause)
	return err
}

// giveBack gives an item back. If that fails, its lease ends by itself.
func (r *Rotator) giveBack(ctx context.Context, q *queue, c claimed, after time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = q.release(ctx, c, after)
}

// finish says in the keyring that every item of a task is done, and reports whether it is.
func (r *Rotator) finish(ctx context.Context, t task, q *queue) (finished bool, err error) {
	keys, id := r.config.Keyring, t.epoch.ID
	switch t.what {
	case doCopy:
		err = keys.MarkCopied(ctx, id)
	case doVerify, doSettle:
		readable, unread := r.readable(ctx, t, q)
		if unread != nil || !readable {
			return false, unread
		}
		if t.what == doVerify {
			err = keys.MarkVerified(ctx, id)
		} else {
			err = keys.MarkSettled(ctx, id)
		}
	case doSweep:
		if err := r.sweepRest(ctx, t); err != nil {
			return false, err
		}
		if err = keys.MarkSwept(ctx, id, t.epoch.Swept); err == nil {
			err = q.remove(ctx)
		}
	}
	err = r.outcome(ctx, err)
	return err == nil, err
}

// readable reports whether no more records can not be read than are accepted to be lost. It returns ErrUnreadable once for
// each number of them, in each phase of each rotation.
func (r *Rotator) readable(ctx context.Context, t task, q *queue) (bool, error) {
	present, ok := r.present(t)
	p, err := q.read(ctx)
	if errors.Is(err, errNone) || !ok {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if p.unreadable <= int64(present.epoch.Accepted) {
		return p.complete(), nil
	}
	found := unreadableCount{t.epoch.ID, t.what, p.unreadable}
	if found == r.unreadable {
		return false, nil
	}
	r.unreadable = found
	return false, ErrUnreadable
}

// Activate makes a verified epoch active, as keyring.Activate does, at the word of an operator who accepts that so many
// records which can not be read are left behind. A loss below 0 leaves what was accepted before. A loss is remembered only
// where it is enough: a rotation that goes on by itself does not lose more than it was allowed to. Of an epoch that is
// active already, which settle keeps from being settled, a larger loss can be accepted than before. It may be called
// concurrently, on any server.
//
// It returns keyring.ErrNotVerified if not every record is verified yet, or more than accepted can not be read; and the
// errors of keyring.Activate.
func (r *Rotator) Activate(ctx context.Context, id uint32, loss int) error {
	e, err := r.read(ctx, id)
	if err != nil {
		return err
	}
	switch phase := phaseOf(e); {
	case phase == PhaseVerify:
		if loss < 0 {
			loss = e.Accepted
		}
		if err := r.accept(ctx, e, phase, loss); err != nil {
			return err
		}
		if err := r.config.Keyring.MarkVerified(ctx, id); err != nil {
			return err
		}
	case phase == PhaseSettle && loss > e.Accepted:
		if err := r.accept(ctx, e, phase, loss); err != nil {
			return err
		}
	}
	return r.config.Keyring.Activate(ctx, id)
}

// accept stores that an operator accepts a loss. It returns keyring.ErrNotVerified, and stores nothing, if the phase is not
// at its end or more records can not be read.
func (r *Rotator) accept(ctx context.Context, e *keyring.Epoch, phase Phase, loss int) error {
	p, err := r.queueOf(phase, e.ID).read(ctx)
	if err != nil && !errors.Is(err, errNone) {
		return err
	}
	if err != nil || !p.complete() || p.unreadable > int64(loss) {
		return keyring.ErrNotVerified
	}
	return r.config.Keyring.AcceptLoss(ctx, e.ID, loss)
}

// read returns an epoch as it stands in the store.
func (r *Rotator) read(ctx context.Context, id uint32) (*keyring.Epoch, error) {
	if err := r.config.Keyring.Reload(ctx); err != nil {
		return nil, err
	}
	snapshot, err := r.config.Keyring.Current()
	if err != nil {
		return nil, err
	}
	if e := snapshot.Epoch(id); e != nil {
		return e, nil
	}
	return nil, keyring.ErrUnknownEpoch
}
