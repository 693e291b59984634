package admission_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kith-project/kith/server/admission"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newQueue(t testing.TB, c admission.Config) *admission.Queue {
	t.Helper()
	q, err := admission.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// admit begins a request that has to be let in at once.
func admit(t testing.TB, q *admission.Queue, account string, elements int) (release func()) {
	t.Helper()
	release, err := q.Admit(t.Context(), account, elements)
	if err != nil {
		t.Fatalf("%s, %d elements: %v", account, elements, err)
	}
	return release
}

// overloaded fails the test unless err is an OverloadedError, and returns when it says to come again.
func overloaded(t testing.TB, err error) time.Duration {
	t.Helper()
	var over *admission.OverloadedError
	if !errors.As(err, &over) {
		t.Fatalf("got %v, want an OverloadedError", err)
	}
	if over.RetryAfter <= 0 {
		t.Errorf("retry after %v, want more than nothing", over.RetryAfter)
	}
	return over.RetryAfter
}

func TestConfigRefuses(t *testing.T) {
	for name, c := range map[string]admission.Config{
		"no workers":        {},
		"negative workers":  {Workers: -1},
		"negative whole":    {Workers: 1, Whole: -1},
		"negative elements": {Workers: 1, QueueElements: -1},
		"negative wait":     {Workers: 1, MaxWait: -1},
		"negative rate":     {Workers: 1, Rate: -1},
	} {
		if _, err := admission.New(c); !errors.Is(err, admission.ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
}

// TestWorkers has as many requests under way as there are workers, and the next begins when one has ended.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, admission.Config{Workers: 2})
		first, second := admit(t, q, "a", 10), admit(t, q, "a", 10)
		begun := make(chan func(), 1)
		go func() { begun <- admit(t, q, "a", 0) }()
		synctest.Wait()
		if got, want := q.Stats(), (admission.Stats{UnderWay: 2, Waiting: 1, QueuedElements: 1, Accounts: 1, Rate: 10000}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		second()
		third := <-begun
		second() // again, which frees no other worker
		if got := q.Stats().UnderWay; got != 2 {
			t.Errorf("%d under way, want 2", got)
		}
		first()
		third()
		if got, want := q.Stats(), (admission.Stats{Rate: 10000}); got != want {
			t.Errorf("at the end: got %+v, want %+v", got, want)
		}
	})
}

// server runs requests as a server of a known rate would: a worker is busy for elements / rate.
type server struct {
	q    *admission.Queue
	rate float64 // elements a second and worker

	mu    sync.Mutex
	order []string
	done  map[string]int           // elements by account
	ended map[string]time.Duration // when an account's last request ended
	began time.Time
}

// TestSmallOnesShareAWorker has as many elements under way as two workers have room for, and nobody passes a request that waits.
func TestSmallOnesShareAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, admission.Config{Workers: 2, Whole: 64})
		var small []func()
		for range 16 { // a worker's worth: each counts as 4 elements
			small = append(small, admit(t, q, "a", 1))
		}
		half := admit(t, q, "a", 32)
		var order []string
		begin := func(ctx context.Context, name string, elements int) (end func()) {
			begun := make(chan func(), 1)
			go func() {
				release, err := q.Admit(ctx, name, elements)
				if err != nil {
					begun <- func() {}
					return
				}
				order = append(order, name)
				begun <- release
			}()
			synctest.Wait()
			return func() { (<-begun)() }
		}
		check := func(waiting int, began ...string) {
			t.Helper()
			synctest.Wait()
			if got := q.Stats(); got.Waiting != waiting || !slices.Equal(order, began) {
				t.Errorf("%d wait and %v began, want %d and %v", got.Waiting, order, waiting, began)
			}
		}
		large := begin(t.Context(), "large", 64) // needs a whole worker
		one := begin(t.Context(), "one", 1)      // there would be a share for it
		check(2)
		for _, release := range small[:8] {
			release()
		}
		check(1, "large") // and everything is taken
		small[8]()
		check(0, "large", "one")
		ctx, cancel := context.WithCancel(t.Context())
		another := begin(ctx, "another", 64)
		last := begin(t.Context(), "last", 32)
		half()
		check(2, "large", "one")
		cancel() // and the one behind it begins
		check(0, "large", "one", "last")
		for _, release := range append(small[9:], large, one, another, last) {
			release()
		}
		if got := q.Stats(); got.UnderWay != 0 {
			t.Errorf("at the end: got %+v", got)
		}
	})
}

