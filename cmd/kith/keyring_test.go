package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server/redistest"
)

// newKeyFile writes a master key to a file.
func newKeyFile(t testing.TB, digit string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(path, []byte(strings.Repeat(digit, 64)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestResealUnderRunningServers changes the master key while servers run: the one that knows both goes on, the one that
// knows the old one alone refuses to answer, and only the new one starts a server from then on.
func TestResealUnderRunningServers(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	dir := t.TempDir()
	old, fresh := newKeyFile(t, "1"), newKeyFile(t, "2")
	left := operated(t, dir, store, "--master-key-file", old)
	both := operated(t, dir, store, "--master-key-file", fresh, "--old-master-key-file", old)
	numbers := fictional(0, 4)
	both.put(t, numbers[0], "here")

	if got := output(t, "keyring", "reseal", "--redis", store.URL(), "--master-key-file", old, "--new-master-key-file", fresh); got != "sealed under the new master key\n" {
		t.Errorf("reseal: got %q", got)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(left.url + "/v1/directory")
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server with the old key alone answers %s", answer.Status)
		}
	}
	both.put(t, numbers[1], "here")
	if _, found := both.find(t, numbers); !slices.Equal(found, numbers[:2]) {
		t.Errorf("the server with both keys: found %d, want 2", len(found))
	}
	if got := both.operate(t, "epoch", "rotate", "--wait"); got != "epoch 2 is active\n" {
		t.Errorf("rotate: got %q", got)
	}
	r := runKith(t, "serve", "--redis", store.URL(), "--dir", dir, "--listen", "127.0.0.1:0", "--master-key-file", old)
	if r.status != 1 || !strings.Contains(r.stderr, "kith: keyring: sealed under another master key\nhint: ") {
		t.Errorf("a start with the old key: got status %d and %q", r.status, r.stderr)
	}
	// Done twice it does nothing, and the old key is not needed then.
	output(t, "keyring", "reseal", "--redis", store.URL(), "--master-key-file", fresh, "--new-master-key-command", "cat "+fresh)
	last := operated(t, dir, store, "--master-key-command", "cat "+fresh)
	if _, found := last.find(t, numbers); !slices.Equal(found, numbers[:2]) {
		t.Errorf("the server with the new key: found %d, want 2", len(found))
	}
}

// TestRestoredKeyringAndForkedLog backs a keyring up and restores it into an empty Redis. Devices go on with what they have
// evaluated. Then both deployments rotate: two logs under one key, of which whoever has seen the one refuses the other,
// and keeps the proof.
func TestRestoredKeyringAndForkedLog(t *testing.T) {
	t.Parallel()
	stores := []*redistest.Server{redistest.Start(t, redistest.AppendFsync("no")), redistest.Start(t, redistest.AppendFsync("no"))}
	dir, master := t.TempDir(), newKeyFile(t, "3")
	first := operatedAt(t, dir, stores[0], "--master-key-file", master)
	numbers := fictional(0, 5)
	state := filepath.Join(t.TempDir(), "state")
	first.put(t, numbers[0], "here")
	first.find(t, numbers, "--state", state)

	keyring := func(store *redistest.Server, args ...string) ran {
		return runKith(t, append([]string{"keyring"}, append(args, "--redis", store.URL(), "--master-key-file", master)...)...)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	if r := keyring(stores[0], "backup", "--out", backup); r.status != 0 || r.stdout != "backed up to "+backup+"\n" {
		t.Fatalf("backup: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	if r := keyring(stores[0], "backup", "--out", backup); r.status != 1 || !strings.Contains(r.stderr, "hint: keys are never overwritten") {
		t.Errorf("backup over a backup: got status %d and %q", r.status, r.stderr)
	}
	if r := keyring(stores[0], "restore", backup); r.status != 1 || !strings.Contains(r.stderr, "kith: keyring: the store has a keyring\nhint: ") {
		t.Errorf("restore over a keyring: got status %d and %q", r.status, r.stderr)
	}
	if r := runKith(t, "keyring", "restore", backup, "--redis", stores[1].URL(), "--master-key-file", newKeyFile(t, "4")); r.status != 1 ||
		!strings.Contains(r.stderr, "sealed under another master key") {
		t.Errorf("restore with another master key: got status %d and %q", r.status, r.stderr)
	}
	if r := keyring(stores[1], "restore", backup); r.status != 1 || r.stdout != "" ||
		!strings.Contains(r.stderr, "kith: keyring: the store lacks partitions of epoch 1, which is active in the backup\nhint: restore the data of Redis first") {
		t.Errorf("restore without registrations: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	if r := keyring(stores[1], "restore", backup, "--empty-directory"); r.status != 0 || !strings.HasPrefix(r.stdout, "restored, at generation ") {
		t.Fatalf("restore: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}

	// At the address that the device knows; the first one moves to another.
	address := strings.TrimPrefix(first.url, "http://")
	first.kill()
	second := operatedAt(t, dir, stores[1], "--master-key-file", master, "--listen", address)
	first = operated(t, dir, stores[0], "--master-key-file", master)
	if second.vkey != first.vkey {
		t.Errorf("the restored log has key %s, want %s", second.vkey, first.vkey)
	}
	second.put(t, numbers[1], "here")
	if epoch, found := second.find(t, numbers, "--state", state); epoch != 1 || !slices.Equal(found, numbers[1:2]) {
		t.Errorf("after the restore: epoch %d, found %v, want epoch 1 and what was registered since", epoch, found)
	}
	if got := charged(t, stores[1]); got != 0 {
		t.Errorf("charged %d after the restore, want 0: the device has its elements", got)
	}

	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	verify := func(s *serving) ran {
		return runKith(t, "keylog", "verify", "--server", s.url, "--verifier-key", first.vkey, "--checkpoint", checkpoint)
	}
	first.operate(t, "epoch", "rotate", "--wait")
	if r := verify(first); r.status != 0 || !strings.Contains(r.stdout, "\nverified: 2 entries of ") {
		t.Fatalf("verify: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	seen, err := os.ReadFile(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(second); r.status != 1 || !strings.Contains(r.stderr, "kith: keylog: log has become shorter\nhint: ") {
		t.Errorf("a log that was rolled back: got status %d and %q", r.status, r.stderr)
	}
	second.operate(t, "epoch", "rotate", "--wait")
	r := verify(second)
	if r.status != 1 || !strings.Contains(r.stderr, "kith: keylog: log does not extend what was seen before\nhint: ") {
		t.Errorf("a forked log: got status %d and %q", r.status, r.stderr)
	}
	if now, err := os.ReadFile(checkpoint); err != nil || string(now) != string(seen) {
		t.Errorf("the checkpoint was replaced (%v)", err)
	}
	evidence, err := os.ReadFile(checkpoint + ".conflict.json")
	if err != nil || !strings.Contains(string(evidence), `"checkpoint":"`) {
		t.Errorf("the other log was not kept: %q, %v", evidence, err)
	}
	if r := verify(first); r.status != 0 {
		t.Errorf("the log that was seen first: got status %d and %q", r.status, r.stderr)
	}
}

// TestRestoreOfARemovedEpoch restores a backup that is older than the present epoch: the old one was removed, and only a
// later backup helps.
func TestRestoreOfARemovedEpoch(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	master := newKeyFile(t, "5")
	s := operated(t, t.TempDir(), store, "--master-key-file", master, "--sweep-after", "100ms")
	s.put(t, sampleUser(0), "here")
	on := func(args ...string) ran {
		return runKith(t, append(append([]string{"keyring"}, args...), "--redis", store.URL(), "--master-key-file", master)...)
	}
	old, fresh := filepath.Join(t.TempDir(), "old"), filepath.Join(t.TempDir(), "fresh")
	if r := on("backup", "--out", old); r.status != 0 {
		t.Fatalf("backup: got status %d and %q", r.status, r.stderr)
	}
	s.operate(t, "epoch", "rotate", "--wait", "--window", "0s", "--drain", "0s")
	s.until(t, "the old epoch is retired", func() bool { return s.states(t) == "retired active" })
	if r := on("backup", "--out", fresh); r.status != 0 {
		t.Fatalf("backup: got status %d and %q", r.status, r.stderr)
	}
	rdb := store.Client()
	s.until(t, "the old epoch is removed", func() bool { return len(rdb.Keys(t.Context(), "kith:{e1.p*").Val()) == 0 })
	s.kill()
	rdb.Del(t.Context(), "kith:keyring")
	r := on("restore", old)
	if r.status != 1 || !strings.Contains(r.stderr, "hint: epoch 1 was removed after the copy was made, and epoch 2 is in its place: restore a copy from since then") {
		t.Errorf("restoring the old backup: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	if r := on("restore", fresh); r.status != 0 || !strings.HasPrefix(r.stdout, "restored, at generation ") {
		t.Errorf("restoring the new backup: got status %d and %q", r.status, r.stderr)
	}
	again := operated(t, t.TempDir(), store, "--master-key-file", master)
	if epoch, found := again.find(t, fictional(0, 1)); epoch != 2 || len(found) != 1 {
		t.Errorf("after that: epoch %d, found %v, want 1 in epoch 2", epoch, found)
	}
}

// TestWitnessedLog has a witness sign the log, twice with one key, and a reader ask for its word.
func TestWitnessedLog(t *testing.T) {
	t.Parallel()
	s := operated(t, t.TempDir(), redistest.Start(t, redistest.AppendFsync("no")), "--keylog-origin", "kith.example/keylog")
	if !strings.HasPrefix(s.vkey, "kith.example/keylog+") {
		t.Errorf("got verifier key %s, want one of the origin given", s.vkey)
	}
	if saved, err := os.ReadFile(keyDir(s.dir).path(fileVerifierKey)); err != nil || string(saved) != s.vkey+"\n" {
		t.Errorf("got %q, %v in the folder, want the key that was printed", saved, err)
	}
	witness := t.TempDir()
	cosign := func(more ...string) (line, key string) {
		t.Helper()
		r := runKith(t, append([]string{"keylog", "cosign", "--server", s.url, "--verifier-key", s.vkey, "--key", filepath.Join(witness, "key"),
			"--name", "witness.example", "--checkpoint", filepath.Join(witness, "checkpoint")}, more...)...)
		_, key, ok := strings.Cut(strings.TrimSpace(r.stderr), "the key of this witness is ")
		if r.status != 0 || !ok || !strings.HasPrefix(r.stdout, "— witness.example ") {
			t.Fatalf("cosign: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
		}
		return strings.TrimSpace(r.stdout), key
	}
	verify := func(key string) ran {
		return runKith(t, "keylog", "verify", "--server", s.url, "--verifier-key", s.vkey, "--witness", key, "--quorum", "1")
	}
	line, key := cosign("--first")
	if r := verify(key); r.status != 1 || !strings.Contains(r.stderr, "kith: keylog: too few witnesses have cosigned\nhint: ") {
		t.Errorf("before it is submitted: got status %d and %q", r.status, r.stderr)
	}
	if got := s.operate(t, "keylog", "submit", "--witness-key", key, "--signature", line); got != "cosignature added\n" {
		t.Errorf("submit: got %q", got)
	}
	if r := verify(key); r.status != 0 || !strings.Contains(r.stdout, "\ncosigned by witness.example at ") {
		t.Errorf("after it is submitted: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	s.operate(t, "epoch", "rotate", "--wait")
	if r := runKith(t, "keylog", "submit", "--witness-key", key, "--signature", line, "--admin", s.admin, "--token-file", s.token("operate")); r.status != 1 ||
		!strings.Contains(r.stderr, "(invalid-cosignature)") {
		t.Errorf("the signature of the log as it was: got status %d and %q", r.status, r.stderr)
	}
	line, again := cosign()
	if again != key {
		t.Errorf("the witness has key %s, then %s", key, again)
	}
	s.operate(t, "keylog", "submit", "--witness-key", key, "--signature", line)
	if r := verify(key); r.status != 0 || !strings.Contains(r.stdout, "verified: 2 entries of kith.example/keylog") {
		t.Errorf("after a rotation: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
}
