package rotation

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// spoil returns a stored value with one bit changed.
func spoil(value string, at int) string {
	b := []byte(value)
	b[at] ^= 1
	return string(b)
}

// where the parts of a stored value begin.
const (
	inWrapped = 8
	inLabel   = 8 + 32
)

// driveErrors has a server go on until there is nothing to do, and returns what went wrong.
func (s *server) driveErrors() []error {
	s.t.Helper()
	var all []error
	for quiet := 0; quiet < 3; {
		s.reload()
		worked, errs := s.step(context.Background())
		all = append(all, errs...)
		if worked {
			quiet = 0
		} else {
			quiet++
		}
	}
	return all
}

// unreadable returns a rotation in which four records of the old epoch can not be read, each in its way: malformed, another
// length, an element that does not unwrap, a label that does not open.
func unreadable(t *testing.T) (r *rig, s *server, id uint32, mend func()) {
	t.Helper()
	r = newRig(t)
	s = r.server(nil)
	s.put(0, 6, 5)
	e := s.reload().Epoch(1)
	good := make([]string, 4)
	tags := make([]crypto.Tag, 4)
	for i := range good {
		_, tags[i], _ = r.tagOf(e, i)
		good[i] = r.raw(e, tags[i])
	}
	for i, bad := range []string{"\x09" + good[0][1:], good[1][:len(good[1])-1], spoil(good[2], inWrapped), spoil(good[3], inLabel)} {
		r.damage(e, tags[i], bad)
	}
	return r, s, s.stage(true, time.Hour), func() {
		for i := range good {
			r.damage(e, tags[i], good[i])
		}
	}
}

func TestUnreadableRecordsKeepAnEpochFromBecomingActive(t *testing.T) {
	ctx := context.Background()
	r, s, id, _ := unreadable(t)
	if errs := s.driveErrors(); len(errs) != 1 || !errors.Is(errs[0], ErrUnreadable) {
		t.Errorf("got errors %v, want ErrUnreadable once", errs)
	}
	status, err := s.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := *status.Epochs[1].Rotation
	if got.Phase != PhaseVerify || got.Items != 4 || got.ItemsDone != 4 || got.Unreadable != 4 || got.Accepted != 0 || got.RecordsDone != 6 {
		t.Errorf("got %+v, want all done in verify and 4 unreadable", got)
	}
	for _, loss := range []int{-1, 0, 3} {
		if err := s.Activate(ctx, id, loss); !errors.Is(err, keyring.ErrNotVerified) {
			t.Errorf("Activate accepting %d: got %v, want ErrNotVerified", loss, err)
		}
		if got := s.reload().Epoch(id).Accepted; got != 0 {
			t.Errorf("Activate accepting %d was refused, and %d are accepted from then on", loss, got)
		}
	}
	if errs := s.driveErrors(); len(errs) != 0 || s.reload().Epoch(id).State != keyring.StateStaged {
		t.Errorf("got errors %v, and the epoch is %s", errs, s.reload().Epoch(id).State)
	}

	if err := s.Activate(ctx, id, 4); err != nil {
		t.Errorf("Activate accepting 4: %v", err)
	}
	s.drive(id, PhaseSettled)
	if err := s.Activate(ctx, id, 4); err != nil {
		t.Errorf("Activate again: %v", err)
	}
	for i := range 6 {
		want := stored{}
		if i >= 4 {
			want = visible(i, 5)
		}
		if got := r.find(s.reload().Epoch(id), i); got != want {
			t.Errorf("number %d: got %+v, want %+v", i, got, want)
		}
	}
}

