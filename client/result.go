package client

import (
	"cmp"
	"slices"

	"github.com/kith-project/kith/normalize"
)

// Result is what a Sync found.
type Result struct {
	// Mode is the kind of lookup that was made, never ModeAuto.
	Mode Mode
	// Epoch is the epoch in which it was made.
	Epoch uint32
	// Contacts counts the contacts that were read; broken cards are not counted.
	Contacts int
	// Numbers counts the different numbers among them, in their primary form.
	Numbers int
	// Evaluated counts the elements that this Sync paid for. Those of a request that an interrupted Sync left behind are
	// counted here, where their results arrived, so that the sum over all Syncs is what the account was charged.
	Evaluated int
	// Matches holds one entry for each registered number, in the order in which the address book first has it.
	Matches []Match
	// Skipped lists what could not be looked up, in the order of the address book.
	Skipped []Skipped
	// Unconfirmed counts answers whose label did not open, which were dropped: false positives of a lookup, or a server
	// that makes up matches.
	Unconfirmed int
}

// Match is a number of the address book that is registered.
type Match struct {
	// Number is the E.164 form that is registered. It can differ from what the contact's number normalises to: see
	// normalize.Number.
	Number string
	// Name is the name of the first contact with that number that has one. It never left the device.
	Name string
	// OtherNames are the different names of further contacts with the number, in their order; nil if there are none.
	OtherNames []string
	// Label is the user id or nickname that the account service registered.
	Label string
}

// Reason says why something was skipped: a normalize.Reason, ReasonNoNumber or ReasonBrokenCard. The values are stable
// and never contain input.
type Reason string

// The reasons beside those of package normalize.
const (
	ReasonNoNumber   Reason = "no-number"   // a contact without any number
	ReasonBrokenCard Reason = "broken-card" // a card of the file that can not be read, or not all of it
)

// Explain returns one plain sentence for the person whose contact it is, in English.
func (r Reason) Explain() string {
	switch r {
	case ReasonNoNumber:
		return "This contact has no phone number."
	case ReasonBrokenCard:
		return "This entry of the address book is damaged and can not be read, or not all of it."
	default:
		return normalize.Reason(r).Explain()
	}
}

// Skipped is a number, a contact or a card that could not be looked up. It is for showing to the user; Name and Raw
// belong in no log.
type Skipped struct {
	Name   string
	Raw    string // the number as the contact has it; empty for ReasonNoNumber and ReasonBrokenCard
	Place  normalize.Place
	Reason Reason
}

// ReasonCount is how often something was skipped for one reason.
type ReasonCount struct {
	Reason Reason `json:"reason"`
	Count  int    `json:"count"`
}

// SkippedByReason counts r.Skipped, sorted by reason. It contains nothing of the address book. It is never nil.
func (r *Result) SkippedByReason() []ReasonCount {
	counts := make(map[Reason]int)
	for _, s := range r.Skipped {
		counts[s.Reason]++
	}
	list := make([]ReasonCount, 0, len(counts))
	for reason, n := range counts {
		list = append(list, ReasonCount{reason, n})
	}
	slices.SortFunc(list, func(a, b ReasonCount) int { return cmp.Compare(a.Reason, b.Reason) })
	return list
}
