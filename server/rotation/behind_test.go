package rotation

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

// loseChanges has the store lose two changes of the keyring, with which a number was registered. It returns a server that
// knows them.
func (r *rig) loseChanges() (knower *server) {
	r.t.Helper()
	ctx := context.Background()
	const key = "kith:keyring"
	older := r.rdb.HGetAll(ctx, key).Val()
	knower = r.server(nil)
	for _, slots := range []int{97, 98} {
		if err := knower.keys.RaiseSlots(ctx, 1, slots); err != nil {
			r.t.Fatal(err)
		}
	}
	for i := range 16 { // enough for a number in each partition
		knower.put(i, i+1, 5)
	}
	r.rdb.Del(ctx, key)
	if err := r.rdb.HSet(ctx, key, older).Err(); err != nil {
		r.t.Fatal(err)
	}
	return knower
}

// TestServersHealAKeyringThatHasLostChanges: registrations are refused at first, by servers that do not know what was
// lost, and then go on without anybody's doing.
func TestServersHealAKeyringThatHasLostChanges(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	r.loseChanges()
	one, other := r.server(nil), r.server(nil)
	for _, s := range []*server{one, other} {
		s.behind = 50 * time.Millisecond
	}
	register := func() error {
		_, err := one.Put(ctx, registry.Registration{Number: number(0), Label: label(0, 6), Version: 6})
		return err
	}
	if err := register(); !errors.Is(err, registry.ErrContended) {
		t.Fatalf("registering with changes lost: got %v, want ErrContended", err)
	}
	watch := r.server(nil)
	before := watch.reload().Generation
	run(t, func() bool { return watch.reload().Generation > before }, one, other)
	if err := register(); err != nil {
		t.Errorf("registering after: %v", err)
	}
	if got := watch.reload().Generation; got != before+3 {
		t.Errorf("from generation %d to %d, want %d", before, got, before+3)
	}
	told := append(one.errors, other.errors...)
	if len(told) != 1 || !errors.Is(told[0], ErrLostChanges) {
		t.Errorf("servers told of %v, want ErrLostChanges once", told)
	}
	if got := r.find(watch.reload().Active(), 0); got != visible(0, 6) {
		t.Errorf("number 0: got %+v, want the registration after", got)
	}
}

// TestWhoKnowsWhatWasLostComesFirst: nobody heals before servers that know the lost changes have had their time.
func TestWhoKnowsWhatWasLostComesFirst(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	knower := r.loseChanges()
	s := r.server(nil)
	before := s.reload().Generation
	since := s.look(ctx, time.Time{})
	if since.IsZero() {
		t.Fatal("the keyring is not seen behind")
	}
	if again := s.look(ctx, since); again != since || s.reload().Generation != before {
		t.Errorf("at once: seen behind since %v and generation %d, want %v and %d", again, s.reload().Generation, since, before)
	}
	if err := knower.keys.AcceptLoss(ctx, 1, 0); !errors.Is(err, keyring.ErrState) { // any change writes back what is known
		t.Fatal(err)
	}
	if late := s.look(ctx, since.Add(-time.Hour)); !late.IsZero() {
		t.Errorf("after the changes were written back: seen behind since %v", late)
	}
	if got := s.reload(); got.Generation != before+2 || got.Epoch(1).Slots != 98 {
		t.Errorf("got generation %d with %d slots, want the lost changes", got.Generation, got.Epoch(1).Slots)
	}
	if len(s.errors) != 0 {
		t.Errorf("told of %v", s.errors)
	}
}
