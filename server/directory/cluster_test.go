package directory_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// TestCluster goes through all operations on a cluster of six. A script or pipeline whose keys lay in several slots would
// be refused with CROSSSLOT, which Redis without a cluster never does.
func TestCluster(t *testing.T) {
	ctx := context.Background()
	cluster := redistest.StartCluster(t, 3, 1)
	rdb := cluster.Client()
	s := directory.New(rdb, directory.Config{})
	layout := directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 12}
	wantError(t, "Prepare", s.Prepare(ctx, layout, generation), nil)

	random := rand.New(rand.NewPCG(1, 2))
	var tags []crypto.Tag
	var writes []directory.Write
	for range 1000 {
		var tag crypto.Tag
		for i := range tag {
			tag[i] = byte(random.Uint32())
		}
		tags = append(tags, tag)
		writes = append(writes, write(tag, directory.Visible, 1))
	}
	outcomes, err := s.Apply(ctx, layout, generation, writes)
	wantError(t, "Apply", err, nil)
	for i, o := range outcomes {
		if o != (directory.Outcome{Result: directory.Applied, Version: 1}) {
			t.Fatalf("write %d: got %v, want applied at 1", i, o)
		}
	}
	matches, err := s.Match(ctx, layout, tags)
	if err != nil || len(matches) != len(tags) {
		t.Fatalf("Match: got %d, %v, want %d", len(matches), err, len(tags))
	}
	for i, m := range matches {
		if m.Tag != tags[i] || m.Label != writes[i].Label {
			t.Fatalf("match %d: got %v, want tag %x", i, m, tags[i])
		}
	}
	counts, err := s.Count(ctx, layout)
	if want := (directory.Counts{Visible: 1000}); err != nil || counts != want {
		t.Errorf("Count: got %v, %v, want %v", counts, err, want)
	}
	if got := scan(t, s, layout); len(got) != 1000 {
		t.Errorf("Scan: got %d records, want 1000", len(got))
	}
	buckets, err := s.Buckets(ctx, layout, []uint32{0, 0x800, 0xFFF})
	wantError(t, "Buckets", err, nil)
	if len(buckets) != 3 {
		t.Errorf("Buckets: got %d, want 3", len(buckets))
	}
	scanned, err := s.ScanBuckets(ctx, layout, []uint32{0, 0x800, 0xFFF})
	wantError(t, "ScanBuckets", err, nil)
	if len(scanned) != 3 {
		t.Errorf("ScanBuckets: got %d, want 3", len(scanned))
	}
	found, err := s.GetAll(ctx, layout, tags)
	wantError(t, "GetAll", err, nil)
	for i, f := range found {
		if f.Err != nil || f.Record != stored(writes[i]) {
			t.Fatalf("GetAll %d: got %+v, %v, want %+v", i, f.Record, f.Err, stored(writes[i]))
		}
	}
	wantError(t, "SaveMoves", s.SaveMoves(ctx, layout, generation, 3, 2, []directory.Move{{Bucket: 0x30, Kept: []byte("a")}}), nil)
	moves, err := s.Moves(ctx, layout, 3, 2, []uint32{0x30})
	if err != nil || string(moves[0]) != "a" {
		t.Errorf("Moves: got %q, %v, want a", moves, err)
	}
	wantError(t, "DropMoves", s.DropMoves(ctx, layout, 2, 2), nil)
	var positions []directory.Position
	for p := range layout.Partitions() {
		positions = append(positions, directory.Position{Partition: uint32(p)})
		_, err := s.Purge(ctx, layout, uint32(p), directory.VersionEnd)
		wantError(t, "Purge", err, nil)
	}
	changes, err := s.Changes(ctx, layout, positions)
	wantError(t, "Changes", err, nil)
	entries := 0
	for _, c := range changes {
		wantError(t, "Changes of a partition", c.Err, nil)
		entries += len(c.Entries)
	}
	if entries != 1000 {
		t.Errorf("Changes: got %d, want 1000", entries)
	}

	report, err := directory.CheckServer(ctx, rdb)
	wantError(t, "CheckServer", err, nil)
	wantWarnings(t, report, nil)
	if report.Masters != 3 {
		t.Errorf("CheckServer: got %d masters, want 3", report.Masters)
	}
	// One bad server of three is enough.
	cluster.Masters[1].Client().ConfigSet(ctx, "maxmemory-policy", "allkeys-lru")
	_, err = directory.CheckServer(ctx, rdb)
	wantError(t, "CheckServer", err, directory.ErrEviction)

	for p := range layout.Partitions() {
		wantError(t, "Sweep", s.Sweep(ctx, layout, uint32(p)), nil)
	}
	for _, node := range cluster.Masters {
		if got := node.Client().DBSize(ctx).Val(); got != 0 {
			t.Errorf("after Sweep: a node has %d keys, want none", got)
		}
	}

	// A lost shard fails the lookups that need it.
	wantError(t, "Prepare", s.Prepare(ctx, layout, generation), nil)
	cluster.Masters[2].Client().FlushAll(ctx)
	_, err = s.Match(ctx, layout, tags)
	wantError(t, "Match with a lost shard", err, directory.ErrIncomplete)
	// Changes tells which partitions are lost, and goes on with the others.
	lost := 0
	changes, err = s.Changes(ctx, layout, positions)
	wantError(t, "Changes with a lost shard", err, nil)
	for _, c := range changes {
		if c.Err != nil {
			wantError(t, "Changes of a lost partition", c.Err, directory.ErrIncomplete)
			lost++
		}
	}
	if lost == 0 || lost == len(changes) {
		t.Errorf("Changes with a lost shard: %d of %d partitions are missing", lost, len(changes))
	}
}
