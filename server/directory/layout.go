package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/kith-project/kith/crypto"
)

// ErrLayout is returned for a Layout whose numbers are out of range, and for a partition that it does not have.
var ErrLayout = errors.New("directory: invalid layout")

// Layout says where the records of an epoch are. It is fixed when the epoch is created.
type Layout struct {
	// Epoch is the number of the epoch, from 1. Numbers are never used twice.
	Epoch uint32
	// PartitionBits is how many top bits of a tag give its partition, from 0 to BucketBits; 8 is usual.
	PartitionBits uint8
	// BucketBits is how many top bits of a tag give its bucket, up to crypto.MaxPrefixBits. Buckets of about 50 records
	// hide a lookup among their users and stay in Redis's compact encoding.
	BucketBits uint8
	// Parity, 0 or 1, is what the versions that this epoch assigns leave when divided by two. An epoch has the other one
	// than that before it: two servers that assign a version at the same moment, each in the epoch that it takes for the
	// active one, then never assign the same.
	Parity uint8
}

// Validate returns ErrLayout unless the epoch is not 0, PartitionBits <= BucketBits <= crypto.MaxPrefixBits, and Parity is
// 0 or 1.
func (l Layout) Validate() error {
	if l.Epoch == 0 || l.Parity > 1 || l.PartitionBits > l.BucketBits || l.BucketBits > crypto.MaxPrefixBits {
		return ErrLayout
	}
	return nil
}

// Partitions returns the number of partitions, 1 to 2^32.
func (l Layout) Partitions() uint64 {
	return 1 << l.PartitionBits
}

// Partition returns the number of the partition that holds the tag. The layout must be valid.
func (l Layout) Partition(tag crypto.Tag) uint32 {
	return tag.Prefix(int(l.PartitionBits))
}

// Bucket returns the number of the bucket that holds the tag. It is counted through the whole epoch, not from the start
// of its partition. The layout must be valid.
func (l Layout) Bucket(tag crypto.Tag) uint32 {
	return tag.Prefix(int(l.BucketBits))
}

// Buckets returns the half-open range of the numbers of a partition's buckets. The layout must be valid and have the
// partition.
func (l Layout) Buckets(partition uint32) (first, end uint64) {
	below := l.BucketBits - l.PartitionBits
	return uint64(partition) << below, (uint64(partition) + 1) << below
}

// PartitionOf returns the number of the partition that holds the bucket. The layout must be valid and have the bucket.
func (l Layout) PartitionOf(bucket uint32) uint32 {
	return bucket >> (l.BucketBits - l.PartitionBits)
}

// Field returns the name of a tag in the hash of its bucket: its bytes after those that the bucket gives whole. The layout must
// be valid.
func (l Layout) Field(tag crypto.Tag) string {
	return string(tag[l.skip():])
}

// skip returns how many bytes of a tag its bucket gives whole.
func (l Layout) skip() int { return int(l.BucketBits) / 8 }

// tag returns the tag with this name in a bucket. It returns false if there is none: where the length is wrong, or bits that the
// bucket gives too are others. The layout must be valid and have the bucket.
func (l Layout) tag(bucket uint32, field string) (tag crypto.Tag, ok bool) {
	skip := l.skip()
	if len(field) != crypto.TagSize-skip {
		return tag, false
	}
	var whole [4]byte
	binary.BigEndian.PutUint32(whole[:], bucket>>(l.BucketBits%8))
	copy(tag[:skip], whole[len(whole)-skip:])
	copy(tag[skip:], field)
	return tag, l.Bucket(tag) == bucket
}

// validPartition returns ErrLayout unless the layout is valid and has the partition.
func (l Layout) validPartition(partition uint32) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if uint64(partition) >= l.Partitions() {
		return fmt.Errorf("%w: no such partition", ErrLayout)
	}
	return nil
}

// validBuckets returns ErrLayout unless the layout is valid and has the buckets.
func (l Layout) validBuckets(buckets []uint32) error {
	if err := l.Validate(); err != nil {
		return err
	}
	for _, bucket := range buckets {
		if uint64(bucket) >= 1<<l.BucketBits {
			return fmt.Errorf("%w: no such bucket", ErrLayout)
		}
	}
	return nil
}

func (l Layout) metaKey(partition uint32) string {
	return string(append(l.keyPrefix(partition), "meta"...))
}

func (l Layout) changesKey(partition uint32) string {
	return string(append(l.keyPrefix(partition), "changes"...))
}

func (l Layout) movesKey(partition uint32) string {
	return string(append(l.keyPrefix(partition), "moves"...))
}

func (l Layout) bucketKey(bucket uint32) string {
	return string(strconv.AppendUint(append(l.keyPrefix(l.PartitionOf(bucket)), 'b'), uint64(bucket), 10))
}

// keyPrefix returns the part that all keys of a partition start with. Its braces hold epoch and partition together:
// the epoch alone would put a whole epoch into one slot of a cluster.
func (l Layout) keyPrefix(partition uint32) []byte {
	key := make([]byte, 0, 48)
	key = append(key, "kith:{e"...)
	key = strconv.AppendUint(key, uint64(l.Epoch), 10)
	key = append(key, ".p"...)
	key = strconv.AppendUint(key, uint64(partition), 10)
	return append(key, "}:"...)
}