func newServer(t testing.TB, rate float64, c admission.Config) *server {
	return &server{q: newQueue(t, c), rate: rate, done: make(map[string]int), ended: make(map[string]time.Duration), began: time.Now()}
}

// do runs one request.
func (s *server) do(ctx context.Context, account string, elements int) error {
	release, err := s.q.Admit(ctx, account, elements)
	if err != nil {
		return err
	}
	defer release()
	s.mu.Lock()
	s.order = append(s.order, account)
	s.mu.Unlock()
	time.Sleep(time.Duration(float64(elements) / s.rate * float64(time.Second)))
	s.mu.Lock()
	s.done[account] += elements
	s.ended[account] = time.Since(s.began)
	s.mu.Unlock()
	return nil
}

// TestSmallOnesPassABigOne has an address book of 10,000 in ten requests, and after it a hundred of 50 contacts: these end about
// when they would alone, and the big one when it would behind them.
func TestSmallOnesPassABigOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, 10_000, admission.Config{Workers: 1, MaxWait: 10 * time.Second})
		var all sync.WaitGroup
		request := func(account string, n int) {
			all.Go(func() {
				if err := s.do(t.Context(), account, n); err != nil {
					t.Errorf("%s: %v", account, err)
				}
			})
			synctest.Wait() // so that they come in this order
		}
		for range 10 {
			request("big", 1000)
		}
		for i := range 100 {
			request(fmt.Sprintf("small %d", i), 50)
		}
		all.Wait()
		// The request under way takes 100 ms, the hundred 500 ms, and the big account may be served two more requests in that
		// time at most: it saves up 64 elements in each turn, of which there are one or two.
		for account, ended := range s.ended {
			if account != "big" && ended > 800*time.Millisecond {
				t.Errorf("%s ended after %v", account, ended)
			}
		}
		if got := s.ended["big"]; got != 1500*time.Millisecond {
			t.Errorf("the big one ended after %v, want 1.5 s: a worker was idle or worked twice", got)
		}
	})
}

// TestBigOnesDoNotFillTheQueue has accounts that ask for as much as they can: one that comes then and wants little is let in.
func TestBigOnesDoNotFillTheQueue(t *testing.T) {
	for _, accounts := range []int{1, 2, 5, 20} {
		synctest.Test(t, func(t *testing.T) {
			// A second's work may wait: 100 requests of 1,000.
			q := newQueue(t, admission.Config{Workers: 1, Rate: 100_000, QueueElements: 200_000})
			ctx, cancel := context.WithCancel(t.Context())
			var waiting sync.WaitGroup
			enter := func(account string, elements int) error {
				result := make(chan error, 1)
				waiting.Go(func() {
					release, err := q.Admit(ctx, account, elements)
					if err == nil {
						defer release()
						<-ctx.Done()
					}
					result <- err
				})
				synctest.Wait()
				select {
				case err := <-result:
					return err
				default:
					return nil // it waits, or is under way
				}
			}
			counts := make([]int, accounts)
			for range 100 {
				for i := range counts {
					if enter(fmt.Sprint(i), 1000) == nil {
						counts[i]++
					}
				}
			}
			share := 100 / (accounts + 1)
			for i, n := range counts {
				if n < share-1 || n > share+2 {
					t.Errorf("%d accounts: number %d has %d requests in, want about %d", accounts, i, n, share)
				}
			}
			queued := q.Stats().QueuedElements
			if err := enter("small", 500); err != nil {
				t.Errorf("%d accounts, %d elements queued: a small request got %v", accounts, queued, err)
			}
			overloaded(t, enter("0", 1000))
			cancel()
			waiting.Wait()
			if got := q.Stats(); got != (admission.Stats{Rate: 100_000}) {
				t.Errorf("at the end: got %+v", got)
			}
		})
	}
}

