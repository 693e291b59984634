package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/redistest"
)

// TestRotationWithinTheQuota: a device whose bucket is empty moves to a new epoch by the credit that this brings it, once. What
// goes beyond what it had evaluated waits for the bucket.
func TestRotationWithinTheQuota(t *testing.T) {
	const contacts = 20
	store := redistest.Start(t)
	s := serve(t, t.TempDir(), "--redis", store.URL(), "--admin", "127.0.0.1:0", "--expected-users", "200", "--burst", "20", "--refill-per-day", "1")
	numbers := fictional(0, contacts+1)
	s.put(t, numbers[3], "three")
	state := filepath.Join(t.TempDir(), "state")
	discover := func(n int) ran {
		return runKith(t, "discover", writeCSV(t, numbers[:n]), "--server", s.url, "--token-file", s.token("discover"), "--region", "US", "--state", state)
	}
	wantFound := func(r ran, sums string) {
		t.Helper()
		if r.status != 0 || !strings.Contains(r.stdout, "three") || !strings.Contains(r.stdout, sums) {
			t.Errorf("got status %d, %q and %q on standard error, want %q", r.status, r.stdout, r.stderr, sums)
		}
	}
	wantFound(discover(contacts), "epoch 1; 20 evaluated now")
	const oneWaits = "not looked up yet: 1 of 21 numbers; the account can have 0 of 20 numbers evaluated now; go on at "
	wantFound(discover(contacts+1), "epoch 1; 0 evaluated now")
	wantFound(discover(contacts+1), oneWaits)
	if r := runKith(t, "epoch", "rotate", "--wait", "--window", "0s", "--drain", "1h", "--admin", s.admin, "--token-file", s.token("operate")); r.status != 0 {
		t.Fatalf("rotate: got status %d and %q", r.status, r.stderr)
	}
	show := output(t, "quota", "show", "trial-device", "--admin", s.admin, "--token-file", s.token("operate"))
	if !strings.Contains(show, "20 of 20, 20 of them credit for epoch 2") {
		t.Errorf("kith quota show: got %q, want a credit of 20", show)
	}
	wantFound(discover(contacts), "epoch 2; 20 evaluated now")
	wantFound(discover(contacts+1), oneWaits)
}
