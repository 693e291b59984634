package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// orderKind is what an operator does.
type orderKind int

const (
	rotate orderKind = iota
	activate
	abort
	retire
	awaitVerified // until the staged epoch is verified, or there is none
	awaitActive   // until no epoch is staged
	awaitSettled  // until the active epoch is settled
)

// order is one thing that an operator does. Which epoch it is about is decided when it comes to that: the staged one, and
// for retire the oldest that drains.
type order struct {
	after  time.Duration // pause before it
	kind   orderKind
	server int
	// What follows is for rotate.
	auto          bool
	window, drain int // seconds
	users         int
}

func (o order) String() string {
	switch o.kind {
	case rotate:
		return fmt.Sprintf("rotate, auto %t, window %d s, drain %d s, for %d users", o.auto, o.window, o.drain, o.users)
	case activate:
		return "activate"
	case abort:
		return "abort"
	case retire:
		return "retire"
	case awaitVerified:
		return "await a verified epoch"
	case awaitActive:
		return "await the end of the rotation"
	default:
		return "await a settled epoch"
	}
}

// planOperators plans what one or two operators do.
func (h *history) planOperators(rng *rand.Rand) {
	for range pick(rng, 1, 1, 2) {
		var plan []order
		for _, o := range orders(rng) {
			o.after, o.server = between(rng, 0, 400*time.Millisecond), rng.IntN(servers)
			if o.kind == rotate {
				o.drain = pick(rng, 0, 0, 1, 3600, 3600)
				o.window = pick(rng, 0, o.drain)
				o.users = pick(rng, 50, 200, 400, 1600)
			}
			plan = append(plan, o)
		}
		h.operators = append(h.operators, plan)
	}
}

// orders returns what an operator does, one thing after another.
func orders(rng *rand.Rand) []order {
	auto, manual := order{kind: rotate, auto: true}, order{kind: rotate}
	switch rng.IntN(7) {
	case 0: // a rotation by itself
		return []order{auto, {kind: awaitActive}}
	case 1: // two, one after another
		return []order{auto, {kind: awaitActive}, {kind: awaitSettled}, auto}
	case 2: // given up at some moment, and begun again
		return []order{auto, {kind: abort}, auto}
	case 3: // step by step
		return []order{manual, {kind: awaitVerified}, {kind: activate}, {kind: awaitSettled}, {kind: retire}}
	case 4: // given up at the last moment
		return []order{manual, {kind: awaitVerified}, {kind: abort}, manual}
	case 5: // left where it is
		return []order{pick(rng, auto, manual)}
	default: // anything
		var all []order
		for range 3 + rng.IntN(4) {
			all = append(all, pick(rng, auto, manual, order{kind: activate}, order{kind: abort}, order{kind: retire}))
		}
		return all
	}
}
