package directory_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// connect returns a client that repeats neither calls nor dialing by itself.
func connect(t *testing.T, options *redis.Options) *redis.Client {
	t.Helper()
	options.MaxRetries = -1
	options.DialerRetries = 1
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

// TestLostConnectionIsRepaired breaks the connection before a write took effect and after, and repeats the write, by the
// caller and by go-redis.
func TestLostConnectionIsRepaired(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  redistest.Cut
	}{{"before", redistest.CutBefore}, {"after", redistest.CutAfter}} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			server := redistest.Start(t)
			direct := directory.New(server.Client(), directory.Config{})
			layout := prepared(t, direct)
			registered := write(tagNumber(1), directory.Visible, 5)
			removed := write(tagNumber(1), directory.Deleted, 6)
			apply(t, direct, layout, registered)
			before, raw := get(t, direct, layout, removed.Tag)
			removed.Expect = raw

			proxy := redistest.StartProxy(t, server)
			s := directory.New(connect(t, proxy.Options()), directory.Config{})
			proxy.CutNext(c.cut)
			outcomes, err := s.Apply(ctx, layout, generation, []directory.Write{removed})
			wantError(t, "Apply", err, directory.ErrUnavailable)
			if outcomes[0] != (directory.Outcome{Result: directory.Unknown}) {
				t.Errorf("got %v, want unknown", outcomes[0])
			}
			want := before
			if c.cut == redistest.CutAfter {
				want = stored(removed)
			}
			if got, _ := get(t, direct, layout, removed.Tag); got != want {
				t.Fatalf("after the cut: got %+v, want %+v", got, want)
			}

			outcomes, err = s.Apply(ctx, layout, generation, []directory.Write{removed})
			if err != nil || outcomes[0] != (directory.Outcome{Result: directory.Applied, Version: 6}) {
				t.Errorf("again: got %v, %v, want applied at 6", outcomes, err)
			}
			wantConsistent(t, server.Client(), direct, layout, winners([]directory.Write{removed}))

			s = directory.New(proxy.Client(3), directory.Config{})
			proxy.CutNext(c.cut)
			outcomes, err = s.Apply(ctx, layout, generation, []directory.Write{write(tagNumber(1), directory.Visible, 7)})
			if err != nil || outcomes[0] != (directory.Outcome{Result: directory.Applied, Version: 7}) {
				t.Errorf("repeated by go-redis: got %v, %v, want applied at 7", outcomes, err)
			}
			if got := proxy.Cuts(); got != 2 {
				t.Errorf("the connection was cut %d times, want 2", got)
			}
		})
	}
}

// TestAcknowledgedWritesSurviveKill is the promise of appendfsync always: writers write until the server is killed, and
// what was acknowledged by then is there after a restart.
func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	ctx := context.Background()
	server := redistest.Start(t, redistest.AppendFsync("always"))
	s := directory.New(connect(t, server.Options()), directory.Config{})
	layout := prepared(t, s)

	var (
		wg           sync.WaitGroup
		mu           sync.Mutex
		acknowledged []directory.Write
	)
	enough := make(chan struct{})
	for writer := range uint16(4) {
		wg.Go(func() {
			for version := uint64(1); ; version++ {
				w := write(tagNumber(uint16(version)<<8|writer), directory.Format(1+version%3), version)
				outcomes, err := s.Apply(ctx, layout, generation, []directory.Write{w})
				if err != nil {
					wantError(t, "Apply", err, directory.ErrUnavailable)
					if outcomes[0].Result != directory.Unknown {
						t.Errorf("got %v, want unknown", outcomes[0])
					}
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, w)
				if len(acknowledged) == 60 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	server.Kill()
	wg.Wait()

	tag := acknowledged[0].Tag
	_, err := s.Match(ctx, layout, []crypto.Tag{tag})
	wantError(t, "Match", err, directory.ErrUnavailable)
	_, _, err = s.Get(ctx, layout, tag)
	wantError(t, "Get", err, directory.ErrUnavailable)
	_, err = s.Count(ctx, layout)
	wantError(t, "Count", err, directory.ErrUnavailable)
	wantError(t, "Prepare", s.Prepare(ctx, layout, generation), directory.ErrUnavailable)
	wantError(t, "RaiseFence", s.RaiseFence(ctx, layout, 0, generation), directory.ErrUnavailable)
	wantError(t, "Sweep", s.Sweep(ctx, layout, 0), directory.ErrUnavailable)
	for _, err := range s.Scan(ctx, layout, 0) {
		wantError(t, "Scan", err, directory.ErrUnavailable)
	}

	server.Restart()
	got := scan(t, s, layout)
	for tag, want := range winners(acknowledged) {
		if r := got[tag]; r.Version < want.Version || r.Version == want.Version && r != want {
			t.Errorf("got %+v, want at least %+v", r, want)
		}
	}
}

// TestFlushedServerIsNoEmptyDirectory loses everything behind the store's back.
func TestFlushedServerIsNoEmptyDirectory(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		w := write(tagNumber(1), directory.Visible, 1)
		apply(t, s, layout, w)
		rdb.FlushAll(ctx)
		matches, err := s.Match(ctx, layout, []crypto.Tag{w.Tag})
		wantError(t, "Match", err, directory.ErrIncomplete)
		if matches != nil {
			t.Errorf("got %v beside the error", matches)
		}
	})
}

func TestForgottenScriptIsSentAgain(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		for version := range uint64(3) {
			rdb.ScriptFlush(ctx)
			writes := []directory.Write{
				write(tagNumber(0x0001), directory.Visible, version+1), write(tagNumber(0xF001), directory.Visible, version+1),
			}
			if _, err := s.Apply(ctx, layout, generation, writes); err != nil {
				t.Fatalf("Apply: %v", err)
			}
			if got := scan(t, s, layout); !maps.Equal(got, winners(writes)) {
				t.Errorf("got %v, want %v", got, winners(writes))
			}
		}
	})
}

