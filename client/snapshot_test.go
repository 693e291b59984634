package client_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
)

// TestSnapshotRequests follows what mode snapshot asks for: all shards or none, whoever is in the address book.
func TestSnapshotRequests(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550001": "one"})
	e := s.epochs[0]
	o := modeOptions(s, client.ModeSnapshot)
	now := fakeNow
	step := func(name, want string, matches ...string) {
		t.Helper()
		s.requests = nil
		if got := found(syncAt(t, o, now, manyContacts(3))); !slices.Equal(got, matches) {
			t.Errorf("%s: got %v, want %v", name, got, matches)
		}
		var got []string
		for _, r := range s.requests {
			switch at := strings.LastIndex(r.path, "/") + 1; {
			case strings.Contains(r.path, "snapshot/"):
				got = append(got, "shard")
			case r.path[at:] != "directory" && r.path[at:] != "evaluations":
				got = append(got, r.path[at:])
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: got %q, want %q", name, text, want)
		}
	}
	step("first", "snapshot shard shard changes buckets", "+14155550001 one")
	step("next", "changes", "+14155550001 one")
	s.join("+14155550002", "two")
	step("somebody joins", "changes changes buckets", "+14155550001 one", "+14155550002 two")
	s.leave("+14155550001")
	step("somebody leaves", "changes changes", "+14155550002 two")
	now = now.Add(25 * time.Hour)
	s.publish(e)
	step("expired", "snapshot shard changes", "+14155550002 two") // +14155550002 may be in the same shard as before
}

func TestSnapshotIsTakenAnew(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(s *fakeServer, o *client.Options)
		after  time.Duration
		want   int // manifests and shards
	}{
		{"nothing", func(*fakeServer, *client.Options) {}, 0, 0},
		{"expired, and the server has no newer", func(*fakeServer, *client.Options) {}, 25 * time.Hour, 1},
		{"the clock was set back", func(*fakeServer, *client.Options) {}, -time.Hour, 1},
		{"the cache is empty", func(_ *fakeServer, o *client.Options) { o.Cache = client.MemoryCache() }, 0, 3},
		{"many changes", func(s *fakeServer, _ *client.Options) {
			e := s.epochs[0]
			e.changes = append(e.changes, []byte(strings.Repeat("+unknown.", 500)))
			s.publish(e)
		}, 0, 1},
		{"no shard any more", func(s *fakeServer, o *client.Options) {
			o.Cache = &forgetful{o.Cache}
			s.join("+14155550002", "two")
			s.publish(s.epochs[0])
		}, 0, 2 + 1 + 2}, // one shard that did not change and one that is gone, then the manifest and both
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeServer(t, map[string]string{"+14155550001": "one"})
			o := modeOptions(s, client.ModeSnapshot)
			mustSync(t, o, manyContacts(3))
			tt.change(s, &o)
			s.requests = nil
			if result := syncAt(t, o, fakeNow.Add(tt.after), manyContacts(3)); len(result.Matches) == 0 {
				t.Error("no match")
			}
			got := 0
			for _, r := range s.requests {
				if strings.Contains(r.path, "/snapshot") {
					got++
				}
			}
			if got != tt.want {
				t.Errorf("got %d manifests and shards, want %d", got, tt.want)
			}
		})
	}
}

// forgetful is a cache that has lost its shards.
type forgetful struct{ client.Cache }

func (f *forgetful) Get(ctx context.Context, key string) ([]byte, error) {
	if strings.HasPrefix(key, "shard-") {
		return nil, nil
	}
	return f.Cache.Get(ctx, key)
}

// TestOldShardsAreDeleted from the cache.
func TestOldShardsAreDeleted(t *testing.T) {
	s := newFakeServer(t, nil)
	o := modeOptions(s, client.ModeSnapshot)
	keys := &countingCache{Cache: client.MemoryCache(), keys: make(map[string]bool)}
	o.Cache = keys
	for i := range 4 {
		s.join(fmt.Sprintf("+1415555%04d", i), "x")
		s.publish(s.epochs[0])
		syncAt(t, o, fakeNow.Add(time.Duration(i)*25*time.Hour), manyContacts(3))
	}
	if len(keys.keys) != 3 {
		t.Errorf("%d entries are left, want the manifest and two shards", len(keys.keys))
	}
}

type countingCache struct {
	client.Cache
	keys map[string]bool
}

func (c *countingCache) Put(ctx context.Context, key string, data []byte) error {
	c.keys[key] = true
	return c.Cache.Put(ctx, key, data)
}

func (c *countingCache) Delete(ctx context.Context, key string) error {
	delete(c.keys, key)
	return c.Cache.Delete(ctx, key)
}

// TestNoSnapshot: by name it is an error, by itself it is the next mode.
func TestNoSnapshot(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550001": "one"})
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/snapshot") {
			problem(w, http.StatusNotFound, "no-snapshot", "")
			return true
		}
		return false
	}
	err := syncError(t, modeOptions(s, client.ModeSnapshot))
	if want := "client: snapshot: server answered 404 no-snapshot"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if result := mustSync(t, modeOptions(s, client.ModeAuto), manyContacts(3)); result.Mode != client.ModeBucket || len(result.Matches) != 1 {
		t.Errorf("got %+v, want mode bucket", result)
	}
}
