package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/kith-project/kith/normalize"
)

// AddressBook is a stream of contacts, as normalize.ReadContacts returns one. A *normalize.CardError in it is about one
// card, which becomes a Skipped; any other error ends the Sync.
type AddressBook = iter.Seq2[normalize.Contact, error]

// Contacts is an AddressBook of a slice, which must not change during the Sync.
func Contacts(contacts []normalize.Contact) AddressBook {
	return func(yield func(normalize.Contact, error) bool) {
		for _, c := range contacts {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// book is an address book after reading: each number once, and what was skipped.
type book struct {
	region   string
	contacts int
	skipped  []Skipped
	primary  map[string][]string // each primary E.164 number: its candidates
	// candidates are all forms to look up, each once, in the order of the address book.
	candidates []candidate
	index      map[string]int // number: its place in candidates
}

// known returns what of the book is known in an epoch.
func (b *book) known(e *epochState) *book {
	part := *b
	part.candidates = slices.DeleteFunc(slices.Clone(b.candidates), func(c candidate) bool {
		_, known := e.known[c.number]
		return !known
	})
	return &part
}

// unknown counts the numbers, in their primary form, of which no form is known in an epoch.
func (b *book) unknown(e *epochState) int {
	n := 0
	for _, forms := range b.primary {
		if !slices.ContainsFunc(forms, func(form string) bool { _, known := e.known[form]; return known }) {
			n++
		}
	}
	return n
}

// numbers returns the numbers of all candidates, in their order.
func (b *book) numbers() []string {
	numbers := make([]string, len(b.candidates))
	for i, c := range b.candidates {
		numbers[i] = c.number
	}
	return numbers
}

// candidate is one form of a number, and who has it.
type candidate struct {
	number string
	names  []string // different ones, the empty name left out, in the order of the address book
}

// readBook reads the whole address book. It returns the book's own error, or that of ctx.
func readBook(ctx context.Context, source AddressBook, region string, report func(Progress)) (*book, error) {
	if source == nil {
		return nil, fmt.Errorf("%w: the address book is nil", ErrOptions)
	}
	b := &book{region: region, primary: make(map[string][]string), index: make(map[string]int)}
	report(Progress{Stage: StageRead})
	for contact, err := range source {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := b.add(contact, err); err != nil {
			return nil, err
		}
		if b.contacts > 0 && b.contacts%readStep == 0 && err == nil {
			report(Progress{Stage: StageRead, Done: b.contacts})
		}
	}
	report(Progress{Stage: StageRead, Done: b.contacts, Total: b.contacts})
	return b, nil
}

// add takes one element of the address book.
func (b *book) add(contact normalize.Contact, err error) error {
	var broken *normalize.CardError
	switch {
	case errors.As(err, &broken):
		b.skipped = append(b.skipped, Skipped{Place: broken.Place, Reason: ReasonBrokenCard})
		return nil
	case err != nil:
		return fmt.Errorf("client: reading the address book: %w", err)
	}
	b.contacts++
	if len(contact.Numbers) == 0 {
		b.skip(contact, "", ReasonNoNumber)
	}
	for _, raw := range contact.Numbers {
		b.addNumber(contact, raw)
	}
	return nil
}

func (b *book) addNumber(contact normalize.Contact, raw string) {
	number, err := normalize.Parse(raw, b.region)
	if err != nil {
		b.skip(contact, raw, reasonOf(err))
		return
	}
	candidates, known := b.primary[number.E164]
	if !known {
		candidates = number.Candidates()
		b.primary[number.E164] = candidates
	}
	for _, form := range candidates {
		b.addCandidate(form, contact.Name)
	}
}

func (b *book) addCandidate(form, name string) {
	i, known := b.index[form]
	if !known {
		i = len(b.candidates)
		b.index[form] = i
		b.candidates = append(b.candidates, candidate{number: form})
	}
	if c := &b.candidates[i]; name != "" && !slices.Contains(c.names, name) {
		c.names = append(c.names, name)
	}
}

func (b *book) skip(contact normalize.Contact, raw string, reason Reason) {
	b.skipped = append(b.skipped, Skipped{Name: contact.Name, Raw: raw, Place: contact.Place, Reason: reason})
}

// reasonOf returns the reason in an error of normalize.Parse.
func reasonOf(err error) Reason {
	var refused *normalize.Error
	if !errors.As(err, &refused) {
		return Reason(normalize.ReasonNotANumber)
	}
	return Reason(refused.Reason)
}