// TestServersThatRefuse has a server refuse what it is asked for, in the ways that are not the caller's fault.
func TestServersThatRefuse(t *testing.T) {
	for _, c := range []struct {
		name    string // also the cause that the error names
		spoil   func(rdb *redis.Client, layout directory.Layout) error
		readsOK bool
	}{
		{"out of memory", func(rdb *redis.Client, _ directory.Layout) error {
			return rdb.ConfigSet(context.Background(), "maxmemory", "1").Err()
		}, true},
		{"read-only replica", func(rdb *redis.Client, _ directory.Layout) error {
			return rdb.Do(context.Background(), "REPLICAOF", "127.0.0.1", "1").Err()
		}, true},
		{"command not permitted", func(rdb *redis.Client, _ directory.Layout) error {
			return rdb.Do(context.Background(), "ACL", "SETUSER", "default", "-@scripting", "-hget", "-hgetall", "-hmget").Err()
		}, false},
		{"command refused", func(rdb *redis.Client, layout directory.Layout) error {
			// The bucket is of another type than the script expects.
			return rdb.Set(context.Background(), fmt.Sprintf("kith:{e%d.p0}:b0", layout.Epoch), "x", 0).Err()
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			server := redistest.Start(t)
			rdb := connect(t, server.Options())
			s := directory.New(rdb, directory.Config{})
			layout := prepared(t, s)
			tag := tagNumber(1)
			if err := c.spoil(rdb, layout); err != nil {
				t.Fatal(err)
			}
			outcomes, err := s.Apply(ctx, layout, generation, []directory.Write{write(tag, directory.Visible, 1)})
			wantError(t, "Apply", err, directory.ErrUnavailable)
			if !strings.HasSuffix(err.Error(), ": "+c.name) {
				t.Errorf("Apply: got error %q, want it to name %q", err, c.name)
			}
			if outcomes[0].Result != directory.Unknown {
				t.Errorf("Apply: got %v, want unknown", outcomes[0])
			}
			var want error
			if !c.readsOK {
				want = directory.ErrUnavailable
			}
			_, err = s.Match(ctx, layout, []crypto.Tag{tag})
			wantError(t, "Match", err, want)
			for _, err := range s.Scan(ctx, layout, 0) {
				wantError(t, "Scan", err, want)
			}
		})
	}
}

// TestSilentServer waits for an answer that does not come, by the client's own limit and by the caller's.
func TestSilentServer(t *testing.T) {
	server := redistest.Start(t)
	layout := prepared(t, directory.New(server.Client(), directory.Config{}))
	tags := []crypto.Tag{tagNumber(1)}

	options := server.Options()
	options.ReadTimeout = time.Millisecond
	options.ContextTimeoutEnabled = true
	s := directory.New(connect(t, options), directory.Config{})
	server.Pause()
	defer server.Resume()
	_, err := s.Match(context.Background(), layout, tags)
	wantError(t, "Match", err, directory.ErrUnavailable)

	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = s.Match(canceled, layout, tags)
	wantError(t, "canceled Match", err, directory.ErrUnavailable)
	wantError(t, "canceled Match", err, context.Canceled)

	options = server.Options()
	options.ContextTimeoutEnabled = true
	s = directory.New(connect(t, options), directory.Config{})
	ended, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = s.Match(ended, layout, tags)
	wantError(t, "late Match", err, directory.ErrUnavailable)
}