// TestRefusals has the bounds: by time, and by elements.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		config admission.Config
		let    int // requests of 100 elements, each of an account of its own, that wait
		retry  time.Duration
	}{
		"time":           {admission.Config{Workers: 1, MaxWait: 2 * time.Second, Rate: 500}, 10, 200 * time.Millisecond},
		"elements":       {admission.Config{Workers: 1, QueueElements: 1050, MaxWait: time.Hour, Rate: 500}, 10, 100 * time.Millisecond},
		"less than one":  {admission.Config{Workers: 1, Rate: 50}, 1, 2 * time.Second},
		"rate next to 0": {admission.Config{Workers: 1, Rate: 1e-9}, 1, 1 << 31 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused, waited := 0, 0
				test.config.Refused = func() { refused++ }
				test.config.Waited = func(time.Duration) { waited++ }
				q := newQueue(t, test.config)
				admit(t, q, "first", 100)
				ctx, cancel := context.WithCancel(t.Context())
				var waiting sync.WaitGroup
				for i := range test.let {
					if err := q.Check(100); err != nil {
						t.Errorf("before request %d, which is let in: Check returned %v", i, err)
					}
					waiting.Go(func() {
						if _, err := q.Admit(ctx, fmt.Sprint(i), 100); !errors.Is(err, context.Canceled) {
							t.Errorf("got %v, want to have waited until the end", err)
						}
					})
					synctest.Wait()
				}
				began := time.Now()
				_, err := q.Admit(ctx, "last", 100)
				retry := overloaded(t, err)
				if time.Since(began) != 0 {
					t.Errorf("refused after %v, want at once", time.Since(began))
				}
				if retry < test.retry-time.Millisecond || retry > test.retry {
					t.Errorf("retry after %v, want %v", retry, test.retry)
				}
				if checked := overloaded(t, q.Check(100)); checked < retry {
					t.Errorf("Check: retry after %v, want %v at least, as Admit said before", checked, retry)
				}
				if refused != 2 || waited != 1 {
					t.Errorf("%d refusals and %d admissions were reported, want 2 and 1", refused, waited)
				}
				cancel()
				waiting.Wait()
				if err := q.Check(100); err != nil {
					t.Errorf("when none waits: Check returned %v", err)
				}
			})
		})
	}
}

// TestTurns refuses many: each is told to come when those before it have had their turn, at the rate that is measured, and nobody
// later than in half a minute. Turns pass by themselves.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, admission.Config{Workers: 1, MaxWait: time.Second, Rate: 1000})
		defer admit(t, q, "first", 10)()
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for i := range 10 { // a second's worth
			waiting.Go(func() { _, _ = q.Admit(ctx, fmt.Sprint(i), 100) })
			synctest.Wait()
		}
		refuse := func(i int) time.Duration {
			t.Helper()
			if i%2 == 0 {
				return overloaded(t, q.Check(100))
			}
			_, err := q.Admit(ctx, "late "+fmt.Sprint(i), 100)
			return overloaded(t, err)
		}
		for i := range 20 {
			if got, want := refuse(i), time.Duration(i+1)*100*time.Millisecond; got != want {
				t.Errorf("refusal %d: retry after %v, want %v", i, got, want)
			}
		}
		time.Sleep(1500 * time.Millisecond) // in which those that wait are still within their patience
		if got, want := refuse(20), 600*time.Millisecond; got != want {
			t.Errorf("when 15 turns have passed: retry after %v, want %v", got, want)
		}
		for i := range 1000 {
			if got := refuse(i); got > 30*time.Second {
				t.Fatalf("retry after %v", got)
			}
		}
		if got := refuse(0); got < 29*time.Second {
			t.Errorf("after a thousand refusals: retry after %v, want half a minute", got)
		}
		cancel()
		waiting.Wait()
	})
}

// TestGoneCallersAreNotBegun cancels requests that wait: they leave, are never begun, and others take their place.
func TestGoneCallersAreNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, admission.Config{Workers: 1})
		release := admit(t, q, "a", 100)
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for i := range 50 {
			waiting.Go(func() {
				if _, err := q.Admit(ctx, fmt.Sprint(i%7), 10); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want Canceled", err)
				}
			})
		}
		synctest.Wait()
		begun := make(chan func(), 1)
		go func() { begun <- admit(t, q, "patient", 10) }()
		synctest.Wait()
		cancel()
		waiting.Wait()
		if got := q.Stats(); got.Waiting != 1 || got.QueuedElements != 10 || got.Accounts != 1 {
			t.Errorf("got %+v, want the patient one alone", got)
		}
		if _, err := q.Admit(ctx, "late", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that had gone before: got %v", err)
		}
		release()
		(<-begun)()
		if got := q.Stats(); got.UnderWay != 0 || got.Waiting != 0 {
			t.Errorf("at the end: got %+v", got)
		}

		if _, err := q.Admit(ctx, "late", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that had gone, and a free worker: got %v", err)
		}

		// The caller goes and the worker becomes free in one moment.
		for range 20 {
			release = admit(t, q, "a", 100)
			ctx, cancel := context.WithCancel(t.Context())
			for range 20 {
				waiting.Go(func() {
					if _, err := q.Admit(ctx, "b", 10); !errors.Is(err, context.Canceled) {
						t.Errorf("got %v, want Canceled", err)
					}
				})
			}
			synctest.Wait()
			cancel()
			release()
			waiting.Wait()
			if got := q.Stats(); got.UnderWay != 0 || got.Waiting != 0 || got.Accounts != 0 {
				t.Errorf("afterwards: got %+v", got)
			}
		}
	})
}

