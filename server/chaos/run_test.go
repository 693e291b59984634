package chaos

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kith-project/kith/server/keyring"
)

// scene is a history under way.
type scene struct {
	*history
	deployment *deployment
	journal    *journal
	watch      *watch
	devices    *devices
	orders     *orderBook
}

// play runs a history up to its end, when every server has stopped and nothing changes any more.
func play(t testing.TB, h *history) *scene {
	t.Helper()
	j := newJournal()
	d := deploy(t, j, "--expected-users", fmt.Sprint(h.users), "--rotation-share", fmt.Sprint(h.share))
	w := &watch{rdb: d.rdb, master: d.master}
	s := &scene{history: h, deployment: d, journal: j, watch: w, devices: newDevices(w, h.numbers), orders: newOrderBook()}
	var wg sync.WaitGroup
	for i, calls := range h.clients {
		wg.Go(func() { s.client(fmt.Sprint("client ", i), calls) })
	}
	for i, orders := range h.operators {
		wg.Go(func() { s.operator(fmt.Sprint("operator ", i), orders) })
	}
	wg.Go(func() { s.breakServers(h.servers) })
	wg.Go(func() { s.breakRedis(h.redis) })
	wg.Wait()
	s.end(t)
	return s
}

func (s *scene) client(name string, calls []call) {
	c := newClient(name, s.deployment, s.devices, s.patience)
	for _, what := range calls {
		time.Sleep(what.after)
		c.make(what)
	}
}

func (s *scene) operator(name string, orders []order) {
	o := newOperator(name, s.deployment, s.orders)
	for _, what := range orders {
		time.Sleep(what.after)
		o.give(what)
	}
}

// breakServers does to servers what the history has for them. Afterwards all of them run.
func (s *scene) breakServers(faults []fault) {
	for _, f := range faults {
		s.wait(f, s.deployment.sent[f.server])
		s.journal.note(serverName(f.server), f.String())
		switch f.kind {
		case killed:
			s.deployment.kill(f.server)
			time.Sleep(f.lasts)
			s.deployment.start(f.server)
		case ended:
			s.deployment.terminate(f.server)
			time.Sleep(f.lasts)
			s.deployment.start(f.server)
		default:
			s.stop(f)
		}
	}
}

// breakRedis does to Redis what the history has for it: it is stopped for a while, or killed and started again on what it
// has written.
func (s *scene) breakRedis(faults []fault) {
	r := s.deployment.redis
	for _, f := range faults {
		s.wait(f, s.deployment.sent[f.server])
		s.journal.note("redis", f.String())
		away, back := r.Kill, r.Restart
		if f.kind == stopped {
			away, back = r.Pause, r.Resume
		}
		away()
		time.Sleep(f.lasts)
		back()
		s.journal.note("redis", "back")
	}
}

// momentTimeout bounds how long a fault waits for its moment.
const momentTimeout = time.Second

// wait returns when it is time for a fault. Something comes from sent when a write is sent to the server.
func (s *scene) wait(f fault, sent <-chan struct{}) {
	if f.moment != anytime {
		s.until(momentTimeout, f.moment.come)
	}
	time.Sleep(f.after)
	if f.midway == 0 {
		return
	}
	select {
	case <-sent:
		time.Sleep(f.midway)
	case <-time.After(momentTimeout):
	}
}

// come reports whether a moment has come.
func (m moment) come(k *keyring.Snapshot) bool {
	e := k.Staged()
	switch {
	case e == nil:
		return false
	case m == isCopied:
		return !e.Copied.IsZero()
	case m == isVerified:
		return !e.Verified.IsZero()
	default:
		return true
	}
}

// until returns when the keyring in Redis is in a state, or after a time.
func (s *scene) until(timeout time.Duration, holds func(*keyring.Snapshot) bool) {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if snapshot, err := s.watch.keyring(); err == nil && holds(snapshot) {
			return
		}
	}
}

// stop stops a server, and continues it after a time or when it has missed what the fault says.
func (s *scene) stop(f fault) {
	before, err := s.watch.keyring()
	p := s.deployment.process(f.server)
	p.signal(syscall.SIGSTOP)
	switch {
	case f.kind == stopped || err != nil:
		time.Sleep(f.lasts)
	case f.kind == absent:
		s.until(f.lasts, func(k *keyring.Snapshot) bool { return k.Active().ID != before.Active().ID })
	case f.kind == zombie:
		s.until(f.lasts, func(k *keyring.Snapshot) bool { return over(k) > over(before) })
	}
	p.signal(syscall.SIGCONT)
	s.journal.note(serverName(f.server), "continued")
}

// over returns how many epochs are over.
func over(snapshot *keyring.Snapshot) int {
	n := 0
	for _, e := range snapshot.Epochs {
		if e.Over() {
			n++
		}
	}
	return n
}
