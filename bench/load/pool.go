package load

import (
	"bytes"
	"math/rand/v2"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

// contact is a number that may be in address books, with what was computed of it before the run.
type contact struct {
	index        int // of its number
	registration *registration
	tag          crypto.Tag
	key          crypto.LabelKey
	blinded      []byte // voprf.ElementSize
	evaluated    []byte // the same
}

func (c *contact) input() []byte { return normalize.Input(number(c.index)) }

// pool is who may be in address books: users that were registered before, joiners who register in the run, and strangers.
type pool struct {
	users, joiners, strangers []*contact
}

// everybody returns all contacts.
func (p *pool) everybody() []*contact {
	all := make([]*contact, 0, len(p.users)+len(p.joiners)+len(p.strangers))
	all = append(all, p.users...)
	all = append(all, p.joiners...)
	return append(all, p.strangers...)
}

// newPool makes the contacts of a config: half of them registered, of whom a tenth is so during the run only.
func (g *generator) newPool() {
	half := g.Pool / 2
	users := min(half, g.Users)
	joiners := min(half/10, len(g.joiners))
	g.pool.users = contactsOf(0, g.users[:users])
	g.pool.joiners = contactsOf(g.Users, g.joiners[:joiners])
	strangers := make([]*registration, g.Pool-half)
	for i := range strangers {
		strangers[i] = new(registration)
	}
	g.pool.strangers = contactsOf(g.Users+len(g.joiners), strangers)
}

// contactsOf returns the contacts of numbers from an index on.
func contactsOf(first int, registrations []*registration) []*contact {
	contacts := make([]*contact, len(registrations))
	for i, r := range registrations {
		contacts[i] = &contact{index: first + i, registration: r}
	}
	return contacts
}

// joinerShare is how many of the contacts that are meant to be registered are joiners, who may not be yet or no more. An
// assumption: what is asked about them is what a race would show in.
const joinerShare = 0.05

// book draws n different contacts, of whom a share is meant to be registered. There are fewer if the pool has no more.
func (p *pool) book(dice *rand.Rand, n int, overlap float64) []*contact {
	known := 0
	for range n {
		if dice.Float64() < overlap {
			known++
		}
	}
	joiners := 0
	for range known {
		if dice.Float64() < joinerShare {
			joiners++
		}
	}
	book := pick(dice, nil, p.joiners, joiners)
	book = pick(dice, book, p.users, known-len(book))
	book = pick(dice, book, p.strangers, n-known)
	dice.Shuffle(len(book), func(i, j int) { book[i], book[j] = book[j], book[i] })
	return book
}

// pick appends n different contacts to a book, or all there are.
func pick(dice *rand.Rand, book, from []*contact, n int) []*contact {
	if n >= len(from) {
		return append(book, from...)
	}
	// Floyd's way to draw n of many: no list of all of them is made.
	taken := make(map[int]bool, n)
	for limit := len(from) - n; limit < len(from); limit++ {
		i := dice.IntN(limit + 1)
		if taken[i] {
			i = limit
		}
		taken[i] = true
		book = append(book, from[i])
	}
	return book
}

// blindedOf returns the packed blinded elements of contacts, and evaluatedAs whether they were evaluated to what they must be.
func blindedOf(contacts []*contact) []byte {
	packed := make([]byte, 0, len(contacts)*voprf.ElementSize)
	for _, c := range contacts {
		packed = append(packed, c.blinded...)
	}
	return packed
}

func evaluatedAs(contacts []*contact, evaluated []byte) bool {
	for i, c := range contacts {
		if !bytes.Equal(c.evaluated, evaluated[i*voprf.ElementSize:(i+1)*voprf.ElementSize]) {
			return false
		}
	}
	return true
}
