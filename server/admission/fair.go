package admission

import (
	"container/list"
	"time"
)

// quantum is how many elements an account is served in its turn. A larger request saves up for several turns, so that a small
// one waits for few elements of each account before it.
const quantum = 64

// waiter is a request that waits.
type waiter struct {
	elements int
	since    time.Time
	begin    chan error // has room for the one value that is sent: nil, or why it will not begin
	begun    bool       // nil was sent: it has a worker

	of    *account      // nil once it is out of the queue
	place *list.Element // in of.requests
}

// account has the requests of one account, while there are any.
type account struct {
	name     string
	requests list.List // of *waiter, in the order in which they came
	elements int       // of all of them
	deficit  int       // elements that it may be served before its turn ends
	turn     bool      // has been given its quantum in the turn under way
	place    *list.Element
}

// fairQueue has requests by account. Accounts that have any stand in a ring and are served in turn. It is not safe for
// concurrent use.
type fairQueue struct {
	accounts map[string]*account
	ring     list.List // of *account; the first has its turn
	elements int       // of all requests
	requests int
}

func newFairQueue() fairQueue { return fairQueue{accounts: make(map[string]*account)} }

// of returns the elements that an account has waiting.
func (f *fairQueue) of(name string) int {
	if a := f.accounts[name]; a != nil {
		return a.elements
	}
	return 0
}

// push puts a request behind those of its account, and a new account behind all others.
func (f *fairQueue) push(name string, w *waiter) {
	a := f.accounts[name]
	if a == nil {
		a = &account{name: name}
		a.place = f.ring.PushBack(a)
		f.accounts[name] = a
	}
	w.of, w.place = a, a.requests.PushBack(w)
	a.elements += w.elements
	f.elements += w.elements
	f.requests++
}

// first returns the request whose turn it is, or nil if there is none. It stays the one until it is taken or
// removed. An account's turn lasts as long as what it may be served reaches for its next request; the rest
// is kept for its next turn while it has requests.
func (f *fairQueue) first() *waiter {
	for f.requests > 0 {
		a := f.ring.Front().Value.(*account)
		if !a.turn {
			a.turn = true
			a.deficit += quantum
		}
		w := a.requests.Front().Value.(*waiter)
		if w.elements <= a.deficit {
			return w
		}
		a.turn = false
		f.ring.MoveToBack(a.place)
	}
	return nil
}

// take takes out the request that first has returned.
func (f *fairQueue) take(w *waiter) {
	w.of.deficit -= w.elements
	f.remove(w)
}

// remove takes a request out, and its account if that was the last. It tells whether the request was in the queue.
func (f *fairQueue) remove(w *waiter) bool {
	a := w.of
	if a == nil {
		return false
	}
	a.requests.Remove(w.place)
	w.of, w.place = nil, nil
	a.elements -= w.elements
	f.elements -= w.elements
	f.requests--
	if a.requests.Len() == 0 {
		f.ring.Remove(a.place)
		delete(f.accounts, a.name)
	}
	return true
}
