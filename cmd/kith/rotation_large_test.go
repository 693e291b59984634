//go:build large

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

const (
	// rotationUsers may name another number of users for the tests of this file.
	rotationUsers = "KITH_ROTATION_USERS"
	// rotationShare may name another share for a rotation than the default. Both servers are on one machine, of which they
	// then take twice their share.
	rotationShare = "KITH_ROTATION_SHARE"
)

// TestRotateAMillion rotates the key of a million users on two servers under constant lookups, evaluations and
// registrations, none of which may fail or be answered wrongly, and says what that took:
//
//	make rotation-1m
func TestRotateAMillion(t *testing.T) {
	r := newLargeRig(t, 1_000_000)
	load := r.startLoad(t)
	time.Sleep(15 * time.Second)
	load.take() // with what beginning costs
	idle := r.idleCPU(t)
	t.Logf("before: %s, Redis %d MB", load.take(), r.memory(t)>>20)

	cpu, started := r.cpu(t), time.Now()
	r.begin(t)
	phases := r.follow(t, func(phase string) {
		t.Logf("%6.1f s  %-8s %s, Redis %d MB", time.Since(started).Seconds(), phase, load.take(), r.memory(t)>>20)
	})
	took := time.Since(started)
	during := load.total()
	used := r.cpu(t) - cpu - time.Duration(idle*float64(took))
	load.stop()
	t.Logf("rotated %d users in %.0f s, phases %v; %.0f s of CPU beyond the load's: %.0f users/s a core", r.users, took.Seconds(),
		phases, used.Seconds(), float64(r.users)/used.Seconds())
	t.Logf("%s", during)
	load.check(t)
	r.checkAll(t)
}

// TestRotateKilled kills a server at each step of a rotation, under the same load, whose requests go to the other server
// then, as a balancer would send them.
func TestRotateKilled(t *testing.T) {
	r := newLargeRig(t, 50_000)
	load := r.startLoad(t)
	r.begin(t)
	killed := map[string]bool{}
	r.follow(t, func(phase string) {
		if killed[phase] {
			return
		}
		killed[phase] = true
		victim := len(killed) % 2
		r.restart(t, victim)
		t.Logf("killed server %d in phase %s", victim, phase)
	})
	load.stop()
	for _, phase := range []string{"copy", "verify", "settle"} {
		if !killed[phase] {
			t.Logf("phase %s was too short to be seen", phase)
		}
	}
	t.Logf("%s", load.total())
	load.check(t)
	r.checkAll(t)
}

// largeRig is two servers on one Redis.
type largeRig struct {
	users   int
	redis   *redistest.Server
	rdb     *redis.Client
	dir     string
	servers [2]*serving
	admins  [2]string
	mu      sync.Mutex // guards servers, which are restarted under load
	keys    *keyring.Keyring
	store   *directory.Store
}

// largeNumber returns the i-th number of the rig: they are valid, and belong to nobody here, since all traffic stays on this
// machine.
func largeNumber(i int) string { return fmt.Sprintf("+1212%07d", 2_000_000+i) }

func newLargeRig(t *testing.T, users int) *largeRig {
	t.Helper()
	if text := os.Getenv(rotationUsers); text != "" {
		var err error
		if users, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", rotationUsers, err)
		}
	}
	r := &largeRig{users: users, redis: redistest.Start(t, redistest.AppendFsync("everysec"), redistest.Config("maxmemory", "8gb")), dir: t.TempDir()}
	r.rdb = r.redis.Client()
	r.start(t, 0)
	text, err := os.ReadFile(keyDir(r.dir).path(fileMasterKey))
	if err != nil {
		t.Fatal(err)
	}
	master, err := keyring.ParseMasterKey(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if r.keys, err = keyring.Open(context.Background(), r.rdb, master); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go r.keys.Follow(ctx)
	r.store = directory.New(r.rdb, directory.Config{})
	began := time.Now()
	r.fill(t)
	t.Logf("%d users registered in %.0f s", users, time.Since(began).Seconds())
	r.start(t, 1)
	return r
}

// start starts one of the servers.
func (r *largeRig) start(t *testing.T, i int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	_ = l.Close()
	s := serve(t, r.dir, "--redis", r.redis.URL(), "--admin", admin, "--expected-users", strconv.Itoa(r.users),
		"--burst", strconv.Itoa(comparedBurst), "--refill-per-day", strconv.Itoa(comparedBurst), // the load is of one account
		"--rotation-share", cmp.Or(os.Getenv(rotationShare), "0.25"))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers[i], r.admins[i] = s, "http://"+admin
}

// restart kills one of the servers and starts it again.
func (r *largeRig) restart(t *testing.T, i int) {
	t.Helper()
	r.server(i).kill()
	r.start(t, i)
}

func (r *largeRig) server(i int) *serving {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.servers[i]
}

