package chaos

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

const (
	// servers is how many servers a deployment has.
	servers = 2
	// lease is how long a server that has stopped keeps others from its part of a rotation. A worker renews it after a third,
	// pauses for up to 250 ms, and waits for Redis, for some 100 ms on a busy machine.
	lease = 600 * time.Millisecond
	// secondSweep is longer than a server is stopped, for what it does of an epoch that has ended meanwhile.
	secondSweep = 1200 * time.Millisecond
	// startTimeout bounds the start of a server, Redis being away for a part of it; it is not a speed that is expected.
	startTimeout = time.Minute
)

// deployment is a Redis with servers on it.
type deployment struct {
	t       testing.TB
	journal *journal
	redis   *redistest.Server
	rdb     *redis.Client
	master  keyring.MasterKey
	flags   []string // of kith serve, beside those that are the same in every history
	slots   [servers]slot
	// sent passes something on when a write is about to be sent to a server, if somebody waits for it.
	sent [servers]chan struct{}
}

// slot is the place of a server: one process after another.
type slot struct {
	dir string // its token key and tokens

	mu      sync.Mutex
	running *process // the last one that was started
	all     []*process
}

// deploy starts Redis and the servers, which make the keyring together.
func deploy(t testing.TB, j *journal, flags ...string) *deployment {
	t.Helper()
	d := &deployment{t: t, journal: j, redis: redistest.Start(t), flags: flags}
	o := d.redis.Options()
	o.MaxRetries = -1
	d.rdb = redis.NewClient(o)
	t.Cleanup(func() { _ = d.rdb.Close() })
	var err error
	if d.master, err = keyring.NewMasterKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.killAll)
	var wg sync.WaitGroup
	for i := range d.slots {
		d.sent[i] = make(chan struct{})
		d.slots[i].dir = filepath.Join(t.TempDir(), fmt.Sprint("server", i))
		wg.Go(func() { d.start(i) })
	}
	wg.Wait()
	for i := range d.slots {
		if d.process(i) == nil {
			t.FailNow()
		}
	}
	return d
}

// start starts a server, again and again while it does not start, as a supervisor does: Redis may be away.
func (d *deployment) start(server int) {
	s := &d.slots[server]
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(50 * time.Millisecond) {
		p, err := startProcess(append(os.Environ(), "KITH_REDIS="+d.redis.URL(), "KITH_MASTER_KEY="+d.master.Text()),
			slices.Concat(d.flags, []string{"--dir", s.dir, "--rotation-lease", lease.String(), "--sweep-after", "300ms", "--second-sweep", secondSweep.String()})...)
		if err == nil {
			s.mu.Lock()
			s.running, s.all = p, append(s.all, p)
			s.mu.Unlock()
			go p.end(d.journal.now)
			d.journal.note(serverName(server), "started")
			return
		}
		if time.Now().After(deadline) {
			d.t.Errorf("server %d: %v", server, err)
			return
		}
	}
}

// process returns the process that was last started in a slot.
func (d *deployment) process(server int) *process {
	s := &d.slots[server]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// kill ends a server as kill -9 does.
func (d *deployment) kill(server int) {
	p := d.process(server)
	p.signal(syscall.SIGKILL)
	p.end(d.journal.now)
	d.journal.note(serverName(server), "killed")
}

// terminate tells a server to stop and waits until it has answered what was under way.
func (d *deployment) terminate(server int) {
	p := d.process(server)
	p.signal(syscall.SIGTERM)
	p.end(d.journal.now)
	d.journal.note(serverName(server), "terminated")
}

// killAll ends every server that runs.
func (d *deployment) killAll() {
	for i := range d.slots {
		s := &d.slots[i]
		s.mu.Lock()
		for _, p := range s.all {
			p.signal(syscall.SIGKILL)
			<-p.dead
		}
		s.mu.Unlock()
	}
}

// token returns one of the trial tokens of a server.
func (d *deployment) token(server int, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(d.slots[server].dir, name+".token"))
	return string(text), err
}

func serverName(server int) string { return fmt.Sprintf("server %d", server) }
