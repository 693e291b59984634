package snapshot

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

var errCut = errors.New("cut off for the test")

// stopper is a hook that stops a client at one of its calls to Redis: by an end of the process, after which nothing
// reaches Redis any more, or by a pause.
type stopper struct {
	at    int           // number of the call, from 1
	after bool          // whether the call takes effect first
	pause chan struct{} // if not nil, the call goes on when this is closed; otherwise it and all later ones fail

	mu      sync.Mutex
	calls   int
	stopped chan struct{} // closed at the call
}

func newStopper(at int, after bool) *stopper {
	return &stopper{at: at, after: after, stopped: make(chan struct{})}
}

// call runs one call to Redis, or does not.
func (s *stopper) call(run func() error) error {
	s.mu.Lock()
	s.calls++
	n := s.calls
	s.mu.Unlock()
	if n < s.at || n > s.at && s.pause != nil {
		return run()
	}
	if n > s.at {
		return errCut
	}
	var err error
	if s.after {
		err = run()
	}
	close(s.stopped)
	if s.pause == nil {
		return errCut
	}
	<-s.pause
	if !s.after {
		err = run()
	}
	return err
}

func (s *stopper) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (s *stopper) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := s.call(func() error { return next(ctx, cmd) })
		if errors.Is(err, errCut) {
			cmd.SetErr(err)
		}
		return err
	}
}

func (s *stopper) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := s.call(func() error { return next(ctx, cmds) })
		if errors.Is(err, errCut) {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

// victim returns a builder, directory included, whose client s stops.
func (r *rig) victim(t *testing.T, s *stopper) *Builder {
	t.Helper()
	client := redis.NewClient(r.rdb.(*redis.Client).Options())
	t.Cleanup(func() { client.Close() })
	client.AddHook(s)
	return r.builder(client, directory.New(client, directory.Config{}), Config{})
}

// expireLease does what time does to the lease of a builder that is gone.
func (r *rig) expireLease() {
	r.t.Helper()
	if err := r.rdb.Del(context.Background(), newKeys(r.layout.Epoch).lease).Err(); err != nil {
		r.t.Fatalf("DEL: %v", err)
	}
}

// settle lets b work until nobody waits for a set.
func (r *rig) settle(b *Builder) {
	r.t.Helper()
	for {
		r.turn(b)
		if r.rdb.Exists(context.Background(), b.keys.wanted).Val() == 0 {
			return
		}
	}
}

// eachStop calls test for a stop before and after each call that a builder makes, until it makes no more.
func eachStop(t *testing.T, test func(s *stopper) (reached bool)) {
	for _, after := range []bool{false, true} {
		at := 1
		for test(newStopper(at, after)) {
			at++
		}
		if at < 15 {
			t.Errorf("a builder made %d calls, want more", at-1)
		}
	}
}

// TestKilledBuilder ends a builder at each call. At any time the old set or the new one is there, whole, and another
// builder ends the work.
func TestKilledBuilder(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		eachStop(t, func(s *stopper) bool {
			r := newRig(t, rdb)
			r.write(directory.Visible, count(0, 32)...)
			other := r.builder(nil, nil, Config{})
			r.turn(other)
			r.write(directory.Hidden, 1, 2)
			r.write(directory.Visible, 40, 41)
			r.sleep(DefaultInterval)

			killed := turn(ctx, r.victim(t, s))
			d := r.download()
			if d.manifest.Created == r.time.Load() {
				r.wantMembers(d)
			} else if !d.has(tag(1)) || d.has(tag(40)) {
				t.Errorf("call %d: the old set has changed", s.at)
			}
			if err := r.follow(d); err != nil {
				t.Errorf("call %d: Changes: %v", s.at, err)
			}
			if s.calls < s.at {
				if killed != nil {
					t.Errorf("nothing was cut, got %v", killed)
				}
				return false
			}

			r.expireLease()
			r.turn(other)
			d = r.download()
			if d.manifest.Created != r.time.Load() {
				t.Errorf("call %d: no new set", s.at)
			}
			r.wantMembers(d)
			if err := r.follow(d); err != nil {
				t.Errorf("call %d: Changes: %v", s.at, err)
			}
			r.wantMembers(d)
			return true
		})
	})
}

