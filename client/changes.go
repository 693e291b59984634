package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/kith-project/kith/crypto/filter"
)

const (
	// maxPosition is the longest position in the changes feed, in bytes.
	maxPosition = 1 << 10
	// maxSegment is the longest answer of the changes feed, in bytes.
	maxSegment = 9 << 20
	// maxSegments is how many answers one Sync follows: a feed does not go on for ever.
	maxSegments = 10_000
)

// readChanges reads the feed from a position to its end, or until the budget is used up, and hands the entries of each
// answer to apply. It returns where it came to, and whether that is the end. An answer is the last if its position is
// the one that was asked for.
func (r *run) readChanges(ctx context.Context, since string, apply func([]byte) error) (next string, end bool, err error) {
	for range maxSegments {
		if r.left() <= 0 {
			return since, false, nil
		}
		entries, next, err := r.requestChanges(ctx, since)
		if err != nil {
			return since, false, err
		}
		if err := apply(entries); err != nil {
			return since, false, err
		}
		if next == since {
			return since, true, nil
		}
		since = next
	}
	return since, false, fmt.Errorf("%w: changes without an end", ErrAnswer)
}

func (r *run) requestChanges(ctx context.Context, since string) (entries []byte, next string, err error) {
	entries, err = r.callLookup(ctx, request{
		name:   "changes",
		method: http.MethodGet,
		path:   fmt.Sprintf("/v1/epochs/%d/changes?since=%s", r.epoch.id, url.QueryEscape(since)),
		accept: typePacked,
		measure: func(h http.Header) (int, error) {
			if next = h.Get("Kith-Next"); next == "" || len(next) > maxPosition {
				return 0, fmt.Errorf("%w: changes without a next position", ErrAnswer)
			}
			return maxSegment, nil
		},
	})
	return entries, next, err
}

// applyChanges takes new entries of the feed: those about numbers of this epoch go to the labels and to apply. It returns
// ErrAnswer.
func (r *run) applyChanges(
	numbers map[filter.TagPrefix]string, entries []byte, apply func(string, filter.Change),
) error {
	return applyTo(numbers, entries, func(number string, c filter.Change) {
		if r.epoch.labels.apply(number, c) {
			r.state.dirty = true
		}
		apply(number, c)
	})
}

// applyTo calls apply for the entries that are about numbers, in their order. It returns ErrAnswer for what are none.
func applyTo(numbers map[filter.TagPrefix]string, entries []byte, apply func(string, filter.Change)) error {
	changes, err := filter.ParseChanges(entries)
	if err != nil {
		return fmt.Errorf("%w: changes of a wrong form", ErrAnswer)
	}
	for _, c := range changes {
		if number, own := numbers[c.Prefix]; own {
			apply(number, c)
		}
	}
	return nil
}

// isProblem reports whether err is a problem with that code.
func isProblem(err error, code string) bool {
	var problem *ProblemError
	return errors.As(err, &problem) && problem.Code == code
}

// ignoreProblem returns err, or nil if it is a problem with that code.
func ignoreProblem(err error, code string) error {
	if isProblem(err, code) {
		return nil
	}
	return err
}