// fill registers the users without a server, which would take minutes longer.
func (r *largeRig) fill(t *testing.T) {
	t.Helper()
	snapshot, err := r.keys.Current()
	if err != nil {
		t.Fatal(err)
	}
	epoch := snapshot.Active()
	const batch = 8192
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for first := w * batch; first < r.users; first += workers * batch {
				writes := make([]directory.Write, 0, batch)
				for i := first; i < min(first+batch, r.users); i++ {
					n, err := epoch.Key.Evaluate([][]byte{normalize.Input(largeNumber(i))})
					if err != nil {
						t.Error(err)
						return
					}
					tag, key := crypto.Derive(n[0])
					write := directory.Write{Tag: tag, Format: directory.Visible, Version: 1, Wrapped: epoch.Storage.Wrap(tag, n[0])}
					if write.Label, err = key.Seal(rand.Reader, tag, largeLabel(i)); err != nil {
						t.Error(err)
						return
					}
					writes = append(writes, write)
				}
				if _, err := r.store.Apply(context.Background(), epoch.Layout, snapshot.Generation, writes); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func largeLabel(i int) string { return fmt.Sprintf("user-%07d", i) }

// operate sends a request to the admin listener of one of the servers.
func (r *largeRig) operate(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	token, err := readToken(r.server(0).token("operate"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	for attempt := 0; ; attempt++ {
		r.mu.Lock()
		admin := r.admins[attempt%2]
		r.mu.Unlock()
		request, err := http.NewRequest(method, admin+path, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err == nil && answer.StatusCode < 500 {
			defer func() { _ = answer.Body.Close() }()
			var b bytes.Buffer
			_, _ = b.ReadFrom(answer.Body)
			if answer.StatusCode >= 300 {
				t.Fatalf("%s %s: %s\n%s", method, path, answer.Status, b.String())
			}
			return b.Bytes()
		}
		if attempt > 100 {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// begin begins a rotation that goes on by itself and whose old epoch drains for 20 seconds.
func (r *largeRig) begin(t *testing.T) {
	t.Helper()
	r.operate(t, http.MethodPost, "/v1/epochs", map[string]any{"auto": true, "window_seconds": 5, "drain_seconds": 20})
}

// follow follows a rotation until the old epoch is retired, and returns how long each phase was seen. It tells report of the phase every
// few seconds, and when it changes.
func (r *largeRig) follow(t *testing.T, report func(phase string)) map[string]time.Duration {
	t.Helper()
	phases := map[string]time.Duration{}
	last, reported := time.Now(), time.Time{}
	previous := ""
	for deadline := time.Now().Add(40 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var status struct {
			Epochs []struct {
				ID       uint32 `json:"id"`
				State    string `json:"state"`
				Rotation *struct {
					Phase string `json:"phase"`
				} `json:"rotation"`
			} `json:"epochs"`
		}
		if err := json.Unmarshal(r.operate(t, http.MethodGet, "/v1/epochs", nil), &status); err != nil {
			t.Fatal(err)
		}
		phase, retired := "", false
		for _, e := range status.Epochs {
			if e.ID == 2 && e.Rotation != nil {
				phase = e.Rotation.Phase
			}
			retired = retired || e.ID == 1 && e.State == "retired"
		}
		phases[phase] += time.Since(last)
		last = time.Now()
		if phase != previous || time.Since(reported) > 15*time.Second {
			previous, reported = phase, time.Now()
			report(phase)
		}
		if retired {
			return phases
		}
	}
	t.Fatal("the rotation did not end in 40 minutes")
	return nil
}

// cpu returns the CPU time that the servers have used.
func (r *largeRig) cpu(t *testing.T) time.Duration {
	t.Helper()
	total := time.Duration(0)
	for i := range r.servers {
		total += processCPU(t, r.server(i).cmd.Process.Pid)
	}
	return total
}

// idleCPU returns how many cores the servers use for the load alone, measured over half a minute.
func (r *largeRig) idleCPU(t *testing.T) float64 {
	t.Helper()
	cpu, began := r.cpu(t), time.Now()
	time.Sleep(30 * time.Second)
	return float64(r.cpu(t)-cpu) / float64(time.Since(began))
}

// memory returns how many bytes Redis uses.
func (r *largeRig) memory(t *testing.T) int64 {
	t.Helper()
	text, err := r.rdb.Info(context.Background(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(text, "used_memory:")
	line, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// processCPU reads the user and system time of a process: fields 14 and 15 of proc_pid_stat(5).
func processCPU(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err := cmp.Or(err1, err2); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100 // in clock ticks, of which Linux shows 100 a second
}

// checkAll reads the new epoch and wants exactly the users in it, each with its own label, and nothing of the old one.
func (r *largeRig) checkAll(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	if err := r.keys.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	snapshot, err := r.keys.Current()
	if err != nil {
		t.Fatal(err)
	}
	epoch := snapshot.Active()
	counts, err := r.store.Count(ctx, epoch.Layout)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("epoch %d: %+v", epoch.ID, counts)
	if got := int(counts.Visible); got < r.users {
		t.Errorf("epoch %d has %d visible users, want at least %d", epoch.ID, got, r.users)
	}
	for i := 0; i < r.users; i += max(1, r.users/5000) {
		n, err := epoch.Key.Evaluate([][]byte{normalize.Input(largeNumber(i))})
		if err != nil {
			t.Fatal(err)
		}
		tag, key := crypto.Derive(n[0])
		record, _, err := r.store.Get(ctx, epoch.Layout, tag)
		if err != nil {
			t.Fatalf("user %d: %v", i, err)
		}
		if label, err := key.Open(tag, record.Label); err != nil || label != largeLabel(i) {
			t.Fatalf("user %d has the label %q, %v", i, label, err)
		}
	}
}
