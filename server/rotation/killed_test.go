package rotation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

var errKilled = errors.New("killed")

// killer ends a server at one of its requests to Redis, as SIGKILL does: nothing that it would have sent after that is
// sent, and whether the request itself arrived is the test's choice. It is a hook of the server's client.
type killer struct {
	requests atomic.Int64
	at       int64 // the request at which the server ends, from 1; 0 for never
	arrives  bool
	dead     atomic.Bool
}

func (k *killer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (k *killer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := k.request(func() error { return next(ctx, cmd) })
		if errors.Is(err, errKilled) {
			cmd.SetErr(err)
		}
		return err
	}
}

func (k *killer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := k.request(func() error { return next(ctx, cmds) })
		if errors.Is(err, errKilled) {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

// request makes a request, unless the server is dead or dies with it.
func (k *killer) request(send func() error) error {
	if k.dead.Load() {
		return errKilled
	}
	if k.requests.Add(1) != k.at {
		return send()
	}
	k.dead.Store(true)
	if k.arrives {
		_ = send()
	}
	return errKilled
}

// mortal adds a server that a killer ends.
func (r *rig) mortal(redis *redistest.Server, k *killer) *server {
	r.t.Helper()
	client := redis.Client()
	s := r.serverOn(client, nil)
	client.AddHook(k) // not before the keyring was opened
	return s
}

// live has a server go on until an epoch is in a phase, or the server is dead.
func (s *server) live(k *killer, id uint32, phase Phase) {
	s.t.Helper()
	for range 10_000 {
		if s.keys.Reload(context.Background()) == nil {
			if snapshot, err := s.keys.Current(); err == nil && phaseOf(snapshot.Epoch(id)) == phase {
				return
			}
		}
		worked, _ := s.step(context.Background())
		if k.dead.Load() {
			return
		}
		if !worked {
			time.Sleep(time.Millisecond)
		}
	}
	s.t.Fatalf("epoch %d does not get to %q", id, phase)
}

// TestKilledServersAreResumed kills a server at requests all through a rotation, from its first to the second removal of
// the old epoch, both before the request arrives and after. Another server goes on, and all ends as if nothing had been.
func TestKilledServersAreResumed(t *testing.T) {
	const kills, numbers = 16, 6
	redis := redistest.Start(t, redistest.AppendFsync("no"))
	r := newRigOn(t, redis.Client())
	first := r.server(nil)
	first.put(0, numbers-2, 5)
	first.hide(0, 6)
	first.delete(numbers-2, 7)

	// A rotation that nobody disturbs tells how many requests there are. Then each epoch is the old one of the next.
	counter := new(killer)
	total := r.rotateKilled(redis, counter, 1, numbers)
	for i := range int64(kills) {
		k := &killer{at: 1 + i*total/kills, arrives: i%2 == 0}
		r.rotateKilled(redis, k, uint32(i)+2, numbers)
		if t.Failed() {
			t.Fatalf("killed at request %d of about %d, which arrived: %t", k.at, total, k.arrives)
		}
	}
}

// rotateKilled rotates from an epoch to the next, by a server that is killed and one that goes on. It returns how many
// requests the first one has made.
func (r *rig) rotateKilled(redis *redistest.Server, k *killer, from uint32, numbers int) int64 {
	r.t.Helper()
	survivor := r.server(nil)
	id := survivor.stage(true, time.Millisecond)
	want := make([]stored, numbers)
	for i := range want {
		want[i] = r.find(survivor.reload().Epoch(from), i)
	}

	s := r.mortal(redis, k)
	s.live(k, from, PhaseDone)
	if phaseOf(survivor.reload().Epoch(id)) != PhaseSettled {
		survivor.drive(id, PhaseSettled)
	}
	survivor.drive(from, PhaseDone)
	for i := range want {
		if got := r.find(survivor.reload().Epoch(id), i); got != want[i] {
			r.t.Errorf("number %d: got %+v, want %+v", i, got, want[i])
		}
	}
	c, err := r.store.Count(context.Background(), survivor.reload().Epoch(id).Layout)
	if wantCounts := (directory.Counts{Visible: int64(numbers) - 3, Hidden: 1, Deleted: 1}); err != nil || c != wantCounts {
		r.t.Errorf("got %+v, %v, want %+v", c, err, wantCounts)
	}
	for _, key := range r.rdb.Keys(context.Background(), fmt.Sprintf("kith:{e%d.*", from)).Val() {
		r.t.Errorf("%s is left of the old epoch", key)
	}
	return k.requests.Load()
}

// TestProgressOfAKilledServerIsKept kills a server after some items of the copy: another does the rest, and each is
// counted once.
func TestProgressOfAKilledServerIsKept(t *testing.T) {
	ctx := context.Background()
	redis := redistest.Start(t, redistest.AppendFsync("no"))
	r := newRigOn(t, redis.Client())
	survivor := r.server(nil)
	survivor.put(0, 8, 5)
	id := survivor.stage(false, 0)
	k := &killer{}
	s := r.mortal(redis, k)
	q := s.queueOf(PhaseCopy, id)
	for {
		if p, err := q.read(ctx); err == nil && p.done == 2 {
			break
		}
		task, ok := s.present(task{what: doCopy, epoch: s.reload().Epoch(id)})
		if !ok {
			t.Fatal("nothing is to be copied")
		}
		c, err := q.claim(ctx)
		if errors.Is(err, errNone) {
			err = s.open(ctx, task, q)
			wantQueue(t, "open", err, nil)
			continue
		}
		wantQueue(t, "claim", err, nil)
		if done, err := s.item(ctx, task, q, c); !done || err != nil {
			t.Fatalf("item: %t, %v", done, err)
		}
	}
	held, err := q.claim(ctx) // and is killed with it
	wantQueue(t, "claim", err, nil)
	k.dead.Store(true)

	survivor.drive(id, PhaseReady)
	p, err := survivor.queueOf(PhaseCopy, id).read(ctx)
	if err != nil || p.done != 4 || p.records != 8 || p.written != 8 {
		t.Errorf("got %+v, %v, want 4 items and 8 records, each copied once", p, err)
	}
	wantQueue(t, "complete by the one that was killed", survivor.queueOf(PhaseCopy, id).complete(ctx, held, counts{9, 9, 9}), errLost)
}
