package directory_test

import (
	"errors"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

func TestLayoutValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		layout directory.Layout
		want   error
	}{
		{"usual", directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 20}, nil},
		{"one bucket", directory.Layout{Epoch: 1}, nil},
		{"bucket is partition", directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 8}, nil},
		{"most bits", directory.Layout{Epoch: 1<<32 - 1, PartitionBits: 32, BucketBits: 32}, nil},
		{"odd versions", directory.Layout{Epoch: 2, Parity: 1}, nil},
		{"parity out of range", directory.Layout{Epoch: 2, Parity: 2}, directory.ErrLayout},
		{"zero value", directory.Layout{}, directory.ErrLayout},
		{"partition below bucket", directory.Layout{Epoch: 1, PartitionBits: 9, BucketBits: 8}, directory.ErrLayout},
		{"too many bits", directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 33}, directory.ErrLayout},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.layout.Validate(); !errors.Is(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestLayoutNumbers(t *testing.T) {
	tag := crypto.Tag{0xAB, 0xCD, 0xEF, 0x01, 0xFF}
	for _, c := range []struct {
		name                      string
		partition, bucket         uint8
		wantPartition, wantBucket uint32
		wantPartitions            uint64
	}{
		{"nothing", 0, 0, 0, 0, 1},
		{"bytes", 8, 16, 0xAB, 0xABCD, 256},
		{"odd", 3, 11, 0xAB >> 5, 0xABCD >> 5, 8},
		{"all", 32, 32, 0xABCDEF01, 0xABCDEF01, 1 << 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := directory.Layout{Epoch: 1, PartitionBits: c.partition, BucketBits: c.bucket}
			if got := l.Partition(tag); got != c.wantPartition {
				t.Errorf("partition: got %d, want %d", got, c.wantPartition)
			}
			if got := l.Bucket(tag); got != c.wantBucket {
				t.Errorf("bucket: got %d, want %d", got, c.wantBucket)
			}
			if got := l.Partitions(); got != c.wantPartitions {
				t.Errorf("partitions: got %d, want %d", got, c.wantPartitions)
			}
		})
	}
}
