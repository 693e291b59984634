package size

import "math"

// Reading is what it took a server to read a whole directory into its memory.
type Reading struct {
	Layout Layout  `json:"layout"`
	Users  int64   `json:"users"`
	Server float64 `json:"server"` // processor time in µs
	Redis  float64 `json:"redis"`
}

// parts counts what a server reads, and the slots of its answers that it fills up, so that each has as many as the others.
func (l Layout) parts(users float64) (partitions, buckets, filled float64) {
	buckets = math.Exp2(float64(l.BucketBits))
	return math.Exp2(float64(l.PartitionBits)), buckets, max(0, buckets*float64(l.Slots)-users)
}

// readingTakes returns the processor time in µs of reading a whole directory.
func readingTakes(l Layout, users float64, k Constants) (server, store float64) {
	partitions, buckets, filled := l.parts(users)
	return partitions*k[RescanPartition] + filled*k[RescanSlot] + users*k[RescanRecord],
		partitions*k[RescanPartitionRedis] + buckets*k[RescanBucketRedis] + users*k[RescanRecordRedis]
}

// readingConstants puts into the constants what three readings tell: of nobody in fewer buckets, of nobody in more, and of users. Where
// the first two are missing, what else the constants say is taken as it is.
func readingConstants(c Constants, empty []Reading, full Reading) {
	if len(empty) == 2 {
		few, many := empty[0], empty[1]
		partitions, buckets, filled := few.Layout.parts(0)
		_, moreBuckets, moreFilled := many.Layout.parts(0)
		c[RescanSlot] = max(0, (many.Server-few.Server)/(moreFilled-filled))
		c[RescanPartition] = max(0, (few.Server-filled*c[RescanSlot])/partitions)
		c[RescanBucketRedis] = max(0, (many.Redis-few.Redis)/(moreBuckets-buckets))
		c[RescanPartitionRedis] = max(0, (few.Redis-buckets*c[RescanBucketRedis])/partitions)
	}
	c[RescanRecord], c[RescanRecordRedis] = 0, 0
	users := float64(full.Users)
	server, store := readingTakes(full.Layout, users, c)
	c[RescanRecord], c[RescanRecordRedis] = max(0, (full.Server-server)/users), max(0, (full.Redis-store)/users)
}
