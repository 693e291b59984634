package rotation

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// TestStatus reads how the epochs stand in each phase of a rotation.
func TestStatus(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	s := r.server(func(c *Config) {
		c.Evaluations = func(_ context.Context, epoch uint32) (int64, error) { return int64(1000 * epoch), nil }
	})
	s.put(0, 6, 5)
	s.hide(5, 6)
	status := func() (old, next EpochStatus) {
		t.Helper()
		s.reload()
		got, err := s.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got.Generation != s.reload().Generation {
			t.Errorf("generation %d, want %d", got.Generation, s.reload().Generation)
		}
		if len(got.Epochs) < 2 {
			return got.Epochs[0], EpochStatus{}
		}
		return got.Epochs[0], got.Epochs[1]
	}
	old, _ := status()
	if old.State != keyring.StateActive || old.Users != 5 || old.Evaluations != 1000 || old.BucketBits != 4 || old.Slots != 96 ||
		len(old.PublicKey) != 43 || old.Rotation != nil || old.Created.IsZero() || old.Activated.IsZero() || old.Problem != "" {
		t.Errorf("before: got %+v", old)
	}

	id := s.stage(false, time.Hour)
	for _, want := range []struct {
		phase Phase
		next  RotationStatus // apart from rate and times
	}{
		{PhaseCopy, RotationStatus{Phase: PhaseCopy}},
		{PhaseVerify, RotationStatus{Phase: PhaseVerify}},
		{PhaseReady, RotationStatus{Phase: PhaseReady, Items: 4, ItemsDone: 4, Records: 6, RecordsDone: 6}},
		{PhaseSettle, RotationStatus{Phase: PhaseSettle}},
		{PhaseSettled, RotationStatus{Phase: PhaseSettled, Items: 4, ItemsDone: 4, Records: 6, RecordsDone: 6}},
	} {
		s.drive(id, want.phase)
		_, next := status()
		if next.Rotation == nil {
			t.Fatalf("%s: no rotation", want.phase)
		}
		got := *next.Rotation
		if (got.ItemsDone > 0) == got.Started.IsZero() {
			t.Errorf("%s: begun at %v with %d items done", want.phase, got.Started, got.ItemsDone)
		}
		got.Started = time.Time{}
		if got != want.next {
			t.Errorf("%s: got %+v, want %+v", want.phase, got, want.next)
		}
		if want.phase == PhaseReady {
			if err := s.Activate(ctx, id, -1); err != nil {
				t.Fatal(err)
			}
		}
	}
	old, next := status()
	if old.State != keyring.StateDraining || old.RetireAt.IsZero() || old.Rotation != nil || next.From != 1 || next.Users != 5 || next.BucketBits != 5 {
		t.Errorf("settled: got %+v and %+v", old, next)
	}
	if err := s.keys.Retire(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if old, _ := status(); old.Rotation == nil || old.Rotation.Phase != PhaseSweep || old.Users != 0 || old.Ended.IsZero() {
		t.Errorf("retired: got %+v", old)
	}
	s.drive(1, PhaseDone)
	if old, _ := status(); old.Rotation == nil || old.Rotation.Phase != PhaseDone || old.Problem != "" {
		t.Errorf("removed: got %+v", old)
	}
}

// TestStatusInTheMiddle has half of the items done, and another server say so.
func TestStatusInTheMiddle(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	s := r.server(nil)
	s.put(0, 12, 5)
	id := s.stage(true, time.Hour)
	s.reload()
	q := s.queueOf(PhaseCopy, id)
	wantQueue(t, "open", q.open(ctx, 4, 4, 12), nil)
	for range 2 {
		wantQueue(t, "complete", q.complete(ctx, claim(t, q), counts{records: 3, written: 3, unreadable: 1}), nil)
	}
	second := r.rdb.Time(ctx).Val().Add(-time.Second)
	r.rdb.HSet(ctx, q.key, "before", second.UnixMilli())
	other := r.server(nil)
	got, err := other.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rotation := *got.Epochs[1].Rotation
	if rotation.RecordsPerSecond <= 0 || rotation.Started.IsZero() {
		t.Errorf("got %+v, want a rate and a beginning", rotation)
	}
	rotation.RecordsPerSecond, rotation.ETASeconds, rotation.Started = 0, 0, time.Time{}
	want := RotationStatus{Phase: PhaseCopy, Items: 4, ItemsDone: 2, Records: 12, RecordsDone: 6, Unreadable: 2, Auto: true}
	if rotation != want {
		t.Errorf("got %+v, want %+v", rotation, want)
	}
}

func TestETA(t *testing.T) {
	p := progress{items: 10, done: 5, expected: 1000, records: 400, perSecond: 10}
	for _, c := range []struct {
		phase Phase
		p     progress
		want  int64
	}{
		{PhaseVerify, p, 60},
		{PhaseCopy, p, 60 + int64(100*verifyCost)},
		{PhaseSettle, progress{expected: 10, records: 20, perSecond: 1}, 0},
		{PhaseVerify, progress{expected: 10}, 0},
	} {
		if got := eta(c.phase, c.p); got != c.want {
			t.Errorf("%s, %+v: got %d, want %d", c.phase, c.p, got, c.want)
		}
	}
}

// TestStatusSaysWhatItDoesNotKnow has an epoch that has lost a partition, and no count of evaluations.
func TestStatusSaysWhatItDoesNotKnow(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	s := r.server(func(c *Config) {
		c.Evaluations = func(context.Context, uint32) (int64, error) { return 0, errors.New("usage: away") }
	})
	got, err := s.Status(ctx)
	if err != nil || got.Epochs[0].Problem != "usage: away" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := r.store.Sweep(ctx, s.reload().Epoch(1).Layout, 0); err != nil {
		t.Fatal(err)
	}
	got, err = s.Status(ctx)
	if err != nil || got.Epochs[0].Problem != directory.ErrIncomplete.Error() || got.Epochs[0].Users != 0 {
		t.Errorf("got %+v, %v, want the problem of a lost partition", got, err)
	}
}

// TestStatusJSON holds the names that operators' scripts rely on.
func TestStatusJSON(t *testing.T) {
	at := time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC)
	b, err := json.Marshal(Status{Generation: 12, Epochs: []EpochStatus{
		{ID: 1, State: keyring.StateDraining, PublicKey: "AA", Created: at, BucketBits: 4, Slots: 96, Users: 7, Evaluations: 8,
			Activated: at, RetireAt: at, Ended: at, Problem: "p"},
		{ID: 2, State: keyring.StateStaged, Created: at, From: 1, Rotation: &RotationStatus{
			Phase: PhaseCopy, Items: 1, ItemsDone: 2, Records: 3, RecordsDone: 4, RecordsPerSecond: 5.5, Repaired: 6, Unreadable: 7,
			Accepted: 8, Auto: true, Started: at, ETASeconds: 9,
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"generation":12,"epochs":[{"id":1,"state":"draining","public_key":"AA","created":"2026-11-25T01:02:03Z","bucket_bits":4,` +
		`"slots":96,"users":7,"evaluations":8,"activated":"2026-11-25T01:02:03Z","retire_at":"2026-11-25T01:02:03Z",` +
		`"ended":"2026-11-25T01:02:03Z","problem":"p"},{"id":2,"state":"staged","public_key":"","created":"2026-11-25T01:02:03Z",` +
		`"from":1,"bucket_bits":0,"slots":0,"users":0,"evaluations":0,"rotation":{"phase":"copy","items":1,"items_done":2,` +
		`"records":3,"records_done":4,"records_per_second":5.5,"repaired":6,"unreadable":7,"accepted":8,"auto":true,` +
		`"started":"2026-11-25T01:02:03Z","eta_seconds":9}}]}`
	if got := string(b); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(string(b), "0001-01-01") {
		t.Error("times that have not come are shown")
	}
}