// lateContext ends without its channel, as one does that ends after the choice between two channels was made.
type lateContext struct {
	context.Context
	ended atomic.Bool
}

func (c *lateContext) Done() <-chan struct{} { return nil }

func (c *lateContext) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}

// TestGoneWhileBegun has the caller go after the worker was given to its request: the worker goes to another.
func TestGoneWhileBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, admission.Config{Workers: 1})
		release := admit(t, q, "a", 100)
		late := &lateContext{Context: t.Context()}
		result := make(chan error, 1)
		go func() { _, err := q.Admit(late, "b", 10); result <- err }()
		synctest.Wait()
		begun := make(chan func(), 1)
		go func() { begun <- admit(t, q, "c", 10) }()
		synctest.Wait()
		late.ended.Store(true)
		release()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		(<-begun)()
		if got := q.Stats(); got.UnderWay != 0 || got.Waiting != 0 {
			t.Errorf("at the end: got %+v", got)
		}
	})
}

// TestPatienceEnds has workers that hang: who was let in by the rate of before is refused when twice the time has passed.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		q := newQueue(t, admission.Config{Workers: 1, Rate: 1000, MaxWait: 3 * time.Second, Refused: func() { refused++ }})
		release := admit(t, q, "a", 1)
		began := time.Now()
		_, err := q.Admit(t.Context(), "b", 500)
		overloaded(t, err)
		if took := time.Since(began); took != 6*time.Second || refused != 1 {
			t.Errorf("refused after %v, %d reported; want 6 s and one", took, refused)
		}
		release()
		if got := q.Stats(); got.UnderWay != 0 || got.Waiting != 0 {
			t.Errorf("at the end: got %+v", got)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, admission.Config{Workers: 1})
		release := admit(t, q, "a", 1)
		var waiting sync.WaitGroup
		for i := range 10 {
			waiting.Go(func() {
				if _, err := q.Admit(t.Context(), fmt.Sprint(i), 1); !errors.Is(err, admission.ErrClosed) {
					t.Errorf("waiting: got %v, want ErrClosed", err)
				}
			})
		}
		synctest.Wait()
		q.Close()
		q.Close()
		waiting.Wait()
		if _, err := q.Admit(t.Context(), "a", 1); !errors.Is(err, admission.ErrClosed) {
			t.Errorf("afterwards: got %v, want ErrClosed", err)
		}
		if got := q.Stats().UnderWay; got != 1 {
			t.Errorf("%d under way, want the one that was", got)
		}
		release()
		if got := q.Stats().UnderWay; got != 0 {
			t.Errorf("%d under way at the end", got)
		}
	})
}

// TestRateIsMeasured has servers that are faster or slower than was said: the rate comes near what they do, and while none waits
// it stays.
func TestRateIsMeasured(t *testing.T) {
	for _, test := range []struct{ said, real float64 }{{1000, 20_000}, {100_000, 20_000}, {20_000, 20_000}, {500, 50_000}} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, test.real/4, admission.Config{Workers: 4, Rate: test.said, MaxWait: 2 * time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			var clients sync.WaitGroup
			for i := range 50 {
				clients.Go(func() {
					for ctx.Err() == nil {
						if err := s.do(ctx, fmt.Sprint(i), 100+i); err != nil {
							time.Sleep(100 * time.Millisecond)
						}
					}
				})
			}
			clients.Wait()
			got := s.q.Stats().Rate
			if got < 0.9*test.real || got > 1.1*test.real {
				t.Errorf("said %v, really %v: measured %v", test.said, test.real, got)
			}
			for range 100 {
				if err := s.do(t.Context(), "alone", 1); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			if idle := s.q.Stats().Rate; idle != got {
				t.Errorf("the rate went from %v to %v while nobody waited", got, idle)
			}
			for i := range 100 { // some wait again
				clients.Go(func() { _ = s.do(t.Context(), fmt.Sprint(i), 100) })
			}
			clients.Wait()
			if got := s.q.Stats().Rate; got < 0.9*test.real || got > 1.1*test.real {
				t.Errorf("after a pause: measured %v, really %v", got, test.real)
			}
		})
	}
}

