package bucket

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// TestMemoryAnswersAsRedis has writers register, hide, delete and show users again while two views run, and compares their
// answers with those of Redis, byte for byte, once the writers have ended.
func TestMemoryAnswersAsRedis(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		writes := randomWrites(rand.New(rand.NewPCG(1, 1)), 1000)
		s.apply(t, writes[:500]...)
		views := []*View{
			newTestView(t, s, 64, Config{PollEvery: 5 * time.Millisecond, MaxAge: time.Hour}),
			newTestView(t, s, 64, Config{PollEvery: 5 * time.Millisecond, MaxAge: time.Hour, RescanEvery: 20 * time.Millisecond}),
		}
		for _, v := range views {
			run(t, v)
		}
		var wg sync.WaitGroup
		for writer := range uint64(4) {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(2, writer))
				for range 150 {
					w := writes[random.IntN(len(writes))]
					s.apply(t, as(w, directory.Format(1+random.IntN(3)), 0))
				}
			})
		}
		wg.Wait()
		want := fromStore(t, views[0])
		for i, v := range views {
			eventually(t, "memory equals Redis", func() bool {
				got, err := fromMemory(v)
				return err == nil && bytes.Equal(got, want)
			})
			got, _, err := NewLookup(v).Tags(context.Background(), allBuckets)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("view %d: Tags differs from Redis, %v", i, err)
			}
		}
	})
}

// TestHiddenUserLeavesMemory is the promise that hiding, deleting and showing again reach every server's memory. How soon,
// TestAnswersAreNeverOlderThanMaxAge shows.
func TestHiddenUserLeavesMemory(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		user := randomWrites(rand.New(rand.NewPCG(3, 3)), 1)[0]
		s.apply(t, user)
		var views []*View
		for range 3 {
			v := newTestView(t, s, 16, Config{PollEvery: 5 * time.Millisecond, MaxAge: time.Hour})
			run(t, v)
			views = append(views, v)
		}
		version := uint64(1)
		for _, format := range []directory.Format{directory.Visible, directory.Hidden, directory.Visible, directory.Deleted, directory.Visible} {
			s.apply(t, as(user, format, version))
			version++
			for _, v := range views {
				eventually(t, "every view follows", func() bool {
					shown, err := shows(v, user.Tag)
					return err == nil && shown == (format == directory.Visible)
				})
			}
		}
	})
}

// TestAnswersAreNeverOlderThanMaxAge hides a user and lets no poll through: memory may show the user for MaxAge, and then
// has to say that it is behind.
func TestAnswersAreNeverOlderThanMaxAge(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		user := randomWrites(rand.New(rand.NewPCG(4, 4)), 1)[0]
		s.apply(t, user)
		v, c := warmView(t, s, 16, Config{})
		s.apply(t, as(user, directory.Hidden, 2))
		hidden := fromStore(t, v)

		c.move(DefaultMaxAge)
		if shown, err := shows(v, user.Tag); !shown || err != nil {
			t.Errorf("after MaxAge: got shown %v, %v, want shown", shown, err)
		}
		c.move(1)
		if tags, err := v.Append([]byte("x"), layout.Bucket(user.Tag)); !errors.Is(err, ErrBehind) || string(tags) != "x" {
			t.Errorf("later: got %d bytes, %v, want ErrBehind", len(tags), err)
		}
		if got, _, err := NewLookup(v).Tags(ctx, allBuckets); err != nil || !bytes.Equal(got, hidden) {
			t.Errorf("Tags: got another answer than Redis's, %v", err)
		}
		if status := v.Status(); status != (Status{Partitions: 4, Warm: 4, Age: DefaultMaxAge + 1}) {
			t.Errorf("status: got %+v", status)
		}
		if _, err := v.poll(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := fromMemory(v); err != nil || !bytes.Equal(got, hidden) {
			t.Errorf("after a poll: got another answer than Redis's, %v", err)
		}
	})
}

func TestColdViewIsBehind(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		v := newTestView(t, s, 16, Config{})
		if _, err := v.Append(nil, 0); !errors.Is(err, ErrBehind) {
			t.Errorf("got %v, want ErrBehind", err)
		}
		if _, err := v.Append(nil, 64); !errors.Is(err, directory.ErrLayout) {
			t.Errorf("no such bucket: got %v, want ErrLayout", err)
		}
		if status := v.Status(); status != (Status{Partitions: 4}) {
			t.Errorf("status: got %+v", status)
		}
	})
}

// TestSilentRedis stops the server without closing a connection: first memory answers, then nobody, and at the end memory
// again.
func TestSilentRedis(t *testing.T) {
	server := redistest.Start(t, redistest.AppendFsync("no"))
	options := server.Options()
	options.MaxRetries, options.ReadTimeout = -1, 20*time.Millisecond
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	newTestStore(t, server.Client())
	c := new(clock)
	errs := make(chan error, 1)
	v := newTestView(t, directory.New(client, directory.Config{}), 16, Config{
		PollEvery: time.Millisecond, Now: c.now,
		OnError: func(err error) {
			select {
			case errs <- err:
			default:
			}
		},
	})
	run(t, v)
	answers := func() bool { _, err := fromMemory(v); return err == nil }
	eventually(t, "memory answers", answers)

	server.Pause()
	defer server.Resume()
	eventually(t, "memory is behind", func() bool {
		c.move(2 * DefaultMaxAge)
		_, err := v.Append(nil, 0)
		return errors.Is(err, ErrBehind)
	})
	if _, _, err := NewLookup(v).Tags(context.Background(), allBuckets); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Tags: got %v, want ErrUnavailable", err)
	}
	if err := <-errs; !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("OnError: got %v, want ErrUnavailable", err)
	}
	server.Resume()
	eventually(t, "memory answers again", answers)
}

func TestRunEnds(t *testing.T) {
	s := onRedis(t)
	if err := s.rdb.Ping(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	v := newTestView(t, s, 16, Config{PollEvery: time.Millisecond, RescanEvery: time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		eventually(t, "all is read", func() bool { return v.Status().Warm == 4 })
		cancel()
	}()
	v.Run(ctx)
}

func TestNewViewRefuses(t *testing.T) {
	good, _ := NewFormat(int(layout.BucketBits), 16)
	other, _ := NewFormat(int(layout.BucketBits)+1, 16)
	for _, c := range []struct {
		name   string
		layout directory.Layout
		format Format
		want   error
	}{
		{"usual", layout, good, nil},
		{"no layout", directory.Layout{}, good, directory.ErrLayout},
		{"too many partitions", directory.Layout{Epoch: 1, PartitionBits: 17, BucketBits: 17}, good, directory.ErrLayout},
		{"no format", layout, Format{}, ErrFormat},
		{"other bits", layout, other, ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := NewView(nil, c.layout, FillKey{}, c.format, Config{})
			if !errors.Is(err, c.want) || (v == nil) != (c.want != nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
