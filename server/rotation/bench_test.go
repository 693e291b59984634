package rotation

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// benchRecords is how many records are moved in one go: 256 buckets of about 49, in 4 partitions.
const benchRecords = 12_544

// benchRig makes a deployment with benchRecords registrations and a staged epoch.
func benchRig(b *testing.B) (*rig, *server, uint32) {
	b.Helper()
	ctx := context.Background()
	r := newRigLaidOut(b, newRig(b).rdb, directory.Layout{PartitionBits: 2, BucketBits: 8})
	s := r.server(func(c *Config) { c.Lease = time.Minute })
	e := s.reload().Epoch(1)
	var writes []directory.Write
	for i := range benchRecords {
		input := binary.BigEndian.AppendUint32([]byte("number "), uint32(i))
		n, err := e.Key.Evaluate([][]byte{input})
		if err != nil {
			b.Fatal(err)
		}
		tag, key := crypto.Derive(n[0])
		sealed, err := key.Seal(r.rand(), tag, "user")
		if err != nil {
			b.Fatal(err)
		}
		writes = append(writes, directory.Write{Tag: tag, Format: directory.Visible, Version: 1, Wrapped: e.Storage.Wrap(tag, n[0]), Label: sealed})
	}
	if _, err := r.store.Apply(ctx, e.Layout, 1, writes); err != nil {
		b.Fatal(err)
	}
	options := keyring.StageOptions{Plan: keyring.Plan{Layout: e.Layout, Slots: 96}, Drain: time.Hour}
	staged, _, err := s.keys.Stage(ctx, options, r.store)
	if err != nil {
		b.Fatal(err)
	}
	return r, s, staged.ID
}

// BenchmarkCopy copies records to an epoch that has none of them, by one worker that does not rest: what one core does.
func BenchmarkCopy(b *testing.B) {
	ctx := context.Background()
	r, s, id := benchRig(b)
	snapshot := s.reload()
	t := task{what: doCopy, snapshot: snapshot, epoch: snapshot.Epoch(id), from: snapshot.Epoch(1)}
	for b.Loop() {
		b.StopTimer()
		for p := range t.epoch.Layout.Partitions() {
			if err := r.store.Sweep(ctx, t.epoch.Layout, uint32(p)); err != nil {
				b.Fatal(err)
			}
			if err := r.store.DropMoves(ctx, t.from.Layout, uint32(p), id); err != nil {
				b.Fatal(err)
			}
		}
		if err := r.store.Prepare(ctx, t.epoch.Layout, snapshot.Generation); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		benchMove(b, s, t)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*benchRecords), "µs/record")
}

// BenchmarkVerify checks records that have been copied.
func BenchmarkVerify(b *testing.B) {
	_, s, id := benchRig(b)
	s.drive(id, PhaseVerify)
	snapshot := s.reload()
	t := task{what: doVerify, snapshot: snapshot, epoch: snapshot.Epoch(id), from: snapshot.Epoch(1)}
	for b.Loop() {
		benchMove(b, s, t)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*benchRecords), "µs/record")
}

// benchMove moves all items of a task.
func benchMove(b *testing.B, s *server, t task) {
	b.Helper()
	q := s.queueOf(Phase(t.what), t.epoch.ID)
	if err := q.remove(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := s.open(context.Background(), t, q); err != nil {
		b.Fatal(err)
	}
	done, err := s.work(context.Background(), t, q)
	if done != 4 || err != errDone {
		b.Fatalf("got %d items, %v", done, err)
	}
}

// BenchmarkAudit checks the proofs of records that have been copied, on all cores.
func BenchmarkAudit(b *testing.B) {
	r, s, id := benchRig(b)
	s.drive(id, PhaseVerify)
	snapshot := s.reload()
	log := view(b, snapshot)
	for b.Loop() {
		report, err := Audit(context.Background(), r.store, snapshot, id, log)
		if err != nil || !report.OK() || report.Records != benchRecords {
			b.Fatalf("got %+v, %v", report, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*benchRecords), "µs/record")
}
