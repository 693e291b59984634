package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

// importNumber returns the i-th number of a file that is imported: they are valid, and belong to nobody here, since all traffic
// stays on this machine.
func importNumber(i int) string {
	const ofArea = 7_900_000
	return fmt.Sprintf("+1%d%07d", 212+i/ofArea, 2_000_000+i%ofArea)
}

func importLabel(i int) string { return fmt.Sprintf("user-%07d", i) }

// writeImport writes a file of n users and returns its path.
func writeImport(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, "%s,%s\n", importNumber(i), importLabel(i))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// importArgs are those of kith import into the store of a server.
func importArgs(path, dir, redis string, more ...string) []string {
	return append([]string{"import", path, "--redis", redis, "--master-key-file", keyDir(dir).path(fileMasterKey)}, more...)
}

// reader reads a directory as the operator can.
type reader struct {
	keys  *keyring.Keyring
	store *directory.Store
}

func newReader(t testing.TB, rdb redis.UniversalClient, dir string) *reader {
	t.Helper()
	text, err := os.ReadFile(keyDir(dir).path(fileMasterKey))
	if err != nil {
		t.Fatal(err)
	}
	master, err := keyring.ParseMasterKey(string(text))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.Open(context.Background(), rdb, master)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{keys, directory.New(rdb, directory.Config{})}
}

// labels returns the labels of the imported users from one on up to before another, "" for those that are not there, in
// the active epoch.
func (r *reader) labels(t testing.TB, from, to int) []string {
	t.Helper()
	if err := r.keys.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	snapshot, err := r.keys.Current()
	if err != nil {
		t.Fatal(err)
	}
	e := snapshot.Active()
	var labels []string
	for ; from < to; from += 1000 {
		var inputs [][]byte
		for i := from; i < min(from+1000, to); i++ {
			inputs = append(inputs, normalize.Input(importNumber(i)))
		}
		elements, err := e.Key.Evaluate(inputs)
		if err != nil {
			t.Fatal(err)
		}
		tags, keys := make([]crypto.Tag, len(elements)), make([]crypto.LabelKey, len(elements))
		for i, n := range elements {
			tags[i], keys[i] = crypto.Derive(n)
		}
		found, err := r.store.GetAll(context.Background(), e.Layout, tags)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range found {
			label := ""
			if f.Err == nil && f.Record.Format == directory.Visible {
				if label, err = keys[i].Open(tags[i], f.Record.Label); err != nil {
					t.Fatal(err)
				}
			}
			labels = append(labels, label)
		}
	}
	return labels
}

// wantImported checks that the users up to before one have their labels.
func (r *reader) wantImported(t testing.TB, to int) {
	t.Helper()
	missing := 0
	for i, label := range r.labels(t, 0, to) {
		if label != importLabel(i) {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d users are not stored", missing, to)
	}
}

// dumpDirectory returns all that a Redis holds of directories.
func dumpDirectory(t testing.TB, rdb *redis.Client) map[string]string {
	t.Helper()
	ctx := context.Background()
	all := make(map[string]string)
	keys, err := rdb.Keys(ctx, "kith:{e*").Result()
	if err != nil {
		t.Fatal(err)
	}
	pipe := rdb.Pipeline()
	dumps := make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		dumps[i] = pipe.Dump(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		all[key] = dumps[i].Val()
	}
	return all
}

var doneUpTo = regexp.MustCompile(`done up to line (\d+)`)

// TestImportKilled kills imports again and again, each a little later, and Redis once. What an import had said to be done is stored
// whenever it was killed, and in the end everything is; once more changes nothing.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	const users = 24_000
	store := redistest.Start(t)
	s := serve(t, t.TempDir(), "--redis", store.URL(), "--expected-users", strconv.Itoa(users))
	rdb := store.Client()
	r := newReader(t, rdb, s.dir)
	args := importArgs(writeImport(t, users), s.dir, store.URL(), "--say-every", "1ms")
	said := 0
	for round := 0; round < 3; round++ {
		cmd := kith(t, args...)
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stderr)
		for n := 0; lines.Scan(); {
			if found := doneUpTo.FindStringSubmatch(lines.Text()); found != nil {
				said, _ = strconv.Atoi(found[1])
				if n++; n > round {
					break
				}
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if round == 1 {
			store.Restart()
		}
		r.wantImported(t, said)
	}
	if said == 0 {
		t.Error("no import said how far it was")
	}

	want := fmt.Sprintf("%d lines: %d registered\n", users, users)
	if got := output(t, args...); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.wantImported(t, users)
	before := dumpDirectory(t, rdb)
	if got := output(t, args...); got != want {
		t.Errorf("once more: got %q, want %q", got, want)
	}
	if !maps.Equal(before, dumpDirectory(t, rdb)) {
		t.Error("importing once more has changed the directory")
	}
}

// TestImportWaitsForRedis has Redis die and come back under an import, which goes on.
func TestImportWaitsForRedis(t *testing.T) {
	t.Parallel()
	const users = 24_000
	store := redistest.Start(t)
	s := serve(t, t.TempDir(), "--redis", store.URL(), "--expected-users", strconv.Itoa(users))
	cmd := kith(t, importArgs(writeImport(t, users), s.dir, store.URL(), "--say-every", "1ms")...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stdout lockedBuffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	killed := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&log, lines.Text())
		if !killed && doneUpTo.MatchString(lines.Text()) {
			killed = true
			store.Kill()
			time.Sleep(300 * time.Millisecond)
			store.Restart()
		}
	}
	if err := cmd.Wait(); err != nil || !killed {
		t.Fatalf("got %v, killed %t:\n%s", err, killed, log.String())
	}
	if want := fmt.Sprintf("%d lines: %d registered\n", users, users); stdout.String() != want {
		t.Errorf("got %q, want %q", stdout.String(), want)
	}
	newReader(t, store.Client(), s.dir).wantImported(t, users)
}

