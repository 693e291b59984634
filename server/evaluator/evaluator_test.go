package evaluator

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kith-project/kith/crypto/voprf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(t testing.TB) *voprf.PrivateKey {
	t.Helper()
	key, err := voprf.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newBatch returns n blinded elements.
func newBatch(t testing.TB, n int) []byte {
	t.Helper()
	blinds, err := voprf.RandomBlinds(rand.Reader, n)
	if err != nil {
		t.Fatal(err)
	}
	inputs := make([][]byte, n)
	for i := range inputs {
		inputs[i] = fmt.Appendf(nil, "tel:+1415555%04d", i)
	}
	blinded, err := voprf.Blind(inputs, blinds)
	if err != nil {
		t.Fatal(err)
	}
	return blinded
}

// gate is a source of randomness that lets nobody read before it is opened, and tells of the first who tries. So the computation of a
// request that has a core can be held up.
type gate struct {
	arrived, open chan struct{}
	once          sync.Once
}

func newGate() *gate { return &gate{arrived: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) Read(p []byte) (int, error) {
	g.once.Do(func() { close(g.arrived) })
	<-g.open
	return rand.Read(p)
}

// log is what was computed together.
type log struct {
	mu     sync.Mutex
	groups [][2]int // requests, elements
}

func (l *log) ran(requests, elements int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups = append(l.groups, [2]int{requests, elements})
}

// want compares what was computed.
func (l *log) want(t *testing.T, groups ...[2]int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.groups, groups) {
		t.Errorf("computed together (requests, elements): got %v, want %v", l.groups, groups)
	}
}

// queued waits until n requests wait.
func (e *Evaluator) queued(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		e.mu.Lock()
		got := e.waiting.Len()
		e.mu.Unlock()
		if got == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests wait, want %d", got, n)
		}
	}
}

// rig is an evaluator of one core that is held up by a request of one element, and others in the order in which they come.
type rig struct {
	*Evaluator
	gate *gate
	log  log
	wait sync.WaitGroup
	n    int // requests that wait
}

func newRig(t *testing.T, key *voprf.PrivateKey) *rig {
	r := &rig{gate: newGate()}
	r.Evaluator = New(1, r.gate, r.log.ran)
	r.begin(t, t.Context(), key, newBatch(t, 1), nil)
	<-r.gate.arrived
	r.n = 0
	return r
}

// begin begins a request, and checks its answer against the error that is wanted.
func (r *rig) begin(t *testing.T, ctx context.Context, key *voprf.PrivateKey, blinded []byte, want error) {
	r.wait.Go(func() {
		evaluated, proof, err := r.BlindEvaluate(ctx, key, blinded)
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: got error %v, want %v", len(blinded), err, want)
		}
		if err != nil {
			return
		}
		if err := key.PublicKey().VerifyProof(blinded, evaluated, proof); err != nil {
			t.Errorf("%d bytes: %v", len(blinded), err)
		}
	})
	r.n++
}

// add is begin, and waits until the request waits, so that the next is behind it.
func (r *rig) add(t *testing.T, ctx context.Context, key *voprf.PrivateKey, blinded []byte, want error) {
	t.Helper()
	r.begin(t, ctx, key, blinded, want)
	r.queued(t, r.n)
}

// release lets everything be computed, and waits for the answers.
func (r *rig) release() {
	close(r.gate.open)
	r.wait.Wait()
}

func TestSmallOnesShare(t *testing.T) {
	key := newKey(t)
	r := newRig(t, key)
	small := newBatch(t, 1)
	for range 100 {
		r.add(t, t.Context(), key, small, nil)
	}
	r.release()
	r.log.want(t, [2]int{1, 1}, [2]int{64, 64}, [2]int{36, 36})
}

func TestGroups(t *testing.T) {
	key, other := newKey(t), newKey(t)
	again, err := voprf.UnmarshalPrivateKey(key.Bytes()) // the same key, read anew
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, key)
	r.add(t, t.Context(), key, newBatch(t, 50), nil)
	r.add(t, t.Context(), other, newBatch(t, 3), nil)
	r.add(t, t.Context(), key, newBatch(t, Small), nil)                    // is not small
	r.add(t, t.Context(), again, newBatch(t, 50), nil)                     // joins the first
	r.add(t, t.Context(), key, newBatch(t, 50), nil)                       // is too much for it
	r.add(t, t.Context(), key, newBatch(t, 28), nil)                       // and this just fits
	r.add(t, t.Context(), other, newBatch(t, 2), nil)                      // joins the second
	r.add(t, t.Context(), other, make([]byte, 32), voprf.ErrElement)       // and harms nobody there
	r.add(t, t.Context(), other, make([]byte, 31), voprf.ErrLength)        //
	r.add(t, t.Context(), key, make([]byte, 32*Small*2), voprf.ErrElement) //
	r.release()
	r.log.want(t, [2]int{1, 1}, [2]int{3, 128}, [2]int{4, 6}, [2]int{1, 64}, [2]int{1, 50}, [2]int{1, 128})
}

