package size

import "math"

const (
	// tagBytes is the length of a tag.
	tagBytes = 16
	// recordEntry is what a visible registration takes in a listpack beside its field: 2 bytes around that, and 112 of record with 3.
	recordEntry = 2 + 112 + 3
	// tombstoneEntry is the same for one that is hidden or deleted: a record of 47 bytes, with 2 around it.
	tombstoneEntry = 2 + 47 + 2
	// listpackHead is the header of a listpack and its end.
	listpackHead = 7
	// changesKept is to how many entries the changes of a partition are trimmed, as directory.DefaultChangesLength says.
	changesKept = 4096
	// shardSets is how many snapshots are in Redis at once, at most, with the default times.
	shardSets = 4
)

// sizeClass returns what jemalloc, which Redis is built with, allocates for n bytes: four classes for each doubling.
func sizeClass(n int) int {
	if n <= 128 {
		return (n + 15) / 16 * 16
	}
	step := 1 << (int(math.Ceil(math.Log2(float64(n)))) - 3)
	return (n + step - 1) / step * step
}

// fieldBytes returns the length of a field: the tag without the whole bytes that the bucket gives.
func (l Layout) fieldBytes() float64 { return float64(tagBytes - l.BucketBits/8) }

// bucketBytes returns what the registrations of a bucket take on average, where the mean of them is given and their number is by
// the Poisson distribution. A share of them are tombstones, beside the visible ones.
func (l Layout) bucketBytes(mean, tombstones float64) float64 {
	entry := l.fieldBytes() + recordEntry + tombstones*(l.fieldBytes()+tombstoneEntry)
	sum, all := 0.0, 0.0
	spread := 8 * math.Sqrt(mean)
	for n := max(1, math.Floor(mean-spread)); n <= mean+spread+8; n++ {
		log, _ := math.Lgamma(n + 1)
		chance := math.Exp(n*math.Log(mean) - mean - log)
		sum += chance * float64(sizeClass(listpackHead+int(math.Round(n*entry))))
		all += chance
	}
	return sum / max(all, 1e-300) * (1 - math.Exp(-mean))
}

// DirectoryBytes returns what the registrations of an epoch take in Redis: their buckets, and the changes that are kept.
func DirectoryBytes(l Layout, users, tombstones float64, k Constants) float64 {
	buckets := math.Exp2(float64(l.BucketBits))
	mean := users / buckets
	filled := buckets * (1 - math.Exp(-mean))
	changes := min(users, math.Exp2(float64(l.PartitionBits))*changesKept)
	return buckets*l.bucketBytes(mean, tombstones) + filled*k[BucketKey] + changes*k[ChangeEntry]
}

// ServerBytes returns the memory of a server that answers lookups by bucket for an epoch: for each registration a key of 8 bytes, and
// for each bucket its answer and two headers.
func ServerBytes(l Layout, users float64, k Constants) float64 {
	buckets := math.Exp2(float64(l.BucketBits))
	return k[ServerBase] + k[ServerHeap]*(8*users+buckets*(float64(l.Slots*l.TagBytes)+48))
}
