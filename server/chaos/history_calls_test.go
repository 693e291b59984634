package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kith-project/kith/server/directory"
)

// verb is what a call asks for.
type verb int

const (
	register verb = iota
	hide
	remove
	removeIf // remove if the label is registered
	look     // look the number up, as a device does
)

// call is one call of a client.
type call struct {
	after   time.Duration // pause before it
	verb    verb
	number  int
	label   string // of register and removeIf
	version uint64 // of a write, 0 for none
	server  int    // asked first; the other one is asked if nobody listens there
	again   bool   // made again while nothing is known of it
	older   bool   // look in the oldest epoch that is served rather than in the active one
}

func (c *call) String() string {
	version := ""
	if c.version != 0 {
		version = fmt.Sprintf(" v%d", c.version)
	}
	switch c.verb {
	case register:
		return fmt.Sprintf("register n%d %q%s", c.number, c.label, version)
	case hide:
		return fmt.Sprintf("hide n%d%s", c.number, version)
	case remove:
		return fmt.Sprintf("delete n%d%s", c.number, version)
	case removeIf:
		return fmt.Sprintf("delete n%d if %q%s", c.number, c.label, version)
	default:
		return fmt.Sprintf("look up n%d", c.number)
	}
}

// state returns what the call makes of its number, or nothing for a lookup.
func (c *call) state() state {
	switch c.verb {
	case register:
		return state{directory.Visible, c.label, c.version}
	case hide:
		return state{directory.Hidden, "", c.version}
	case remove, removeIf:
		return state{directory.Deleted, "", c.version}
	default:
		return state{}
	}
}

// planCalls plans what clients do. Unless the history is shared each number is one client's.
func (h *history) planCalls(rng *rand.Rand) {
	writers := make([]writer, h.numbers)
	for i := range writers {
		writers[i] = writer{number: i, versioned: h.versioned}
	}
	pace := pick(rng, 20*time.Millisecond, 60*time.Millisecond, 120*time.Millisecond)
	calls := int(2200 * time.Millisecond / pace / 2)
	for client := range clients {
		var own []int
		for n := range h.numbers {
			if h.shared || n%clients == client {
				own = append(own, n)
			}
		}
		var plan []call
		for range min(calls, 40) {
			c := writers[pick(rng, own...)].next(rng)
			c.after, c.server = between(rng, 0, 2*pace), rng.IntN(servers)
			c.again, c.older = chance(rng, 0.4), chance(rng, 0.4)
			plan = append(plan, c)
		}
		h.clients = append(h.clients, plan)
	}
}

// writer makes up calls about one number.
type writer struct {
	number    int
	versioned bool
	last      uint64   // the highest version so far
	labels    []string // registered so far
	writes    []call   // so far
}

// next returns a call about the number.
func (w *writer) next(rng *rand.Rand) call {
	if chance(rng, 0.25) {
		return call{verb: look, number: w.number}
	}
	if w.versioned && len(w.writes) > 0 && chance(rng, 0.12) {
		return pick(rng, w.writes...) // the same again
	}
	c := call{verb: w.verb(rng), number: w.number, version: w.version(rng)}
	switch c.verb {
	case register:
		// Two registrations of one version would have to be the same.
		c.label = fmt.Sprintf("n%d-v%d", w.number, c.version)
		if !w.versioned {
			c.label = fmt.Sprintf("n%d-%d", w.number, len(w.labels))
		}
		w.labels = append(w.labels, c.label)
	case removeIf:
		c.label = w.labels[len(w.labels)-1]
		if chance(rng, 0.5) {
			c.label = pick(rng, w.labels...) // that of an owner who may have had the number long ago
		}
	}
	w.writes = append(w.writes, c)
	return c
}

func (w *writer) verb(rng *rand.Rand) verb {
	switch p := rng.Float64(); {
	case p < 0.5:
		return register
	case p < 0.65:
		return hide
	case p < 0.8 || len(w.labels) == 0:
		return remove
	default:
		return removeIf
	}
}

// version returns the version of a new write: mostly the next, sometimes an earlier one that comes late, or one that
// another write has too.
func (w *writer) version(rng *rand.Rand) uint64 {
	if !w.versioned {
		return 0
	}
	if w.last > 0 && chance(rng, 0.25) {
		return 1 + rng.Uint64N(w.last)
	}
	w.last += 1 + rng.Uint64N(3)
	return w.last
}
