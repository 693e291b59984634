package rotation

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

// view verifies the key log of a keyring and returns it.
func view(t testing.TB, s *keyring.Snapshot) *keylog.View {
	t.Helper()
	verifier, err := keylog.ParseVerifierKey(s.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	v, err := keylog.Verify(s.Log, verifier, keylog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// audit audits the move into the latest epoch that there is one of, and returns an empty report if there is none.
func (r *rig) audit(s *keyring.Snapshot) AuditReport {
	r.t.Helper()
	for i := len(s.Epochs) - 1; i >= 0; i-- {
		report, err := Audit(context.Background(), r.store, s, s.Epochs[i].ID, view(r.t, s))
		if err == nil {
			return report
		}
		if !errors.Is(err, ErrNoMove) {
			r.t.Fatalf("Audit of epoch %d: %v", s.Epochs[i].ID, err)
		}
	}
	return AuditReport{}
}

// rotated returns a deployment with eight registrations that were moved to a second epoch, which is settled, and two that
// were registered afterwards.
func rotated(t *testing.T) (*rig, *server) {
	t.Helper()
	r := newRig(t)
	s := r.server(nil)
	s.put(0, 6, 5)
	s.hide(6, 5)
	s.delete(7, 5)
	id := s.stage(false, 0)
	s.settle(id)
	s.put(8, 10, 5)
	return r, s
}

func TestAudit(t *testing.T) {
	r, s := rotated(t)
	want := AuditReport{Epoch: 2, From: 1, Buckets: 16, Records: 8, Unproven: 2}
	got := r.audit(s.reload())
	if got.Proofs < 1 || got.Proofs > 8 || !got.OK() {
		t.Errorf("got %+v, want it to be in order, with one to eight proofs", got)
	}
	got.Proofs = 0
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// field returns the key and field of a record.
func field(e *keyring.Epoch, tag crypto.Tag) (key, field string) {
	l := e.Layout
	return fmt.Sprintf("kith:{e%d.p%d}:b%d", l.Epoch, l.Partition(tag), l.Bucket(tag)), string(tag[:])
}

// movesField returns the key and field of what is kept of the bucket of a tag.
func movesField(e *keyring.Epoch, tag crypto.Tag) (key, field string) {
	l := e.Layout
	return fmt.Sprintf("kith:{e%d.p%d}:moves", l.Epoch, l.Partition(tag)), fmt.Sprint(l.Bucket(tag))
}

// TestAuditDetects changes one thing after a rotation, as a fault or who has all keys could, and has it found.
func TestAuditDetects(t *testing.T) {
	ctx := context.Background()
	// alter changes the pairs of what is kept of the first number's bucket.
	alter := func(t *testing.T, r *rig, from *keyring.Epoch, change func(p *pair, proof *voprf.Proof)) {
		t.Helper()
		_, tag, _ := r.tagOf(from, 0)
		key, f := movesField(from, tag)
		groups, err := parseKept([]byte(r.rdb.HGet(ctx, key, f).Val()))
		if err != nil {
			t.Fatal(err)
		}
		kept := []byte{keptFormat}
		for _, g := range groups {
			for i := range g.pairs {
				if g.pairs[i].old == tag {
					change(&g.pairs[i], &g.proof)
				}
			}
			kept = appendGroup(kept, g)
		}
		r.rdb.HSet(ctx, key, f, kept)
	}
	// consistent writes a record of number i into an epoch at the tag of an element, all in order but for whose element it is.
	consistent := func(t *testing.T, r *rig, e *keyring.Epoch, n voprf.UnblindedElement, i int, version uint64) crypto.Tag {
		t.Helper()
		tag, key := crypto.Derive(n)
		sealed, err := key.Seal(r.rand(), tag, label(i, version))
		if err != nil {
			t.Fatal(err)
		}
		record := directory.Record{Format: directory.Visible, Version: version, Wrapped: e.Storage.Wrap(tag, n), Label: sealed}
		value, err := record.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		r.damage(e, tag, string(value))
		return tag
	}
	remove := func(r *rig, e *keyring.Epoch, i int) {
		_, tag, _ := r.tagOf(e, i)
		key, f := field(e, tag)
		r.rdb.HDel(ctx, key, f)
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, r *rig, from, to *keyring.Epoch)
		found  func(a AuditReport) int64
	}{
		{"an element is another's, and the proof as it was", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			// The record of number 0 is replaced by one of number 20, with a pair to match.
			n, _, _ := r.tagOf(to, 20)
			tag := consistent(t, r, to, n, 0, 5)
			remove(r, to, 0)
			alter(t, r, from, func(p *pair, _ *voprf.Proof) { p.new = tag })
		}, func(a AuditReport) int64 { return a.FailedProofs }},
		{"an element is altered where it is stored", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			_, tag, _ := r.tagOf(to, 0)
			value := []byte(r.raw(to, tag))
			value[8] ^= 1
			r.damage(to, tag, string(value))
		}, func(a AuditReport) int64 { return a.Unreadable }},
		{"a record of the old epoch is altered", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			_, tag, _ := r.tagOf(from, 0)
			value := []byte(r.raw(from, tag))
			value[8] ^= 1
			r.damage(from, tag, string(value))
		}, func(a AuditReport) int64 { return a.Unreadable }},
		{"two records are exchanged", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			_, a, _ := r.tagOf(to, 0)
			_, b, _ := r.tagOf(to, 1)
			x, y := r.raw(to, a), r.raw(to, b)
			r.damage(to, a, y)
			r.damage(to, b, x)
		}, func(a AuditReport) int64 { return a.Unreadable }},
		{"two labels are exchanged, sealed anew", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			n, _, _ := r.tagOf(to, 0)
			consistent(t, r, to, n, 1, 5)
		}, func(a AuditReport) int64 { return a.OtherLabels }},
		{"a record is older", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			n, _, _ := r.tagOf(to, 0)
			consistent(t, r, to, n, 0, 4)
		}, func(a AuditReport) int64 { return a.Older }},
		{"a record is missing in the new epoch", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			remove(r, to, 0)
		}, func(a AuditReport) int64 { return a.Lost }},
		{"a record is missing in the old epoch", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			remove(r, from, 0)
		}, func(a AuditReport) int64 { return a.Lost }},
		{"a record that was registered directly is missing", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			remove(r, to, 8)
		}, func(a AuditReport) int64 { return a.Lost }},
		{"a proof is missing", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			_, tag, _ := r.tagOf(from, 0)
			key, f := movesField(from, tag)
			r.rdb.HDel(ctx, key, f)
		}, func(a AuditReport) int64 { return a.MissingProofs }},
		{"a proof is cut short", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			_, tag, _ := r.tagOf(from, 0)
			key, f := movesField(from, tag)
			kept := r.rdb.HGet(ctx, key, f).Val()
			r.rdb.HSet(ctx, key, f, kept[:len(kept)-1])
		}, func(a AuditReport) int64 { return a.MalformedProofs }},
		{"a proof is altered", func(t *testing.T, r *rig, from, to *keyring.Epoch) {
			alter(t, r, from, func(_ *pair, proof *voprf.Proof) { proof[40] ^= 1 })
		}, func(a AuditReport) int64 { return a.FailedProofs }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, s := rotated(t)
			snapshot := s.reload()
			c.change(t, r, snapshot.Epoch(1), snapshot.Epoch(2))
			report := r.audit(snapshot)
			if report.OK() || c.found(report) == 0 {
				t.Errorf("not found: %+v", report)
			}
		})
	}
}

