package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

// maxRefusals is how many batches of one Sync may be made anew under another Idempotency-Key. One is what an
// interrupted Sync can leave behind; more than a few are a server that refuses everything.
const maxRefusals = 3

// evaluate brings r.epoch.known to cover all candidates of the book: first what is pending from an interrupted Sync,
// then pages of what is missing. What is left to do follows from the state alone, which is saved before each request
// and after each answer.
func (r *run) evaluate(ctx context.Context) error {
	done := 0
	report := func() {
		left := r.epoch.pendingElements() + len(r.epoch.missing(r.book.candidates))
		if done+left > 0 {
			r.options.Progress(Progress{Stage: StageEvaluate, Done: done, Total: done + left})
		}
	}
	report()
	for {
		b, err := r.nextBatch(ctx)
		if err != nil || b == nil {
			return err
		}
		n, err := r.complete(ctx, b)
		if err != nil {
			return err
		}
		done += n
		report()
	}
}

// nextBatch returns the oldest pending batch, or a new one of what is missing, or nil when all is known. The state is
// saved when it returns: a request that is sent without its blinds being kept is paid for in vain.
func (r *run) nextBatch(ctx context.Context) (*batch, error) {
	if len(r.epoch.pending) > 0 {
		return r.epoch.pending[0], r.state.save(ctx, r.options.State)
	}
	missing := r.epoch.missing(r.book.candidates)
	if len(missing) == 0 {
		return nil, r.state.save(ctx, r.options.State)
	}
	b, err := newBatch(r.options.Rand, missing[:min(len(missing), r.batchSize())])
	if err != nil {
		return nil, err
	}
	r.epoch.pending = append(r.epoch.pending, b)
	r.state.dirty = true
	return b, r.state.save(ctx, r.options.State)
}

// batchSize returns how many elements a new batch may have.
func (r *run) batchSize() int {
	if r.atMost > 0 {
		return min(r.atMost, r.directory.maxElements)
	}
	return r.directory.maxElements
}

// newBatch makes a key and blinds for numbers. It returns the reader's error.
func newBatch(rand io.Reader, numbers []string) (*batch, error) {
	b := &batch{numbers: numbers}
	if _, err := io.ReadFull(rand, b.key[:]); err != nil {
		return nil, fmt.Errorf("client: reading randomness: %w", err)
	}
	var err error
	b.blinds, err = voprf.RandomBlinds(rand, len(numbers))
	return b, err
}

// complete has a batch evaluated and keeps the results, or drops it where it has to be made anew. It returns the number
// of elements that were evaluated. After an error the batch is still pending, unless the server will never take it.
func (r *run) complete(ctx context.Context, b *batch) (int, error) {
	ns, err := r.requestEvaluation(ctx, b)
	if err != nil {
		return 0, r.refused(ctx, b, err)
	}
	r.state.settle(r.epoch, b, ns)
	r.evaluated += len(ns)
	// Even when ctx has just ended: this is paid for.
	return len(ns), r.state.save(context.WithoutCancel(ctx), r.options.State)
}

// refused drops a batch whose bytes the server will never take, which otherwise would stand in the way of every Sync to
// come, and one that a smaller one can go before, of what the quota still allows. It returns nil if the numbers can be sent
// anew, and err if not. A batch that was charged is never refused for the quota, so that nothing is paid for twice.
func (r *run) refused(ctx context.Context, b *batch, err error) error {
	var problem *ProblemError
	if !errors.As(err, &problem) {
		return err
	}
	anew := false
	switch problem.Code {
	case CodeIdempotencyKeyReused, CodeKeyExhausted:
		anew = true
	case CodeQuotaExceeded:
		if problem.Remaining < 1 || problem.Remaining >= len(b.numbers) {
			return err
		}
		r.atMost, anew = problem.Remaining, true
	case CodeTooManyElements:
		if problem.Limit > 0 && problem.Limit < len(b.numbers) {
			r.atMost = problem.Limit
		}
		anew = len(b.numbers) > r.batchSize() // made when the limit was higher, or it is that of this account
	case CodeInvalidElement:
	default:
		return err
	}
	r.state.settle(r.epoch, b, nil)
	if saveErr := r.state.save(ctx, r.options.State); saveErr != nil {
		return saveErr
	}
	if r.refusals++; anew && r.refusals <= maxRefusals {
		return nil
	}
	return err
}

// requestEvaluation sends a batch, verifies the proof of the answer and unblinds it. The same batch always sends the
// same bytes under the same key, for which the account is charged once.
func (r *run) requestEvaluation(ctx context.Context, b *batch) ([]voprf.UnblindedElement, error) {
	blinded, err := blind(b)
	if err != nil {
		return nil, err
	}
	answer, err := r.call(ctx, request{
		name:   "evaluations",
		via:    r.metered,
		method: http.MethodPost,
		path:   fmt.Sprintf("/v1/epochs/%d/evaluations", r.epoch.id),
		body:   blinded,
		accept: typePacked,
		limit:  len(blinded) + voprf.ProofSize,
		token:  r.options.Token,
		key:    base64.RawURLEncoding.EncodeToString(b.key[:]),
	})
	if err != nil {
		return nil, err
	}
	if len(answer) != len(blinded)+voprf.ProofSize {
		return nil, fmt.Errorf("%w: evaluations of a wrong length", ErrAnswer)
	}
	evaluated, proof := answer[:len(blinded)], voprf.Proof(answer[len(blinded):])
	// Before unblinding: results of an unproven key are what a server would mark its users with.
	switch err := r.directory.publicKey.VerifyProof(blinded, evaluated, proof); {
	case errors.Is(err, voprf.ErrProof):
		return nil, ErrProof
	case err != nil:
		return nil, fmt.Errorf("%w: evaluations: %w", ErrAnswer, err)
	}
	return unblind(b, evaluated)
}

// blind computes the packed blinded elements of a batch, on all cores.
func blind(b *batch) ([]byte, error) {
	blinded := make([]byte, len(b.numbers)*voprf.ElementSize)
	err := spread(len(b.numbers), func(from, to int) error {
		inputs := make([][]byte, 0, to-from)
		for _, number := range b.numbers[from:to] {
			inputs = append(inputs, normalize.Input(number))
		}
		part, err := voprf.Blind(inputs, b.blinds[from:to])
		copy(blinded[from*voprf.ElementSize:], part)
		return err
	})
	return blinded, err
}

// unblind computes N of each number of a batch, on all cores.
func unblind(b *batch, evaluated []byte) ([]voprf.UnblindedElement, error) {
	ns := make([]voprf.UnblindedElement, len(b.numbers))
	err := spread(len(b.numbers), func(from, to int) error {
		part, err := voprf.Unblind(b.blinds[from:to], evaluated[from*voprf.ElementSize:to*voprf.ElementSize])
		copy(ns[from:], part)
		return err
	})
	return ns, err
}
