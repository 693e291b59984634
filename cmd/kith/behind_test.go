package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/redistest"
)

// TestRegistrationsGoOnAfterLostChanges has Redis lose a rotation that was begun, with the server that knew of it gone. A
// new server refuses registrations at first, and then heals the keyring by itself; the epoch that was lost is passed over.
func TestRegistrationsGoOnAfterLostChanges(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	dir := t.TempDir()
	knower := operated(t, dir, store)
	rdb, ctx := store.Client(), t.Context()
	older := rdb.HGetAll(ctx, "kith:keyring").Val()
	knower.operate(t, "epoch", "rotate", "--manual", "--wait")
	numbers := fictional(0, 8)
	knower.putMany(t, numbers[:7], func(string) string { return "here" })
	knower.kill()
	rdb.Del(ctx, "kith:keyring")
	if err := rdb.HSet(ctx, "kith:keyring", older).Err(); err != nil {
		t.Fatal(err)
	}

	s := operated(t, dir, store)
	register := func() int {
		return s.tryRegister(t, http.MethodPut, map[string]any{"number": numbers[0], "label": "again"}).StatusCode
	}
	if got := register(); got != http.StatusServiceUnavailable {
		t.Errorf("registering at first: got status %d, want 503", got)
	}
	s.until(t, "registrations go on", func() bool { return register() == http.StatusNoContent })
	s.until(t, "a warning in the log", func() bool {
		log := s.log.String()
		return strings.Contains(log, "level=WARN msg=rotation cause=\"rotation: the store has lost the last changes of the keyring") &&
			strings.Contains(log, "epoch 2 is among them")
	})
	s.put(t, numbers[7], "here")
	if got := s.operate(t, "epoch", "rotate", "--wait"); got != "epoch 19 is active\n" {
		t.Errorf("rotate: got %q, want an epoch of a later id than was lost", got)
	}
	if epoch, found := s.find(t, numbers); epoch != 19 || len(found) != len(numbers) {
		t.Errorf("found %d of %d in epoch %d", len(found), len(numbers), epoch)
	}
}
