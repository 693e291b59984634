package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

// pausing is a server that is stopped before one of its operations, as by SIGSTOP, until it is resumed.
type pausing struct {
	*server
	stopped, resumed chan struct{}
	ended            chan []error
}

// pauseBefore adds a server and has it work until it has stopped before an operation.
func (r *rig) pauseBefore(operation string, id uint32) *pausing {
	r.t.Helper()
	p := &pausing{stopped: make(chan struct{}), resumed: make(chan struct{}), ended: make(chan []error, 1)}
	once := true
	p.server = r.spiedServer(func(o string) {
		if o == operation && once {
			once = false
			close(p.stopped)
			<-p.resumed
		}
	}, nil)
	go func() {
		_, errs := p.step(context.Background())
		p.ended <- errs
	}()
	select {
	case <-p.stopped:
	case errs := <-p.ended:
		r.t.Fatalf("did not come to %s: %v", operation, errs)
	}
	return p
}

// resume lets the server go on, and returns what went wrong until it found nothing to do.
func (p *pausing) resume() []error {
	close(p.resumed)
	return <-p.ended
}

// TestPausedWorkerChangesNothing stops a worker before it writes, for longer than its lease. Others do its work, and more
// happens to the records that it holds; then it writes. Whatever it is that it does late, it changes no outcome.
func TestPausedWorkerChangesNothing(t *testing.T) {
	const numbers = 6
	for _, c := range []struct {
		name      string
		phase     Phase // at which it is stopped
		operation string
		meanwhile func(t *testing.T, r *rig, s *server, id uint32)
		errors    int // that it reports
	}{
		{"others do its item", PhaseCopy, "Apply", func(t *testing.T, r *rig, s *server, id uint32) {
			s.drive(id, PhaseVerify)
		}, 0},
		{"records change", PhaseCopy, "Apply", func(t *testing.T, r *rig, s *server, id uint32) {
			s.drive(id, PhaseVerify)
			for i := range numbers {
				if i%2 == 0 {
					s.delete(i, 8)
				} else {
					s.put(i, i+1, 9)
				}
			}
		}, 0},
		{"settled, and deletions are forgotten", PhaseCopy, "Apply", func(t *testing.T, r *rig, s *server, id uint32) {
			s.drive(id, PhaseReady)
			for i := range numbers {
				s.delete(i, 8)
			}
			s.settle(id)
			n, err := registry.Purge(context.Background(), s.keys, r.store, time.Now().Add(time.Hour))
			if err != nil || n != 2*numbers {
				t.Errorf("purged %d, %v, want %d", n, err, 2*numbers)
			}
		}, 0},
		{"settled and swept", PhaseVerify, "GetAll", func(t *testing.T, r *rig, s *server, id uint32) {
			s.settle(id)
			if err := s.keys.Retire(context.Background(), 1); err != nil {
				t.Fatal(err)
			}
			s.drive(1, PhaseDone)
		}, 0},
		{"its proof is late", PhaseCopy, "SaveMoves", func(t *testing.T, r *rig, s *server, id uint32) {
			s.drive(id, PhaseVerify)
		}, 0},
		{"its proof is late after settling", PhaseCopy, "SaveMoves", func(t *testing.T, r *rig, s *server, id uint32) {
			s.settle(id)
		}, 0},
		{"aborted and swept", PhaseCopy, "Apply", func(t *testing.T, r *rig, s *server, id uint32) {
			s.abort(id)
		}, 0},
		{"aborted and rotated again", PhaseCopy, "SaveMoves", func(t *testing.T, r *rig, s *server, id uint32) {
			s.abort(id)
			s.drive(s.stage(false, 0), PhaseReady)
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			r := newRig(t)
			s := r.server(nil)
			s.put(0, numbers, 5)
			id := s.stage(false, 0)
			s.drive(id, c.phase)
			p := r.pauseBefore(c.operation, id)
			c.meanwhile(t, r, s, id)

			snapshot := s.reload()
			before := make(map[uint32][]stored)
			counted := make(map[uint32]directory.Counts)
			for _, e := range snapshot.Epochs {
				if e.Written() {
					for i := range numbers {
						before[e.ID] = append(before[e.ID], r.find(e, i))
					}
					counted[e.ID], _ = r.store.Count(ctx, e.Layout)
				}
			}
			audit := r.audit(snapshot)
			keys := r.keysOf(id)
			if errs := p.resume(); len(errs) != c.errors {
				t.Errorf("the paused worker reports %v", errs)
			}

			if now := s.reload(); now.Generation != snapshot.Generation {
				t.Errorf("the keyring has changed")
			}
			for _, e := range snapshot.Epochs {
				if !e.Written() {
					continue
				}
				for i := range numbers {
					if got := r.find(e, i); got != before[e.ID][i] {
						t.Errorf("number %d in epoch %d: got %+v, want %+v as before", i, e.ID, got, before[e.ID][i])
					}
				}
				if got, err := r.store.Count(ctx, e.Layout); err != nil || got != counted[e.ID] {
					t.Errorf("epoch %d: got %+v, %v, want %+v as before", e.ID, got, err, counted[e.ID])
				}
			}
			if got := r.audit(snapshot); got != audit {
				t.Errorf("audit: got %+v, want %+v as before", got, audit)
			}
			if got := r.keysOf(id); snapshot.Epoch(id).State == keyring.StateAborted && got != keys {
				t.Errorf("%d keys of the aborted epoch, %d before", got, keys)
			}
			if c.phase == PhaseCopy && !snapshot.Epoch(id).Over() {
				if p, err := s.queueOf(PhaseCopy, id).read(ctx); err != nil || p.records != numbers || p.done != 4 {
					t.Errorf("the copy: got %+v, %v, want each record counted once", p, err)
				}
			}
		})
	}
}

// settle has a server activate an epoch that is ready, or will be, and settle it.
func (s *server) settle(id uint32) {
	s.t.Helper()
	s.drive(id, PhaseReady)
	if err := s.Activate(context.Background(), id, -1); err != nil {
		s.t.Fatalf("Activate: %v", err)
	}
	s.drive(id, PhaseSettled)
}

// abort has a server abort an epoch and remove it.
func (s *server) abort(id uint32) {
	s.t.Helper()
	if err := s.keys.Abort(context.Background(), id); err != nil {
		s.t.Fatalf("Abort: %v", err)
	}
	s.drive(id, PhaseDone)
}