// TestUnreadableRecordsAreToldAgain in the next rotation, after an operator has aborted the first: they are as many.
func TestUnreadableRecordsAreToldAgain(t *testing.T) {
	_, s, id, _ := unreadable(t)
	for range 2 {
		if errs := s.driveErrors(); len(errs) != 1 || !errors.Is(errs[0], ErrUnreadable) {
			t.Errorf("epoch %d: got errors %v, want ErrUnreadable once", id, errs)
		}
		if err := s.keys.Abort(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		id = s.stage(true, time.Hour)
	}
}

// TestLossIsNotAcceptedBeforeItIsKnown: an operator who asks too early is refused, and what he would have given up is not
// given up later, when the rotation goes on by itself.
func TestLossIsNotAcceptedBeforeItIsKnown(t *testing.T) {
	_, s, id, _ := unreadable(t)
	for _, phase := range []Phase{PhaseCopy, PhaseVerify} {
		s.drive(id, phase)
		if err := s.Activate(context.Background(), id, 9); !errors.Is(err, keyring.ErrNotVerified) {
			t.Errorf("in phase %s: got %v, want ErrNotVerified", phase, err)
		}
	}
	s.driveErrors()
	if e := s.reload().Epoch(id); e.State != keyring.StateStaged || e.Accepted != 0 {
		t.Errorf("the epoch is %s, and %d are accepted; want it staged, and none", e.State, e.Accepted)
	}
}

// TestAcceptedLossIsEnough has the operator accept the loss by the keyring alone: the epoch becomes active by itself.
func TestAcceptedLossIsEnough(t *testing.T) {
	_, s, id, _ := unreadable(t)
	s.driveErrors()
	if err := s.keys.AcceptLoss(context.Background(), id, 4); err != nil {
		t.Fatal(err)
	}
	s.drive(id, PhaseSettled)
}

// TestMendedRecordsAreSeen mends the records, and the rotation goes on by itself.
func TestMendedRecordsAreSeen(t *testing.T) {
	r, s, id, mend := unreadable(t)
	s.mend = time.Millisecond
	s.drive(id, PhaseVerify)
	for len(s.stepErrors()) == 0 {
		s.reload()
	}
	mend()
	for phaseOf(s.reload().Epoch(id)) != PhaseSettled {
		for _, err := range s.stepErrors() {
			if !errors.Is(err, ErrUnreadable) { // of those that are left, while it comes to one after another
				t.Fatal(err)
			}
		}
	}
	snapshot := s.reload()
	for i, got := range r.wantSame(snapshot.Epoch(1), snapshot.Epoch(id), 6) {
		if got != visible(i, 5) {
			t.Errorf("number %d: got %+v", i, got)
		}
	}
}

// stepErrors has a server go on by one step, and returns what went wrong.
func (s *server) stepErrors() []error {
	_, errs := s.step(context.Background())
	return errs
}

// TestDamagedCopiesAreReplaced damages records of the new epoch between copy and verify, each in its way, all but the last
// at the version that the old epoch has.
func TestDamagedCopiesAreReplaced(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	s := r.server(nil)
	s.put(0, 6, 5)
	s.hide(5, 6)
	id := s.stage(true, time.Hour)
	s.drive(id, PhaseVerify)
	to := s.reload().Epoch(id)
	for i, damaged := range []func(good string) string{
		func(good string) string { return "\x09" + good[1:] },
		func(good string) string { return good[:20] },
		func(good string) string { return spoil(good, inWrapped) },
		func(good string) string { return spoil(good, inLabel) },
		nil, // missing
		func(good string) string { return spoil(good, inWrapped) },
	} {
		_, tag, _ := r.tagOf(to, i)
		if damaged == nil {
			key, f := field(to, tag)
			r.rdb.HDel(ctx, key, f)
		} else {
			r.damage(to, tag, damaged(r.raw(to, tag)))
		}
	}
	s.drive(id, PhaseSettled)
	snapshot := s.reload()
	for i := range 6 {
		got, want := r.find(snapshot.Epoch(id), i), r.find(snapshot.Epoch(1), i)
		if got != want || got == (stored{}) {
			t.Errorf("number %d: got %+v, want %+v", i, got, want)
		}
	}
	p, err := s.queueOf(PhaseVerify, id).read(ctx)
	if err != nil || p.written != 6 || p.unreadable != 0 {
		t.Errorf("verify: got %+v, %v, want 6 written", p, err)
	}
}

// TestCopiesThatCanNotBeReplaced has damage in the new epoch that the old one can not mend: a later version, which only
// the new epoch has, and an empty value, which no write can expect.
func TestCopiesThatCanNotBeReplaced(t *testing.T) {
	r := newRig(t)
	s := r.server(nil)
	s.put(0, 2, 5)
	id := s.stage(true, time.Hour)
	s.drive(id, PhaseVerify)
	to := s.reload().Epoch(id)
	_, tag, _ := r.tagOf(to, 0)
	later := directory.Record{Format: directory.Visible, Version: 9}
	value, err := later.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	r.damage(to, tag, string(value))
	_, tag, _ = r.tagOf(to, 1)
	r.damage(to, tag, "")
	if errs := s.driveErrors(); len(errs) != 1 || !errors.Is(errs[0], ErrUnreadable) {
		t.Errorf("got errors %v, want ErrUnreadable once", errs)
	}
	if got := s.reload().Epoch(id).State; got != keyring.StateStaged {
		t.Errorf("the new epoch is %s", got)
	}
}

// TestSettleWaitsForWhatBecameUnreadable damages records of the old epoch after they were verified. Whether they are as new
// in the new epoch can not be told any more, so that the old one must not go without a word.
func TestSettleWaitsForWhatBecameUnreadable(t *testing.T) {
	ctx := context.Background()
	for _, end := range []string{"restored", "registered anew", "given up"} {
		r := newRig(t)
		s := r.server(nil)
		s.mend = time.Millisecond
		s.put(0, 6, 5)
		id := s.stage(true, 0)
		s.drive(id, PhaseSettle)
		from := s.reload().Epoch(1)
		good := make(map[crypto.Tag]string)
		for i := range 2 {
			_, tag, _ := r.tagOf(from, i)
			good[tag] = r.raw(from, tag)
			r.damage(from, tag, spoil(good[tag], inWrapped))
		}
		var errs []error
		for range 40 { // some of which look at an item once more
			errs = append(errs, s.stepErrors()...)
			s.reload()
			time.Sleep(time.Millisecond)
		}
		if len(errs) != 1 || !errors.Is(errs[0], ErrUnreadable) {
			t.Errorf("got errors %v, want ErrUnreadable once", errs)
		}
		if snapshot := s.reload(); phaseOf(snapshot.Epoch(id)) != PhaseSettle || snapshot.Epoch(1).Over() {
			t.Fatalf("settle has ended, and the old epoch is %s", snapshot.Epoch(1).State)
		}
		if err := s.keys.Retire(ctx, 1); !errors.Is(err, keyring.ErrNotSettled) {
			t.Errorf("Retire: got %v, want ErrNotSettled", err)
		}
		status, err := s.Status(ctx)
		if err != nil || status.Epochs[1].Rotation.Unreadable != 2 {
			t.Errorf("status: got %+v, %v, want 2 unreadable", status.Epochs[1].Rotation, err)
		}
		switch end {
		case "restored":
			for tag, value := range good {
				r.damage(from, tag, value)
			}
		case "registered anew":
			s.put(0, 2, 6)
		}
		if end != "given up" {
			for phaseOf(s.reload().Epoch(id)) != PhaseSettled {
				s.stepErrors() // of those that are left, while it comes to one after another
			}
			continue
		}
		if err := s.Activate(ctx, id, 1); !errors.Is(err, keyring.ErrNotVerified) || s.reload().Epoch(id).Accepted != 0 {
			t.Errorf("accepting 1: got %v, and %d are accepted; want ErrNotVerified, and none", err, s.reload().Epoch(id).Accepted)
		}
		if err := s.Activate(ctx, id, 2); err != nil {
			t.Errorf("accepting 2: %v", err)
		}
		s.drive(id, PhaseSettled)
	}
}
