package main

import (
	"testing"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/server/bucket"
)

// TestPlanFor holds the floor under what a lookup by bucket tells, and the client's planning figures to what servers do.
func TestPlanFor(t *testing.T) {
	tests := []struct {
		users, anonymity int
		bits             uint8
	}{
		{1, 1000, 0}, {100, 1000, 1}, {10_000, 1000, 8}, {1_000_000, 1000, 14}, {10_000_000, 1000, 18},
		{1_000_000_000, 1000, 23}, {2_000_000_000, 1, 24}, {1_000_000_000, 100_000, 16}, {1_000_000_000, 10_000_000_000, 0},
	}
	for _, test := range tests {
		plan := planFor(test.users, test.anonymity)
		if plan.Layout.BucketBits != test.bits || plan.Layout.PartitionBits != min(test.bits, 8) {
			t.Errorf("%d users, anonymity %d: got %+v, want %d bits", test.users, test.anonymity, plan.Layout, test.bits)
		}
		plan.Layout.Epoch = 1
		if err := plan.Layout.Validate(); err != nil {
			t.Errorf("%d users: %v", test.users, err)
		}
	}
	for users := 10; users <= 2_000_000_000; users *= 3 {
		plan, figures := planFor(users, 1000), client.FiguresFor(int64(users), 0)
		if figures.BucketBits != int(plan.Layout.BucketBits) || figures.Slots != plan.Slots ||
			figures.TagBytes != bucket.TagBytesFor(figures.BucketBits, figures.Slots) {
			t.Errorf("%d users: the client plans with %+v, a server has %d bits and %d slots", users, figures, plan.Layout.BucketBits, plan.Slots)
		}
	}
}