// TestGoodputUnderOverload has three times as many requests come as the server can do, from callers that give up after a while
// and come again when they are told to. More than 90 % of what it can do is done for callers that are still there, no refusal
// takes any time, and no request waits longer than it may.
func TestGoodputUnderOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, workers, seconds, mean = 20_000, 4, 20, 100 // elements a second; elements a request
		var mu sync.Mutex
		var longest time.Duration
		s := newServer(t, rate/workers, admission.Config{
			Workers: workers, Rate: 3 * rate, // said wrongly at first
			Waited: func(d time.Duration) { mu.Lock(); longest = max(longest, d); mu.Unlock() },
		})
		var offered, good, wasted, refusals int
		attempt := func(account string, elements int) (retry time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := s.do(ctx, account, elements)
			mu.Lock()
			defer mu.Unlock()
			if time.Since(s.began) > seconds*time.Second {
				return 0 // what comes later, when no new ones do, is not counted
			}
			offered += elements
			var over *admission.OverloadedError
			switch {
			case err == nil && ctx.Err() == nil:
				good += elements
			case err == nil:
				wasted += elements
			case errors.As(err, &over):
				if time.Since(began) == 0 {
					refusals++
				}
				return over.RetryAfter
			}
			return 0
		}
		random := rand.New(rand.NewPCG(1, 1))
		var running sync.WaitGroup
		for range 3 * rate / mean * seconds {
			time.Sleep(time.Second * mean / (3 * rate))
			account, elements := fmt.Sprint(random.IntN(500)), 1+random.IntN(2*mean-1)
			running.Go(func() {
				for range 3 {
					retry := attempt(account, elements)
					if retry == 0 {
						return
					}
					time.Sleep(retry.Truncate(time.Second) + time.Second) // the header has seconds
				}
			})
		}
		running.Wait()
		const peak = float64(rate * seconds)
		t.Logf("%.1f times the peak was offered; goodput %.1f %% of it, %.1f %% done in vain, %d refused at once, longest wait %v",
			float64(offered)/peak, 100*float64(good)/peak, 100*float64(wasted)/peak, refusals, longest)
		if float64(good) < 0.9*peak {
			t.Errorf("%d elements done for callers that were there, want 90 %% of %.0f", good, peak)
		}
		if float64(offered) < 3*peak {
			t.Errorf("%d elements were offered, want three times %.0f", offered, peak)
		}
		if refusals == 0 || longest > 2*time.Second {
			t.Errorf("%d refusals, longest wait %v", refusals, longest)
		}
	})
}

// TestRaces lets clients come, go and give up at random, and counts afterwards.
func TestRaces(t *testing.T) {
	q := newQueue(t, admission.Config{Workers: 3, QueueElements: 2000})
	var under, most, ended atomic.Int64
	var running sync.WaitGroup
	for i := range 64 {
		running.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(i)))
			for range 300 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(300))*time.Microsecond)
				release, err := q.Admit(ctx, fmt.Sprint(random.IntN(10)), random.IntN(200))
				if err == nil {
					now := under.Add(1)
					for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
					}
					if random.IntN(4) == 0 {
						time.Sleep(time.Duration(random.IntN(100)) * time.Microsecond)
					}
					under.Add(-1)
					release()
					ended.Add(1)
				}
				_ = q.Stats()
				cancel()
			}
		})
	}
	running.Wait()
	if most.Load() > 3 || ended.Load() == 0 {
		t.Errorf("%d under way at once, %d ended", most.Load(), ended.Load())
	}
	got := q.Stats()
	got.Rate = 0
	if got != (admission.Stats{}) {
		t.Errorf("at the end: got %+v, want nothing", got)
	}
}