// TestFirstBuildKilled has no set before.
func TestFirstBuildKilled(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		eachStop(t, func(s *stopper) bool {
			r := newRig(t, rdb)
			r.write(directory.Visible, count(0, 32)...)
			_ = turn(context.Background(), r.victim(t, s))
			if _, _, err := r.store.Manifest(context.Background()); !errors.Is(err, ErrNone) {
				r.wantMembers(r.download())
			}
			if s.calls < s.at {
				return false
			}
			r.expireLease()
			r.turn(r.builder(nil, nil, Config{}))
			r.wantMembers(r.download())
			return true
		})
	})
}

// TestPausedBuilder stops a builder at each call for longer than its lease. Another one builds meanwhile, without a user
// who was hidden; when the first goes on, it must bring back neither the user nor an older position.
func TestPausedBuilder(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		eachStop(t, func(s *stopper) bool {
			r := newRig(t, rdb)
			r.write(directory.Visible, count(0, 32)...)
			s.pause = make(chan struct{})
			victim, ended := r.victim(t, s), make(chan error, 1)
			go func() { ended <- turn(ctx, victim) }()
			select {
			case <-s.stopped:
			case err := <-ended:
				if err != nil {
					t.Errorf("without a pause: %v", err)
				}
				return false
			}

			r.expireLease()
			r.write(directory.Hidden, 1)
			r.sleep(time.Second)
			other := r.builder(nil, nil, Config{})
			if err := other.Trigger(ctx); err != nil {
				t.Fatal(err)
			}
			r.settle(other)
			want := r.download()
			r.wantMembers(want)

			close(s.pause)
			paused := <-ended
			got := r.download()
			if got.manifest.Created != want.manifest.Created || got.since != want.since {
				t.Errorf("call %d: the paused builder replaced the set (%v)", s.at, paused)
			}
			if err := r.follow(got); err != nil {
				t.Errorf("call %d: Changes: %v", s.at, err)
			}
			r.wantMembers(got)
			return true
		})
	})
}

// TestResumeSkipsFinishedShards counts what the second builder reads.
func TestResumeSkipsFinishedShards(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 32)...)
		wantError(t, "first", turn(context.Background(), r.builder(nil, r.calling(func(partition uint32) error {
			if partition == 2 {
				return directory.ErrUnavailable
			}
			return nil
		}), Config{})), directory.ErrUnavailable)

		var first *Progress
		var read []uint32
		r.turn(r.builder(nil, r.calling(func(partition uint32) error {
			read = append(read, partition)
			return nil
		}), Config{OnProgress: func(p Progress) {
			if first == nil {
				first = &p
			}
		}}))
		if want := (Progress{Shards: 2, Total: 4, Keys: 16, Resumed: true}); *first != want {
			t.Errorf("progress: got %+v, want %+v", *first, want)
		}
		if len(read) != 2 || read[0] != 2 || read[1] != 3 {
			t.Errorf("read partitions %v, want 2 and 3", read)
		}
		r.wantMembers(r.download())
	})
}

// TestOldBuildIsNotResumed would publish what was visible long ago.
func TestOldBuildIsNotResumed(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		r := newRig(t, rdb)
		r.write(directory.Visible, count(0, 32)...)
		wantError(t, "first", turn(context.Background(), r.builder(nil, r.calling(func(partition uint32) error {
			if partition == 3 {
				return directory.ErrUnavailable
			}
			return nil
		}), Config{})), directory.ErrUnavailable)
		r.write(directory.Hidden, 4)
		r.sleep(DefaultInterval)
		r.turn(r.builder(nil, nil, Config{}))
		d := r.download()
		r.wantMembers(d)
		if d.manifest.Created != r.time.Load() {
			t.Error("an old build was published")
		}
	})
}
