package admission

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// pop takes the request out whose turn it is, or returns nil if there is none.
func (f *fairQueue) pop() *waiter {
	w := f.first()
	if w != nil {
		if again := f.first(); again != w {
			panic("another request is the first now")
		}
		f.take(w)
	}
	return w
}

// TestFairQueueModel compares the queue with one list of requests an account: each request comes out once, behind those of its
// account, and all counts are right.
func TestFairQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFairQueue()
		model := make(map[string][]*waiter)
		names := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		take := func(name string, w *waiter) {
			i := slices.Index(model[name], w)
			if i < 0 {
				t.Fatal("a request came out that is not in")
			}
			model[name] = slices.Delete(model[name], i, i+1)
			if len(model[name]) == 0 {
				delete(model, name)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				name := names.Draw(t, "account")
				w := &waiter{elements: rapid.IntRange(1, 1024).Draw(t, "elements")}
				f.push(name, w)
				model[name] = append(model[name], w)
			},
			"pop": func(t *rapid.T) {
				w := f.pop()
				if w == nil {
					if len(model) > 0 {
						t.Fatal("nothing came out of a queue that has requests")
					}
					return
				}
				for name, requests := range model {
					if requests[0] == w {
						take(name, w)
						return
					}
				}
				t.Fatal("the request is not the first of any account")
			},
			"remove": func(t *rapid.T) {
				name := names.Draw(t, "account")
				if len(model[name]) == 0 {
					return
				}
				w := rapid.SampledFrom(model[name]).Draw(t, "request")
				if !f.remove(w) || f.remove(w) {
					t.Fatal("a request was not in, or twice")
				}
				take(name, w)
			},
			"": func(t *rapid.T) {
				elements, requests := 0, 0
				for name, waiting := range model {
					of := 0
					for _, w := range waiting {
						of += w.elements
					}
					if got := f.of(name); got != of {
						t.Fatalf("account has %d elements, want %d", got, of)
					}
					elements, requests = elements+of, requests+len(waiting)
				}
				if f.elements != elements || f.requests != requests || len(f.accounts) != len(model) || f.ring.Len() != len(model) {
					t.Fatalf("got %d elements, %d requests, %d accounts, %d in the ring; want %d, %d, %d",
						f.elements, f.requests, len(f.accounts), f.ring.Len(), elements, requests, len(model))
				}
			},
		})
	})
}

// TestFairShares has accounts that always have requests waiting, each of sizes of its own: at every moment any two have been served
// about the same, which deficit round robin promises to within a quantum and the largest request twice.
func TestFairShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFairQueue()
		accounts := rapid.IntRange(2, 12).Draw(t, "accounts")
		largest, served := make(map[string]int), make(map[string]int)
		push := func(name string) {
			w := &waiter{elements: rapid.IntRange(1, largest[name]).Draw(t, "elements")}
			f.push(name, w)
		}
		for i := range accounts {
			name := fmt.Sprint(i)
			largest[name] = rapid.SampledFrom([]int{1, 10, quantum, 1024}).Draw(t, "largest")
			push(name)
			push(name)
		}
		for range 500 {
			name := f.ring.Front().Value.(*account).name
			w := f.pop()
			for n, a := range f.accounts { // whose it was
				if a.requests.Len() == 1 {
					name = n
				}
			}
			served[name] += w.elements
			push(name)
			for a := range served {
				for b := range served {
					if apart := served[a] - served[b]; apart > quantum+largest[a]+largest[b] {
						t.Fatalf("accounts with up to %d and %d elements a request are %d apart", largest[a], largest[b], apart)
					}
				}
			}
		}
	})
}

// TestNewcomerIsServedSoon has a small request come to a queue of big ones: of each account before it no more is served than one
// request and what it saved up.
func TestNewcomerIsServedSoon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFairQueue()
		accounts := rapid.IntRange(1, 20).Draw(t, "accounts")
		largest := 0
		for i := range accounts {
			for range 10 {
				n := rapid.IntRange(1, 1024).Draw(t, "elements")
				largest = max(largest, n)
				f.push(fmt.Sprint(i), &waiter{elements: n})
			}
		}
		for range rapid.IntRange(0, 5*accounts).Draw(t, "served before") {
			f.pop()
		}
		small := &waiter{elements: rapid.IntRange(1, quantum).Draw(t, "small")}
		f.push("new", small)
		before := 0
		for w := f.pop(); w != small; w = f.pop() {
			before += w.elements
		}
		if bound := accounts * (quantum + largest); before > bound {
			t.Errorf("%d elements of %d accounts came before it, want at most %d", before, accounts, bound)
		}
	})
}
