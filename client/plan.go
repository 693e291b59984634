package client

import (
	"fmt"
	"slices"
)

// situation is what ModeAuto decides by.
type situation struct {
	offered    []Mode // that the server offers, those that were found not to work left out
	minPrivacy Mode
	labels     LabelPolicy
	figures    Figures

	budget, left int64 // in bytes: a day, and now; unlimited if there is none

	numbers int   // to look up
	new     int   // of them not asked for by bucket in this epoch
	news    int64 // what it takes to learn, by bucket, of changes to the others
	missing int64 // what the snapshot takes now, with its changes
}

// choice is the mode of a Sync, and why.
type choice struct {
	mode Mode
	why  string
	wait bool // nothing fits into what is left of the budget now: look nothing up
}

// choose returns the most private mode that fits: snapshot, then bucket, which can be spread over days, then exact, which
// comes before spreading where MinPrivacy allows it. It returns ErrMode if the server offers none that MinPrivacy allows, and
// ErrBudget if none of these can ever fit.
func (s situation) choose() (choice, error) {
	usable := func(m Mode) bool { return slices.Contains(s.offered, m) && m.atLeast(s.minPrivacy) }
	snapshot := usable(ModeSnapshot) && s.figures.hasFeed()
	switch {
	case snapshot && s.missing <= s.left:
		return choice{mode: ModeSnapshot, why: s.whySnapshot()}, nil
	case usable(ModeBucket) && s.bucketNow() <= s.left:
		return choice{mode: ModeBucket, why: s.whyBucket(snapshot)}, nil
	case usable(ModeExact) && s.exactNow() <= s.left:
		return choice{mode: ModeExact, why: s.whyExact()}, nil
	case usable(ModeBucket) && s.smallestBucket() <= s.budget:
		return choice{mode: ModeBucket, why: s.whySpread()}, nil
	case snapshot && s.missing <= s.budget:
		return s.waiting(ModeSnapshot), nil
	case usable(ModeExact) && s.exactNow() <= s.budget:
		return s.waiting(ModeExact), nil
	case snapshot || usable(ModeBucket) || usable(ModeExact):
		return choice{}, fmt.Errorf("%w: not even one bucket fits into %s a day", ErrBudget, formatBytes(s.budget))
	default:
		return choice{}, fmt.Errorf("%w: the server offers none that MinPrivacy %s allows", ErrMode, s.minPrivacy)
	}
}

// bucketNow is what a complete lookup by bucket takes now, without labels.
func (s situation) bucketNow() int64 {
	if s.new == 0 {
		return s.news
	}
	return s.news + int64(QuarterClass(s.figures.distinctPrefixes(s.new)))*s.figures.bucketCost()
}

// smallestBucket is the largest of the steps that a lookup by bucket can be spread over.
func (s situation) smallestBucket() int64 {
	if s.labels == LabelsByBucket {
		return s.figures.labelBucketCost()
	}
	return s.figures.bucketCost()
}

// exactNow supposes that every tenth number is registered.
func (s situation) exactNow() int64 { return exactCost(s.numbers, s.numbers/10) }

func (s situation) whySnapshot() string {
	return fmt.Sprintf("Snapshot, because the set of all users takes %s and %s; the server learns nothing of the address book before a hit.",
		formatBytes(s.missing), s.leftInWords())
}

func (s situation) whyBucket(snapshot bool) string {
	if !snapshot {
		return fmt.Sprintf("Bucket, because the server has no snapshot; each contact hides among about %s numbers.", s.anonymity())
	}
	return fmt.Sprintf("Bucket, because the snapshot takes %s and %s; each contact hides among about %s numbers.",
		formatBytes(s.missing), s.leftInWords(), s.anonymity())
}

func (s situation) whySpread() string {
	if s.left < s.smallestBucket() {
		return "Bucket, but not even one bucket fits into what the budget has left today, so that the rest waits."
	}
	return fmt.Sprintf("Bucket, spread over several days, because all of it takes %s and %s.",
		formatBytes(s.bucketNow()), s.leftInWords())
}

func (s situation) whyExact() string {
	return fmt.Sprintf("Exact, because more private modes take more than the budget, MinPrivacy allows it, and %s; "+
		"the operator can find out the numbers.", s.leftInWords())
}

func (s situation) waiting(m Mode) choice {
	return choice{mode: m, wait: true, why: fmt.Sprintf("Nothing was looked up, because mode %s does not fit into what the budget has "+
		"left today, and MinPrivacy or the server allows no other.", m)}
}

// leftInWords is a clause on the budget.
func (s situation) leftInWords() string {
	if s.left == unlimited {
		return "no budget is set"
	}
	return fmt.Sprintf("lookups may cost %s more today", formatBytes(s.left))
}

// anonymity is how many of the 10^10 plausible phone numbers share a prefix.
func (s situation) anonymity() string {
	const plausible = 1e10
	n, round := int64(plausible)>>s.figures.BucketBits, int64(1)
	for n/round >= 100 { // two digits are all that is known
		round *= 10
	}
	return groupDigits(n / round * round)
}

// groupDigits writes n with a comma before each three digits.
func groupDigits(n int64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// formatBytes writes a length for people, in decimal units.
func formatBytes(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%d bytes", max(n, 0))
	}
}
