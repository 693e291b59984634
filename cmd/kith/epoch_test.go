package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/server/redistest"
)

// ran is how a command ended.
type ran struct {
	stdout, stderr string
	status         int
}

// runKith runs kith to its end, whatever that is.
func runKith(t testing.TB, args ...string) ran {
	t.Helper()
	cmd := kith(t, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return ran{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// operated starts kith serve with an admin address on a Redis. What it answers is held to the API document.
func operated(t testing.TB, dir string, store *redistest.Server, more ...string) *serving {
	t.Helper()
	s := operatedAt(t, dir, store, more...)
	s.url, s.admin = through(t, s.url), through(t, s.admin)
	return s
}

// operatedAt is operated with nothing between it and its clients, for those that know it by its own address.
func operatedAt(t testing.TB, dir string, store *redistest.Server, more ...string) *serving {
	t.Helper()
	return serve(t, dir, append([]string{"--redis", store.URL(), "--admin", "127.0.0.1:0", "--expected-users", "1000"}, more...)...)
}

// operate runs kith epoch or another command for operators, and returns its standard output.
func (s *serving) operate(t testing.TB, args ...string) string {
	t.Helper()
	return output(t, append(args, "--admin", s.admin, "--token-file", s.token("operate"))...)
}

// status returns how the epochs stand.
func (s *serving) status(t testing.TB) epochsStatus {
	t.Helper()
	var status epochsStatus
	if err := json.Unmarshal([]byte(s.operate(t, "epoch", "status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	return status
}

// states returns the states of epochs 1, 2, ...
func (s *serving) states(t testing.TB) string {
	t.Helper()
	var states []string
	for _, e := range s.status(t).Epochs {
		states = append(states, e.State)
	}
	return strings.Join(states, " ")
}

// until waits for something to hold.
func (s *serving) until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute; the log:\n%s", what, s.log)
		}
	}
}

// find discovers and returns the epoch and the numbers that were found.
func (s *serving) find(t testing.TB, numbers []string, more ...string) (epoch uint32, found []string) {
	t.Helper()
	r := decodeResult(t, output(t, append([]string{"discover", writeCSV(t, numbers), "--server", s.url, "--token-file", s.token("discover"),
		"--region", "US", "--json"}, more...)...))
	for _, m := range r.Matches {
		found = append(found, m.Number)
	}
	return r.Epoch, found
}

// TestRotateUnderRegistrations rotates while numbers are registered: a device finds everyone before and after, with the same
// state and in every mode, and is charged once for each number in each epoch.
func TestRotateUnderRegistrations(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	s := operated(t, t.TempDir(), store)
	numbers := fictional(0, 40)
	s.putMany(t, numbers[:20], func(string) string { return "before" })
	state := filepath.Join(t.TempDir(), "state")
	if epoch, found := s.find(t, numbers, "--state", state); epoch != 1 || !slices.Equal(found, numbers[:20]) {
		t.Fatalf("before: epoch %d, found %d, want epoch 1 and 20", epoch, len(found))
	}

	var registering sync.WaitGroup
	registering.Go(func() {
		for _, number := range numbers[20:30] {
			s.put(t, number, "meanwhile")
			time.Sleep(40 * time.Millisecond)
		}
	})
	r := runKith(t, "epoch", "rotate", "--wait", "--window", "0s", "--drain", "1h", "--admin", s.admin, "--token-file", s.token("operate"))
	registering.Wait()
	if r.status != 0 || r.stdout != "epoch 2 is active\n" || !strings.Contains(r.stderr, "kith: epoch 2 is staged\n") {
		t.Errorf("rotate --wait: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	if got := s.states(t); got != "draining active" {
		t.Errorf("got epochs %s, want draining and active", got)
	}
	for _, mode := range []string{"exact", "bucket"} {
		if epoch, found := s.find(t, numbers, "--state", state, "--mode", mode); epoch != 2 || !slices.Equal(found, numbers[:30]) {
			t.Errorf("after, mode %s: epoch %d, found %d, want epoch 2 and 30", mode, epoch, len(found))
		}
	}
	account := store.Client().Keys(t.Context(), "kith:{a*}:account").Val()
	if charged := fmt.Sprint(store.Client().HMGet(t.Context(), account[0], "e1", "e2").Val()); charged != "[40 40]" {
		t.Errorf("charged %s in epochs 1 and 2, want each number once in each", charged)
	}
	if r := runKith(t, "epoch", "audit", "2", "--redis", store.URL(), "--master-key-file", keyDir(s.dir).path(fileMasterKey),
		"--server", s.url, "--verifier-key", s.vkey); r.status != 0 || !strings.HasPrefix(r.stdout, "epoch 2, from epoch 1: ") || strings.Contains(r.stdout, "WRONG") {
		t.Errorf("audit: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	s.until(t, "the log tells of the rotation", func() bool {
		log := s.log.String()
		return strings.Contains(log, "action=rotate outcome=done") && strings.Contains(log, "msg=epoch epoch=2 state=active")
	})
}

// TestStatusJSON holds the names of kith epoch status --json, which is one object.
func TestStatusJSON(t *testing.T) {
	t.Parallel()
	s := operated(t, t.TempDir(), redistest.Start(t, redistest.AppendFsync("no")))
	s.put(t, sampleUser(1), "here")
	s.operate(t, "epoch", "rotate", "--manual", "--wait")
	var status struct {
		Generation uint64                       `json:"generation"`
		KeyCeiling int64                        `json:"key_ceiling"`
		Epochs     []map[string]json.RawMessage `json:"epochs"`
	}
	text := s.operate(t, "epoch", "status", "--json")
	if err := json.Unmarshal([]byte(text), &status); err != nil || strings.Count(text, "\n") != 1 {
		t.Fatalf("not one line of JSON (%v): %s", err, text)
	}
	if status.Generation == 0 || status.KeyCeiling != 1<<40 || len(status.Epochs) != 2 {
		t.Fatalf("got %s", text)
	}
	for _, name := range []string{"id", "state", "public_key", "created", "bucket_bits", "slots", "users", "evaluations", "rotation"} {
		if status.Epochs[1][name] == nil {
			t.Errorf("epoch 2 has no %s: %s", name, text)
		}
	}
	var rotation map[string]json.RawMessage
	if err := json.Unmarshal(status.Epochs[1]["rotation"], &rotation); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"phase", "items", "items_done", "records", "records_done", "records_per_second", "repaired",
		"unreadable", "accepted", "auto", "started", "eta_seconds"} {
		if rotation[name] == nil {
			t.Errorf("the rotation has no %s: %s", name, text)
		}
	}
	if got := string(rotation["phase"]); got != `"ready"` {
		t.Errorf("got phase %s, want ready", got)
	}
	for _, command := range []string{"status", "list"} {
		if table := s.operate(t, "epoch", command); !strings.Contains(table, "active  1 ") || !strings.Contains(table, "staged  1 ") {
			t.Errorf("epoch %s: got\n%s", command, table)
		}
	}
}

// TestRotateByHand has two operators begin a rotation at once, by two servers: the second joins. Then each step is given by
// hand, and one that does not lead anywhere is refused.
func TestRotateByHand(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	dir := t.TempDir()
	servers := []*serving{operated(t, dir, store)}
	servers = append(servers, operated(t, dir, store))
	servers[0].put(t, sampleUser(1), "here")

	results := make([]ran, len(servers))
	var rotating sync.WaitGroup
	for i, s := range servers {
		rotating.Go(func() {
			results[i] = runKith(t, "epoch", "rotate", "--manual", "--wait", "--admin", s.admin, "--token-file", s.token("operate"))
		})
	}
	rotating.Wait()
	joined := 0
	for _, r := range results {
		if r.status != 0 || r.stdout != "epoch 2 is verified\n" {
			t.Errorf("rotate --manual --wait: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
		}
		joined += strings.Count(r.stderr, "joined the rotation to epoch 2")
	}
	if joined != 1 {
		t.Errorf("%d operators joined, want 1", joined)
	}
	s := servers[1]
	if got := s.states(t); got != "active staged" {
		t.Errorf("got epochs %s, want active and staged", got)
	}
	refused := func(want string, args ...string) {
		t.Helper()
		r := runKith(t, append(args, "--admin", s.admin, "--token-file", s.token("operate"))...)
		if r.status != 1 || !strings.Contains(r.stderr, "("+want+")") || !strings.Contains(r.stderr, "\nhint: ") {
			t.Errorf("kith %s: got status %d and %q, want it refused as %s with a hint", strings.Join(args, " "), r.status, r.stderr, want)
		}
	}
	refused("wrong-state", "epoch", "retire", "1")
	refused("wrong-state", "epoch", "abort", "1")
	refused("unknown-epoch", "epoch", "activate", "3")
	if got := s.operate(t, "epoch", "activate", "2"); got != "epoch 2 is active\n" {
		t.Errorf("activate: got %q", got)
	}
	refused("wrong-state", "epoch", "abort", "2")
	retire := func() ran {
		return runKith(t, "epoch", "retire", "1", "--admin", s.admin, "--token-file", s.token("operate"))
	}
	r := retire()
	for deadline := time.Now().Add(time.Minute); strings.Contains(r.stderr, "(not-settled)") && time.Now().Before(deadline); r = retire() {
		time.Sleep(50 * time.Millisecond)
	}
	if r.stdout != "epoch 1 is retired, its key destroyed\n" {
		t.Errorf("retire: got %q and %q on standard error", r.stdout, r.stderr)
	}
	if got := s.states(t); got != "retired active" {
		t.Errorf("got epochs %s, want retired and active", got)
	}
	if epoch, found := s.find(t, fictional(0, 3)); epoch != 2 || len(found) != 1 {
		t.Errorf("epoch %d, found %v, want 1 in epoch 2", epoch, found)
	}
}

// TestOperateWithoutRedis has an operator ask while Redis is away and the server still has the keyring: that is no mistake of
// the server.
func TestOperateWithoutRedis(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	s := operated(t, t.TempDir(), store)
	s.operate(t, "epoch", "rotate", "--manual", "--wait")
	store.Kill()
	for _, args := range [][]string{{"epoch", "status"}, {"epoch", "activate", "2"}, {"epoch", "rotate"}} {
		r := runKith(t, append(args, "--admin", s.admin, "--token-file", s.token("operate"))...)
		if r.status != 1 || !strings.Contains(r.stderr, "(unavailable)") {
			t.Errorf("kith %s: got status %d and %q, want it refused as unavailable", strings.Join(args, " "), r.status, r.stderr)
		}
	}
}

// TestAbortedRotation aborts, and rotates once more: the old epoch stays as it was, for devices too, and the log says what
// happened.
func TestAbortedRotation(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	s := operated(t, t.TempDir(), store)
	numbers := fictional(0, 6)
	s.putMany(t, numbers[:3], func(string) string { return "here" })
	state := filepath.Join(t.TempDir(), "state")
	s.find(t, numbers, "--state", state)
	s.operate(t, "epoch", "rotate", "--manual", "--wait")
	for range 2 { // the second time it is done already
		if got := s.operate(t, "epoch", "abort", "2"); got != "epoch 2 is aborted, its key destroyed\n" {
			t.Errorf("abort: got %q", got)
		}
	}
	s.put(t, numbers[3], "here")
	if epoch, found := s.find(t, numbers, "--state", state, "--mode", "exact"); epoch != 1 || !slices.Equal(found, numbers[:4]) {
		t.Errorf("after the abort: epoch %d, found %d, want epoch 1 and 4", epoch, len(found))
	}
	if got := charged(t, store); got != len(numbers) {
		t.Errorf("charged %d, want %d: the abort costs devices nothing", got, len(numbers))
	}
	if got := s.operate(t, "epoch", "rotate", "--wait"); got != "epoch 3 is active\n" {
		t.Errorf("rotate: got %q", got)
	}
	if got := s.states(t); got != "draining aborted active" {
		t.Errorf("got epochs %s", got)
	}
	shown := output(t, "keylog", "show", "--server", s.url)
	for _, line := range []string{"1      epoch    ", "2      epoch    ", "2      aborted  ", "3      epoch    "} {
		if !strings.Contains(shown, "\n"+line) {
			t.Errorf("the log lacks %q:\n%s", line, shown)
		}
	}
}

// TestUnreadableRegistration damages a registration in the store: a rotation stops before its end and says what to do, and
// goes on once the operator has given that registration up.
func TestUnreadableRegistration(t *testing.T) {
	t.Parallel()
	store := redistest.Start(t, redistest.AppendFsync("no"))
	s := operated(t, t.TempDir(), store)
	numbers := fictional(0, 4)
	s.putMany(t, numbers, func(string) string { return "here" })
	rdb, ctx := store.Client(), t.Context()
	bucket := rdb.Keys(ctx, "kith:{e1.p*}:b*").Val()[0]
	tag := rdb.HKeys(ctx, bucket).Val()[0]
	value := []byte(rdb.HGet(ctx, bucket, tag).Val())
	value[20] ^= 1 // of the wrapped element
	if err := rdb.HSet(ctx, bucket, tag, value).Err(); err != nil {
		t.Fatal(err)
	}

	r := runKith(t, "epoch", "rotate", "--wait", "--window", "0s", "--admin", s.admin, "--token-file", s.token("operate"))
	want := "kith: 1 registration can not be read, so that epoch 2 does not become active by itself\n" +
		"hint: kith epoch activate 2 --accept-loss 1 gives up what can not be read, kith epoch abort 2 stays with epoch 1\n"
	if r.status != 1 || !strings.HasSuffix(r.stderr, want) {
		t.Fatalf("rotate --wait: got status %d and %q, want it to end with %q", r.status, r.stderr, want)
	}
	r = runKith(t, "epoch", "activate", "2", "--admin", s.admin, "--token-file", s.token("operate"))
	if r.status != 1 || !strings.Contains(r.stderr, "(not-verified)") || !strings.Contains(r.stderr, "--accept-loss N gives them up") {
		t.Errorf("activate: got status %d and %q", r.status, r.stderr)
	}
	r = runKith(t, "epoch", "status", "--admin", s.admin, "--token-file", s.token("operate"))
	if !strings.Contains(r.stderr, "kith: warning: 1 registration can not be read") {
		t.Errorf("status: got %q on standard error", r.stderr)
	}
	if got := s.operate(t, "epoch", "activate", "2", "--accept-loss", "1"); got != "epoch 2 is active\n" {
		t.Errorf("activate --accept-loss 1: got %q", got)
	}
	if epoch, found := s.find(t, numbers); epoch != 2 || len(found) != 3 {
		t.Errorf("found %d in epoch %d, want 3 in epoch 2", len(found), epoch)
	}
}

// TestKeyCeiling evaluates as many elements as a key may: status, metrics and log ask for a rotation, and nothing is refused.
func TestKeyCeiling(t *testing.T) {
	t.Parallel()
	s := operated(t, t.TempDir(), redistest.Start(t, redistest.AppendFsync("no")), "--key-ceiling", "8")
	s.put(t, sampleUser(0), "here")
	warned := func() string {
		return runKith(t, "epoch", "status", "--admin", s.admin, "--token-file", s.token("operate")).stderr
	}
	s.find(t, fictional(0, 5))
	if got := warned(); got != "" {
		t.Errorf("at 5 of 8: got %q, want no warning", got)
	}
	s.find(t, fictional(5, 1))
	if got := warned(); !strings.Contains(got, "the key of epoch 1 has evaluated 6 elements, more than three quarters of its ceiling of 8") {
		t.Errorf("at 6 of 8: got %q", got)
	}
	s.until(t, "a warning in the log", func() bool { return strings.Contains(s.log.String(), "three quarters of its ceiling") })
	if _, found := s.find(t, fictional(0, 5)); len(found) != 1 {
		t.Errorf("above the ceiling: found %d, want 1", len(found))
	}
	s.until(t, "another warning in the log", func() bool { return strings.Contains(s.log.String(), "over its ceiling") })
	text := s.metrics(t)
	for _, line := range []string{`kith_key_evaluations{epoch="1"} 11`, `kith_key_ceiling{epoch="1"} 8`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}
