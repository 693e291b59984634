package client

import (
	"fmt"
	"slices"
)

// Mode is a kind of lookup: what the server learns from it.
type Mode string

const (
	// ModeAuto is the most private mode that the server offers and that fits Options.Budget, but never one below
	// Options.MinPrivacy.
	ModeAuto Mode = "auto"
	// ModeExact sends whole tags. Whoever holds the epoch's private key, the operator, can find out the numbers behind
	// them by trying all numbers there are.
	ModeExact Mode = "exact"
	// ModeBucket sends prefixes of tags. Each fits thousands of phone numbers, and about 50 registered ones.
	ModeBucket Mode = "bucket"
	// ModeSnapshot sends nothing of the address book: it fetches a filter of all registrations, and the changes to it.
	ModeSnapshot Mode = "snapshot"
)

// byPrivacy are the modes of lookup, most private first.
var byPrivacy = []Mode{ModeSnapshot, ModeBucket, ModeExact}

// atLeast reports whether m is as private as limit, or more.
func (m Mode) atLeast(limit Mode) bool {
	return slices.Index(byPrivacy, m) <= slices.Index(byPrivacy, limit)
}

// ParseMode returns the mode of that name, or ErrMode. The empty name is ModeAuto.
func ParseMode(name string) (Mode, error) {
	switch m := Mode(name); m {
	case "":
		return ModeAuto, nil
	case ModeAuto, ModeExact, ModeBucket, ModeSnapshot:
		return m, nil
	default:
		return "", fmt.Errorf("%w: modes are auto, exact, bucket and snapshot", ErrMode)
	}
}

// LabelPolicy says how the labels of hits are fetched in the modes bucket and snapshot, which is what a hit tells the
// server. In mode exact labels come with the lookup.
type LabelPolicy string

const (
	// LabelsByBucket fetches the labels of whole buckets, filled up with decoys to 8, 16, 32 or more: the server sees
	// prefixes, of which it does not know which are hits.
	LabelsByBucket LabelPolicy = "bucket"
	// LabelsByTag allows whole tags of hits to be sent, which tell the operator who of the contacts is registered, as
	// ModeExact does, whatever MinPrivacy says. ModeAuto still fetches by bucket while that fits the budget.
	LabelsByTag LabelPolicy = "tag"
	// LabelsNone fetches no labels. Matches then have none, and are not confirmed: a number that is not registered is shown
	// as a match with a chance below 1 in 10^6 in mode bucket, and of 1 in 65,536 in mode snapshot. In mode exact labels
	// come all the same.
	LabelsNone LabelPolicy = "none"
)

// checkLabels returns the policy, LabelsByBucket for none, or ErrOptions.
func checkLabels(p LabelPolicy) (LabelPolicy, error) {
	switch p {
	case "":
		return LabelsByBucket, nil
	case LabelsByBucket, LabelsByTag, LabelsNone:
		return p, nil
	default:
		return "", fmt.Errorf("%w: Labels is none of bucket, tag and none", ErrOptions)
	}
}
