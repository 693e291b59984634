package client_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/kith-project/kith/client"
)

func TestCaches(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	for name, cache := range map[string]client.Cache{"memory": client.MemoryCache(), "file": client.FileCache(dir)} {
		if data, err := cache.Get(t.Context(), "a"); data != nil || err != nil {
			t.Errorf("%s: empty: got %q and %v", name, data, err)
		}
		for _, want := range []string{"longer", "b"} {
			buffer := []byte(want)
			if err := cache.Put(t.Context(), "key-_1", buffer); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			clear(buffer)
			if data, err := cache.Get(t.Context(), "key-_1"); string(data) != want || err != nil {
				t.Errorf("%s: got %q and %v, want %q", name, data, err, want)
			}
		}
		for range 2 {
			if err := cache.Delete(t.Context(), "key-_1"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if data, err := cache.Get(t.Context(), "key-_1"); data != nil || err != nil {
			t.Errorf("%s: deleted: got %q and %v", name, data, err)
		}
	}
	for _, key := range []string{"", "..", "../state", "a/b", `a\b`, "a.tmp", string(make([]byte, 65))} {
		if err := client.FileCache(dir).Put(t.Context(), key, nil); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
}

// TestFileCache syncs with a cache of files, which are for the user alone, and finds nothing of the address book in them.
func TestFileCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	s := newFakeServer(t, map[string]string{"+14155550000": "zero"})
	o := modeOptions(s, client.ModeSnapshot)
	o.Cache = client.FileCache(dir)
	mustSync(t, o, manyContacts(2))
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatalf("got %d files and %v, want two shards and the manifest", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s: got mode %v and %v, want 600", e.Name(), info.Mode(), err)
		}
	}
}
