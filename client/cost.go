package client

import (
	"math"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
)

// Figures are what the cost of lookups depends on, as the directory has it for an epoch.
type Figures struct {
	BucketBits       int   // the length of a prefix
	Slots            int   // short tags in the answer of every bucket
	TagBytes         int   // the length of a short tag
	SnapshotBytes    int64 // all shards; 0 if there is no snapshot
	ChangesBytesADay int64 // of the feed of joins and leaves
}

// maxUsualBits is the most bits that a prefix has by a server's default: 1,000 of 10^10 possible numbers share one then.
const maxUsualBits = 23

// FiguresFor returns the figures to expect of a server of that many users, of whom changesADay join or leave: 50 users
// a bucket, but at least 1,000 of 10^10 possible numbers a prefix; mean + 5.7 standard deviations of slots, short tags that are wrong in less than one of 10^6 cases, and a
// snapshot of 18.1 bits a user. It is for planning and for documentation; a Sync goes by the directory.
func FiguresFor(users, changesADay int64) Figures {
	bits := math.Round(math.Log2(float64(max(users, 1)) / 50))
	f := Figures{BucketBits: int(min(max(bits, 0), maxUsualBits))}
	mean := float64(users) / math.Exp2(float64(f.BucketBits))
	f.Slots = max(8, 8*int(math.Ceil((mean+5.7*math.Sqrt(mean))/8)))
	for f.TagBytes = 1; float64(f.Slots)*1e6 >= math.Exp2(float64(8*f.TagBytes-f.BucketBits%8)); {
		f.TagBytes++
	}
	f.SnapshotBytes = (users*181 + 79) / 80
	f.ChangesBytesADay = changesADay * filter.ChangeSize
	return f
}

// Counts are the sizes of an address book.
type Counts struct {
	Numbers int // different numbers, alternate forms included
	Hits    int // registered ones among them
}

// Cost is what lookups take, in bytes of request and answer bodies.
type Cost struct {
	First int64 // the first Sync in an epoch
	Daily int64 // one Sync on a later day, without new contacts and without new hits among them
}

// EstimateCost returns the expected cost of looking an address book up, with padding. It is what ModeAuto plans with.
// In mode bucket, Daily is the changes feed or the identical set again, as the package comment says for a Sync without a
// budget. In mode snapshot, Daily is the feed alone: a new snapshot costs First again, as often as the server's maximum
// age says. For ModeAuto, which is none of its own, and unknown modes it returns zeros.
func EstimateCost(mode Mode, labels LabelPolicy, f Figures, c Counts) Cost {
	switch mode {
	case ModeExact:
		again := exactCost(c.Numbers, c.Hits)
		return Cost{again, again}
	case ModeBucket:
		again := int64(QuarterClass(f.distinctPrefixes(c.Numbers))) * f.bucketCost()
		daily := again
		if f.hasFeed() && f.ChangesBytesADay <= newsLimit(again) {
			daily = f.ChangesBytesADay
		}
		return Cost{again + f.labelsCost(labels, c.Hits), daily}
	case ModeSnapshot:
		return Cost{f.SnapshotBytes + f.manifestCost() + f.labelsCost(labels, c.Hits), f.ChangesBytesADay}
	default:
		return Cost{}
	}
}

// Asked is what a first Sync asks a server for, padding included: what costs a server work, as Cost is what costs bytes.
type Asked struct {
	Tags          int // whole tags: of the lookup in mode exact, and of labels by tag
	Prefixes      int // buckets of short tags
	LabelPrefixes int // buckets with the labels of all slots
}

// CountAsked returns what the first Sync in an epoch asks for, on average. The lookup in mode exact brings the labels along. For
// modes that EstimateCost does not know it counts labels alone.
func CountAsked(mode Mode, labels LabelPolicy, f Figures, c Counts) Asked {
	var a Asked
	switch mode {
	case ModeExact:
		return Asked{Tags: QuarterClass(c.Numbers)}
	case ModeBucket:
		a.Prefixes = QuarterClass(f.distinctPrefixes(c.Numbers))
	}
	switch {
	case c.Hits == 0 || labels == LabelsNone:
	case labels == LabelsByTag:
		a.Tags = QuarterClass(c.Hits)
	default:
		a.LabelPrefixes = PowerClass(f.distinctPrefixes(c.Hits))
	}
	return a
}

// newsLimit is the most that a Sync without a budget spends on the changes feed in mode bucket, where asking the
// identical set again costs that much. The feed tells the server less, so it may cost more.
func newsLimit(again int64) int64 { return max(again, DefaultBudget) }

// hasFeed reports whether the server has a changes feed, which comes with a snapshot.
func (f Figures) hasFeed() bool { return f.SnapshotBytes > 0 }

// bucketCost is one prefix and its short tags.
func (f Figures) bucketCost() int64 { return prefixSize + int64(f.Slots)*int64(f.TagBytes) }

// labelBucketCost is one prefix, its short tags and its labels.
func (f Figures) labelBucketCost() int64 {
	return f.bucketCost() + int64(f.Slots)*crypto.SealedLabelSize
}

// labelsCost is what fetching the labels of that many new hits takes.
func (f Figures) labelsCost(labels LabelPolicy, hits int) int64 {
	switch {
	case hits == 0 || labels == LabelsNone:
		return 0
	case labels == LabelsByTag:
		return exactCost(hits, hits)
	default:
		return int64(PowerClass(f.distinctPrefixes(hits))) * f.labelBucketCost()
	}
}

// exactCost is what looking up tags takes, of which some are hits.
func exactCost(tags, hits int) int64 {
	return int64(QuarterClass(tags))*crypto.TagSize + int64(hits)*matchSize
}

// manifestCost is about the length of a manifest: 110 bytes for each shard of some 600 KB.
func (f Figures) manifestCost() int64 { return 300 + 110*(1+f.SnapshotBytes/600_000) }

// distinctPrefixes is how many different prefixes n random tags have, on average.
func (f Figures) distinctPrefixes(n int) int {
	space := math.Exp2(float64(f.BucketBits))
	return int(math.Round(-space * math.Expm1(float64(n)*math.Log1p(-1/space))))
}
