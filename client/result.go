package client

import (
	"cmp"
	"slices"
	"time"

	"github.com/kith-project/kith/normalize"
)

// Result is what a Sync found.
type Result struct {
	// Mode is the kind of lookup that was made, never ModeAuto.
	Mode Mode
	// Labels is how labels were fetched, or would have been. In mode exact it is LabelsByTag.
	Labels LabelPolicy
	// Why says in one sentence why it was this mode. It contains nothing of the address book but its size.
	Why string
	// Bytes is what the lookups of this Sync cost, request and answer bodies together.
	Bytes int64
	// Deferred counts the numbers, in their primary form, of which a lookup or a label waits until the budget has room
	// for it. What an earlier Sync found of them is still in Matches. It is 0 unless the mode was left to ModeAuto.
	Deferred int
	// Next is when the budget has room again and Sync should be called; zero if nothing is deferred.
	Next time.Time
	// Epoch is the epoch in which it was made.
	Epoch uint32
	// Moving is set if the server has a new epoch and this device could not move there completely: see Moving.
	Moving *Moving
	// Waiting is set if some numbers could not be evaluated yet: see Waiting.
	Waiting *Waiting
	// Contacts counts the contacts that were read; broken cards are not counted.
	Contacts int
	// Numbers counts the different numbers among them, in their primary form.
	Numbers int
	// Evaluated counts the elements that this Sync paid for. Those of a request that an interrupted Sync left behind are
	// counted here, where their results arrived, so that the sum over all Syncs is what the account was charged.
	Evaluated int
	// Matches holds one entry for each registered number, in the order in which the address book first has it. Each is
	// confirmed by its label, which only the holder of the number's label key can have sealed, except with LabelsNone.
	Matches []Match
	// Skipped lists what could not be looked up, in the order of the address book.
	Skipped []Skipped
	// Unconfirmed counts hits whose label was not there or did not open, which are not in Matches: false positives of a
	// lookup, those who left between lookup and label, or a server that makes up matches. They are counted in each Sync
	// and asked for again when something changes.
	Unconfirmed int
}

// Moving says that the move to a new epoch waits, most often for quota, and that the Result is from the epoch before, with
// all that is known there. What was evaluated in the new epoch is kept, and the next Sync goes on.
type Moving struct {
	From, To uint32
	// Left counts the elements that are still to be evaluated in the new epoch.
	Left int
	// New counts the numbers, in their primary form, that are not known in the epoch before. They are not looked up until
	// the move goes on.
	New int
	// Next is when Sync should be called for that; zero if the server did not say.
	Next time.Time
}

// Waiting says that evaluations were refused until later, most often because the quota of the account is used up, and that the
// Result is from what was evaluated before that. What was evaluated is kept, and the next Sync goes on.
type Waiting struct {
	// New counts the numbers, in their primary form, of which no form has been evaluated. They were not looked up. What was
	// found of them in an earlier epoch, in another mode than exact, is still in Matches.
	New int
	// Left counts the elements that are still to be evaluated.
	Left int
	// Next is when Sync should be called for that; zero if the server did not say.
	Next time.Time
	// Refusal is what the server answered. Its Code says why, and with CodeQuotaExceeded its Limit and Remaining say how
	// the account stands.
	Refusal *ProblemError
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
	// Label is the user id or nickname that the account service registered. In the modes bucket and snapshot it is up to
	// 30 days old: see Client.RefreshLabels. Empty with LabelsNone.
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
