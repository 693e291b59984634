package evaluator

import (
	"container/list"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/kith-project/kith/crypto/voprf"
)

// Requests of fewer than Small elements run together, up to groupElements elements of them and groupRequests: about two ms on
// eight lanes, for which the first of them has to wait at most.
const (
	Small         = 64
	groupElements = 128
	groupRequests = 64
)

// ErrPanicked means that the computation in which a request took part has panicked, for another of its requests maybe.
var ErrPanicked = errors.New("evaluator: the computation failed")

// Evaluator evaluates on a number of cores. Its methods may be called concurrently.
type Evaluator struct {
	rand io.Reader
	ran  func(requests, elements int)

	mu      sync.Mutex // guards what follows, and request.place
	free    int        // cores
	waiting list.List  // of *request, in the order in which they came; there are none while a core is free
}

// request is an evaluation that is asked for.
type request struct {
	key     *voprf.PrivateKey
	blinded []byte
	answer  voprf.Evaluation
	// turn has room for the one value that is sent to a request that waited: the group that it is to compute, or nil when
	// its answer is there.
	turn  chan []*request
	place *list.Element // in waiting, or nil
}

func (r *request) elements() int { return len(r.blinded) / voprf.ElementSize }

// New returns an evaluator for so many cores, at least one, that makes proof nonces of rand, which must be a cryptographic source.
// ran is called for what was computed together, and must not block; it may be nil.
func New(cores int, rand io.Reader, ran func(requests, elements int)) *Evaluator {
	if ran == nil {
		ran = func(int, int) {}
	}
	return &Evaluator{rand: rand, ran: ran, free: max(cores, 1)}
}

// BlindEvaluate is that of key ([voprf.PrivateKey.BlindEvaluate]), as soon as there is a core for it. It returns the error of
// ctx if that ends before, and ErrPanicked. blinded must not be changed before it returns.
func (e *Evaluator) BlindEvaluate(ctx context.Context, key *voprf.PrivateKey, blinded []byte) (evaluated []byte, proof voprf.Proof, err error) {
	if err := ctx.Err(); err != nil {
		return nil, voprf.Proof{}, err
	}
	r := &request{key: key, blinded: blinded}
	group := e.enter(r)
	if group == nil {
		if group, err = e.wait(ctx, r); err != nil {
			return nil, voprf.Proof{}, err
		}
	}
	if group != nil {
		e.compute(group)
	}
	return r.answer.Evaluated, r.answer.Proof, r.answer.Err
}

// enter takes a free core and returns the group of this request alone, or lets it wait.
func (e *Evaluator) enter(r *request) []*request {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.free > 0 {
		e.free--
		return []*request{r}
	}
	r.turn = make(chan []*request, 1)
	r.place = e.waiting.PushBack(r)
	return nil
}

// wait returns the group that a request is to compute, or nil when its answer is there. Once others compute with what it gave,
// it waits for them, though ctx has ended.
func (e *Evaluator) wait(ctx context.Context, r *request) ([]*request, error) {
	select {
	case group := <-r.turn:
		return group, nil
	case <-ctx.Done():
	}
	e.mu.Lock()
	waits := r.place != nil
	if waits {
		e.remove(r)
	}
	e.mu.Unlock()
	if waits {
		return nil, ctx.Err()
	}
	return <-r.turn, nil
}

// remove takes a request out of those that wait.
func (e *Evaluator) remove(r *request) {
	e.waiting.Remove(r.place)
	r.place = nil
}

// compute answers the requests of a group, which have one key, tells all but the first, whose goroutine this is, and hands
// the core on. It does all that when the computation panics, too.
func (e *Evaluator) compute(group []*request) {
	for _, r := range group {
		r.answer.Err = ErrPanicked
	}
	defer func() {
		e.handOn()
		for _, r := range group[1:] {
			r.turn <- nil
		}
	}()
	batches, elements := make([][]byte, len(group)), 0
	for i, r := range group {
		batches[i] = r.blinded
		elements += r.elements()
	}
	for i, answer := range group[0].key.BlindEvaluateEach(e.rand, batches) {
		group[i].answer = answer
	}
	e.ran(len(group), elements)
}

// handOn gives a core that is free now to the next group.
func (e *Evaluator) handOn() {
	e.mu.Lock()
	defer e.mu.Unlock()
	group := e.next()
	if group == nil {
		e.free++
		return
	}
	group[0].turn <- group
}

// next takes out those that are computed next: the one that has waited longest and, if it is small, other small ones under
// its key. It returns nil if none waits.
func (e *Evaluator) next() []*request {
	front := e.waiting.Front()
	if front == nil {
		return nil
	}
	first := front.Value.(*request)
	group, elements := []*request{first}, first.elements()
	for place := front.Next(); place != nil && first.elements() < Small && elements < groupElements && len(group) < groupRequests; {
		r := place.Value.(*request)
		place = place.Next()
		if r.key.PublicKey().Equal(first.key.PublicKey()) && r.elements() < Small && elements+r.elements() <= groupElements {
			group, elements = append(group, r), elements+r.elements()
			e.remove(r)
		}
	}
	e.remove(first)
	return group
}