func TestCoresWork(t *testing.T) {
	key := newKey(t)
	first, second := newGate(), newGate()
	gates := make(chan *gate, 2)
	gates <- first
	gates <- second
	e := New(2, reader(func(p []byte) (int, error) { return (<-gates).Read(p) }), nil)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if _, _, err := e.BlindEvaluate(t.Context(), key, newBatch(t, 1)); err != nil {
				t.Error(err)
			}
		})
	}
	<-first.arrived
	<-second.arrived // though the first has not ended
	close(first.open)
	close(second.open)
	wait.Wait()
}

type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

func TestGoneCallersAreForgotten(t *testing.T) {
	key := newKey(t)
	r := newRig(t, key)
	ctx, cancel := context.WithCancel(t.Context())
	r.add(t, ctx, key, newBatch(t, 2), context.Canceled)
	r.add(t, t.Context(), key, newBatch(t, 3), nil)
	r.add(t, ctx, key, newBatch(t, 4), context.Canceled)
	cancel()
	r.queued(t, 1)
	r.release()
	r.log.want(t, [2]int{1, 1}, [2]int{1, 3})
	if _, _, err := r.BlindEvaluate(ctx, key, newBatch(t, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("gone before it came: got %v, want context.Canceled", err)
	}
}

// TestGoneWhileItsTurnComes ends requests at random moments: all get an answer or their error, and no core is lost.
func TestGoneWhileItsTurnComes(t *testing.T) {
	key, batch := newKey(t), newBatch(t, 1)
	e := New(2, rand.Reader, nil)
	var wait sync.WaitGroup
	for range 300 {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(10*time.Millisecond)))
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n.Int64()))
			defer cancel()
			evaluated, _, err := e.BlindEvaluate(ctx, key, batch)
			if err == nil && len(evaluated) != len(batch) || err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d bytes, %v", len(evaluated), err)
			}
		})
	}
	wait.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.free != 2 || e.waiting.Len() != 0 {
		t.Errorf("%d cores are free and %d requests wait, want 2 and none", e.free, e.waiting.Len())
	}
}

// TestPanic has a computation panic for which others wait.
func TestPanic(t *testing.T) {
	key := newKey(t)
	r := newRig(t, key)
	var once sync.Once
	first := true
	r.rand = reader(func(p []byte) (int, error) {
		once.Do(func() { <-r.gate.open })
		if first {
			first = false
			panic("no randomness")
		}
		return rand.Read(p)
	})
	panicked := make(chan any, 1)
	go func() {
		defer func() { panicked <- recover() }()
		_, _, _ = r.BlindEvaluate(t.Context(), key, newBatch(t, 1))
	}()
	r.queued(t, 1)
	r.n = 1
	r.add(t, t.Context(), key, newBatch(t, 1), ErrPanicked)
	r.release()
	if got := <-panicked; got != "no randomness" {
		t.Errorf("the one that computed got %v, want the panic", got)
	}
	if _, _, err := r.BlindEvaluate(t.Context(), key, newBatch(t, 1)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestMeasureRate(t *testing.T) {
	if rate, err := MeasureRate(); err != nil || rate < 10 || rate > 1e7 {
		t.Errorf("got %v elements a second, %v", rate, err)
	}
}

// BenchmarkSmall is a hundred requests of one element, together and one after the other, and what thirteen vectors of eight take, each
// of them in one request.
func BenchmarkSmall(b *testing.B) {
	const requests = 100
	key, one := newKey(b), newBatch(b, 1)
	eight := newBatch(b, 8)
	run := func(b *testing.B, n int, blinded []byte) {
		e := New(1, rand.Reader, nil)
		for b.Loop() {
			var wait sync.WaitGroup
			for range n {
				wait.Go(func() {
					if _, _, err := e.BlindEvaluate(b.Context(), key, blinded); err != nil {
						b.Error(err)
					}
				})
			}
			wait.Wait()
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/requests, "µs/element")
	}
	b.Run("together", func(b *testing.B) { run(b, requests, one) })
	b.Run("in vectors", func(b *testing.B) { run(b, (requests+7)/8, eight) })
	b.Run("one by one", func(b *testing.B) {
		for b.Loop() {
			for range requests {
				if _, _, err := key.BlindEvaluate(rand.Reader, one); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/requests, "µs/element")
	})
}

// BenchmarkIdle is one request at a time: what the way through an evaluator adds to it.
func BenchmarkIdle(b *testing.B) {
	key, e := newKey(b), New(1, rand.Reader, nil)
	one := newBatch(b, 1)
	answer := func(evaluated []byte, _ voprf.Proof, err error) {
		if err != nil || bytes.Equal(evaluated, one) {
			b.Fatal(err)
		}
	}
	b.Run("evaluator", func(b *testing.B) {
		for b.Loop() {
			answer(e.BlindEvaluate(b.Context(), key, one))
		}
	})
	b.Run("voprf", func(b *testing.B) {
		for b.Loop() {
			answer(key.BlindEvaluate(rand.Reader, one))
		}
	})
}