// TestImportBesideDamage damages one record in Redis and imports again: the line of that number is named, and passed over if wanted,
// and the number is not in what is said.
func TestImportBesideDamage(t *testing.T) {
	t.Parallel()
	const users = 2000
	store := redistest.Start(t)
	s := serve(t, t.TempDir(), "--redis", store.URL())
	args := importArgs(writeImport(t, users), s.dir, store.URL())
	output(t, args...)
	ctx, rdb := context.Background(), store.Client()
	buckets, err := rdb.Keys(ctx, "kith:{e1.p*}:b*").Result()
	if err != nil || len(buckets) == 0 {
		t.Fatalf("got %d buckets, %v", len(buckets), err)
	}
	fields, err := rdb.HKeys(ctx, buckets[0]).Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := rdb.HSet(ctx, buckets[0], fields[0], "x").Err(); err != nil {
		t.Fatal(err)
	}

	r := runKith(t, args...)
	named := regexp.MustCompile(`(?m)^kith: line \d+: What is stored of this number is damaged.* \(damaged-record\)\nhint: repair the record`)
	if r.status != 1 || !named.MatchString(r.stderr) || strings.Contains(r.stderr, "+1212") {
		t.Errorf("got status %d and %q", r.status, r.stderr)
	}
	want := fmt.Sprintf("%d lines: %d registered, 1 passed over (damaged-record 1)\n", users, users-1)
	if got := output(t, append(args, "--skip-bad")...); got != want {
		t.Errorf("--skip-bad: got %q, want %q", got, want)
	}
}

// TestImportUnderRotation imports while the key is rotated: everyone is in the new epoch, by the audit of the move and by
// reading them all.
func TestImportUnderRotation(t *testing.T) {
	t.Parallel()
	const users = 8_000
	store := redistest.Start(t, redistest.AppendFsync("no"))
	s := operated(t, t.TempDir(), store)
	path := writeImport(t, users)
	first := filepath.Join(t.TempDir(), "first.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first, text[:len(text)/4], 0o600); err != nil {
		t.Fatal(err)
	}
	const asOf = "2026-01-01T00:00:00Z"
	output(t, importArgs(first, s.dir, store.URL(), "--as-of", asOf)...)
	rotated := make(chan ran, 1)
	go func() {
		rotated <- runKith(t, "epoch", "rotate", "--wait", "--window", "0s", "--drain", "1h", "--admin", s.admin, "--token-file", s.token("operate"))
	}()
	var last string
	for ended := false; !ended; {
		select {
		case r := <-rotated:
			if r.status != 0 || r.stdout != "epoch 2 is active\n" {
				t.Errorf("rotate: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
			}
			ended = true
		default:
		}
		last = output(t, importArgs(path, s.dir, store.URL(), "--writers", "2", "--as-of", asOf)...)
	}
	if want := fmt.Sprintf("%d lines: %d registered\n", users, users); last != want {
		t.Errorf("got %q, want %q", last, want)
	}
	newReader(t, store.Client(), s.dir).wantImported(t, users)
	s.until(t, "settled", func() bool {
		return !strings.Contains(s.operate(t, "epoch", "status"), "settl")
	})
	r := runKith(t, "epoch", "audit", "2", "--redis", store.URL(), "--master-key-file", keyDir(s.dir).path(fileMasterKey))
	if r.status != 0 || strings.Contains(r.stdout, "WRONG") {
		t.Errorf("audit: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	if epoch, found := s.find(t, []string{importNumber(0), importNumber(users - 1), importNumber(users)}); epoch != 2 || len(found) != 2 {
		t.Errorf("found %d in epoch %d, want 2 in epoch 2", len(found), epoch)
	}
}
