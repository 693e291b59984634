package rotation

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

// benchRecords is how many records are moved in one go: 256 buckets of about 49, in 4 partitions.
const benchRecords = 12_544

// benchRig makes a deployment with benchRecords registrations and a staged epoch.
func benchRig(b *testing.B) (*rig, *server, uint32) {
	b.Helper()
	ctx := context.Background()
	r := newRigLaidOut(b, redistest.Start(b, redistest.AppendFsync("no")).Client(), directory.Layout{PartitionBits: 2, BucketBits: 8})
	s := r.server(func(c *Config) { c.Lease = time.Minute })
	following, stop := context.WithCancel(ctx)
	b.Cleanup(stop)
	go s.keys.Follow(following)
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
	var processor time.Duration
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
		processor += benchMove(b, s, t)
	}
	report(b, processor)
}

// BenchmarkVerify checks records that have been copied.
func BenchmarkVerify(b *testing.B) {
	_, s, id := benchRig(b)
	s.drive(id, PhaseVerify)
	snapshot := s.reload()
	t := task{what: doVerify, snapshot: snapshot, epoch: snapshot.Epoch(id), from: snapshot.Epoch(1)}
	var processor time.Duration
	for b.Loop() {
		processor += benchMove(b, s, t)
	}
	report(b, processor)
}

// report reports the time of a record, and the processor time of this process in it, which does not depend on what else
// the machine does.
func report(b *testing.B, processor time.Duration) {
	b.Helper()
	records := float64(b.N * benchRecords)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/records, "µs/record")
	b.ReportMetric(float64(processor.Nanoseconds())/1000/records, "processor-µs/record")
}

// processorTime returns how long this process has used a core.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// benchMove moves all items of a task, and returns the processor time that it took.
func benchMove(b *testing.B, s *server, t task) time.Duration {
	b.Helper()
	begun := processorTime(b)
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
	return processorTime(b) - begun
}

// BenchmarkAudit checks the proofs of records that have been copied, on all cores.
func BenchmarkAudit(b *testing.B) {
	r, s, id := benchRig(b)
	s.drive(id, PhaseVerify)
	snapshot := s.reload()
	log := view(b, snapshot)
	begun := processorTime(b)
	for b.Loop() {
		found, err := Audit(context.Background(), r.store, snapshot, id, log)
		if err != nil || !found.OK() || found.Records != benchRecords {
			b.Fatalf("got %+v, %v", found, err)
		}
	}
	report(b, processorTime(b)-begun)
}
