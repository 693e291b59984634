package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
)

const (
	// pollStatus is how often a rotation is asked how far it is.
	pollStatus = 500 * time.Millisecond
	// sayEvery is how often that is said where there is no terminal to draw on, while the phase stays.
	sayEvery = 10 * time.Second
	// patience is how long servers may not answer: they are restarted now and then, and the rotation goes on.
	patience = 2 * time.Minute
)

// wait follows a rotation until its epoch is active.
type wait struct {
	admin *adminFlags
	t     *terminal
	id    uint32

	phase    string // that was shown last
	bar      *progressbar.ProgressBar
	said     time.Time // when a line was last written
	answered time.Time // when a server last answered
}

func newWait(admin *adminFlags, t *terminal, id uint32) *wait {
	return &wait{admin: admin, t: t, id: id, answered: time.Now()}
}

// run ends when the epoch is active, or when it never will be without an operator.
func (w *wait) run(ctx context.Context) error {
	defer w.endBar()
	for {
		status, _, err := w.admin.status(ctx)
		if ctx.Err() != nil {
			return w.goesOn("interrupted")
		}
		if done, err := w.step(status, err); done || err != nil {
			return err
		}
		if pause(ctx, pollStatus) != nil {
			return w.goesOn("interrupted")
		}
	}
}

// goesOn returns an error that says that the rotation is none the worse for it.
func (w *wait) goesOn(what string) error {
	w.endBar()
	return withHint(fmt.Errorf("%s: the rotation to epoch %d goes on in the servers", what, w.id),
		"kith epoch rotate --wait joins it again, kith epoch abort %d ends it", w.id)
}

// step looks at one answer. It reports whether the end has come.
func (w *wait) step(status *epochsStatus, err error) (done bool, _ error) {
	if err != nil {
		return false, w.failed(err)
	}
	w.answered = time.Now()
	e := status.epoch(w.id)
	if e == nil {
		return false, withHint(fmt.Errorf("the servers do not know epoch %d any more", w.id), "has the store been replaced?")
	}
	switch e.State {
	case stateStaged:
		return w.staged(e)
	case stateAborted:
		w.endBar()
		return false, withHint(fmt.Errorf("the rotation to epoch %d was aborted", w.id), "epoch %d is in use as before; kith epoch rotate begins another", e.From)
	default: // it has been active, if only for a while
		w.endBar()
		_, err := fmt.Fprintf(w.t.stdout, "epoch %d is active\n", w.id)
		return true, err
	}
}

// failed decides whether a failure may pass.
func (w *wait) failed(err error) error {
	_, unreached := errors.AsType[*connectError](err)
	e, answered := errors.AsType[*serverError](err)
	if unreached || answered && e.status >= 500 {
		if time.Since(w.answered) < patience {
			return nil
		}
		return w.goesOn(fmt.Sprintf("no server has answered for %s (%v)", patience, err))
	}
	w.endBar()
	w.t.say("the rotation to epoch %d goes on in the servers", w.id)
	return err
}

// staged shows how far the rotation is, and ends where it waits for an operator.
func (w *wait) staged(e *epochStatus) (done bool, _ error) {
	r := e.Rotation
	switch {
	case r == nil:
		return false, nil
	case r.stuck():
		w.endBar()
		return false, withHint(errors.New(e.unreadable()), "%s", e.unreadableHint())
	case r.Phase == phaseReady && !r.Auto:
		w.endBar()
		_, err := fmt.Fprintf(w.t.stdout, "epoch %d is verified\n", e.ID)
		w.t.say("kith epoch activate %d makes it active", e.ID)
		return true, err
	}
	if w.t.interactive() {
		w.draw(r)
	} else {
		w.say(r)
	}
	return false, nil
}

// say writes a line when the phase is another, and now and then.
func (w *wait) say(r *rotationState) {
	text := r.describe(w.id)
	if text == "" || r.Phase == w.phase && time.Since(w.said) < sayEvery {
		return
	}
	w.phase, w.said = r.Phase, time.Now()
	w.t.say("%s", text)
}

// draw draws a bar for each phase. Rate and time left are the servers' own, which know how long they have been at it.
func (w *wait) draw(r *rotationState) {
	done, all := r.RecordsDone, r.Records
	if all == 0 {
		done, all = r.ItemsDone, r.Items
	}
	if r.Phase != w.phase || w.bar == nil {
		w.endBar()
		w.phase = r.Phase
		w.bar = progressbar.NewOptions64(max(all, 1), progressbar.OptionSetWriter(w.t.stderr), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false))
	}
	text := phaseTexts[r.Phase]
	if r.RecordsPerSecond >= 1 {
		text += fmt.Sprintf(", %.0f a second", r.RecordsPerSecond)
	}
	if r.ETASeconds >= 1 {
		text += ", " + (time.Duration(r.ETASeconds) * time.Second).String() + " left"
	}
	w.bar.Describe(text)
	w.bar.ChangeMax64(max(all, 1))
	// Short of its end, at which it would be taken for finished.
	_ = w.bar.Set64(min(done, max(all, 1)-1))
}

// endBar removes the bar.
func (w *wait) endBar() {
	if w.bar != nil {
		_ = w.bar.Finish()
		w.bar = nil
	}
}