// TestAuditCanNotSee is what the documentation of Audit says of it.
func TestAuditCanNotSee(t *testing.T) {
	ctx := context.Background()
	t.Run("deletions that were forgotten", func(t *testing.T) {
		r, s := rotated(t)
		snapshot := s.reload()
		for _, e := range []*keyring.Epoch{snapshot.Epoch(1), snapshot.Epoch(2)} {
			for p := range e.Layout.Partitions() {
				if _, err := r.store.Purge(ctx, e.Layout, uint32(p), directory.VersionEnd); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := r.audit(snapshot); got.Forgotten != 1 || got.Unchecked != 1 || !got.OK() {
			t.Errorf("got %+v, want one proof that can not be checked, and nothing wrong", got)
		}
	})
	t.Run("a record that was added to both epochs", func(t *testing.T) {
		r, s := rotated(t)
		before := r.audit(s.reload())
		s.put(30, 31, 1)
		after := r.audit(s.reload())
		if after.Unproven != before.Unproven+1 || !after.OK() {
			t.Errorf("got %+v, want one more under no proof, and nothing wrong", after)
		}
	})
}

func TestAuditRefuses(t *testing.T) {
	ctx := context.Background()
	r, s := rotated(t)
	snapshot := s.reload()
	log := view(t, snapshot)
	other := view(t, newRig(t).server(nil).reload())
	for _, c := range []struct {
		name string
		id   uint32
		log  *keylog.View
		want error
	}{
		{"the first epoch", 1, log, ErrNoMove},
		{"an unknown epoch", 9, log, ErrNoMove},
		{"the log of another deployment", 2, other, ErrNotLogged},
		{"an empty log", 2, &keylog.View{}, ErrNotLogged},
	} {
		if _, err := Audit(ctx, r.store, snapshot, c.id, c.log); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}

	for p := range snapshot.Epoch(2).Layout.Partitions() {
		if err := r.store.Sweep(ctx, snapshot.Epoch(2).Layout, uint32(p)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Audit(ctx, r.store, snapshot, 2, log); !errors.Is(err, directory.ErrIncomplete) {
		t.Errorf("with a partition missing: got %v, want ErrIncomplete", err)
	}
	if err := s.keys.Retire(ctx, 1); err != nil {
		t.Fatal(err)
	}
	snapshot = s.reload()
	if _, err := Audit(ctx, r.store, snapshot, 2, view(t, snapshot)); !errors.Is(err, ErrNoMove) {
		t.Errorf("after retiring: got %v, want ErrNoMove", err)
	}
}

// TestProofsOfLargeBuckets has a bucket that outgrew one proof.
func TestProofsOfLargeBuckets(t *testing.T) {
	const numbers = groupPairs + 6
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRigLaidOut(t, rdb, directory.Layout{})
		s := r.server(nil)
		s.put(0, numbers, 1)
		s.drive(s.stage(false, 0), PhaseCopy)
		s.drive(2, PhaseVerify)
		if got, want := r.audit(s.reload()), (AuditReport{Epoch: 2, From: 1, Buckets: 1, Proofs: 2, Records: numbers}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}
