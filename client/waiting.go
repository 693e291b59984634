package client

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// putOff reports whether an error of evaluations passes with time, and not in this Sync: the quota is used up, or the
// server says when to come back and that is far. It returns the problem that an error is, or nil.
func (r *run) putOff(err error) (problem *ProblemError, wait bool) {
	if !errors.As(err, &problem) {
		return nil, false
	}
	return problem, problem.Status == http.StatusTooManyRequests || problem.temporary() && problem.RetryAfter > r.options.MaxWait
}

// next is when to come back after a refusal; zero if the server did not say.
func (r *run) next(refusal *ProblemError) time.Time {
	if refusal == nil || refusal.RetryAfter == 0 {
		return time.Time{}
	}
	return r.now().Add(refusal.RetryAfter)
}

// leftToEvaluate counts the elements of the book that are still to be evaluated in r.epoch.
func (r *run) leftToEvaluate() int {
	return r.epoch.pendingElements() + len(r.epoch.missing(r.book.candidates))
}

// answerKnown answers after evaluations were refused: with what is known, which costs nothing, if they are only put off. If
// nothing at all is known, the refusal is the answer: a Result without matches would be read as if nobody were registered.
func (r *run) answerKnown(ctx context.Context, refusal error) (*Result, error) {
	problem, wait := r.putOff(refusal)
	if !wait {
		return nil, refusal
	}
	waiting := &Waiting{New: r.book.unknown(r.epoch), Left: r.leftToEvaluate(), Next: r.next(problem), Refusal: problem}
	result, err := r.answerPart(ctx)
	if err != nil {
		return nil, err
	}
	if len(r.book.candidates) == 0 && len(result.Matches) == 0 {
		return nil, refusal
	}
	result.Waiting = waiting
	return result, nil
}

// answerPart answers with what of the book is known in r.epoch.
func (r *run) answerPart(ctx context.Context) (*Result, error) {
	r.book = r.book.known(r.epoch)
	if err := r.chooseMode(ctx); err != nil {
		return nil, err
	}
	return r.answer(ctx)
}
