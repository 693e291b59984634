package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
)

func TestStores(t *testing.T) {
	for name, store := range map[string]client.StateStore{
		"memory": client.MemoryState(), "file": client.FileState(filepath.Join(t.TempDir(), "state")),
	} {
		if data, err := store.Load(t.Context()); data != nil || err != nil {
			t.Errorf("%s: before the first save: got %q and %v, want nil and nil", name, data, err)
		}
		for _, want := range []string{"a longer state", "short"} {
			buffer := []byte(want)
			if err := store.Save(t.Context(), buffer); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			clear(buffer) // the store must not depend on it
			if data, err := store.Load(t.Context()); string(data) != want || err != nil {
				t.Errorf("%s: got %q and %v, want %q", name, data, err, want)
			}
		}
	}
}

func TestFileState(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "state")
	// What a killed process leaves: a half-written file, which others can read.
	if err := os.WriteFile(path+".tmp", []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := testOptions(newFakeServer(t, nil))
	o.State = client.FileState(path)
	mustSync(t, o, manyContacts(2))
	if result := mustSync(t, o, manyContacts(2)); result.Evaluated != 0 {
		t.Errorf("evaluated %d in the second Sync, want 0", result.Evaluated)
	}
	var names []string
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s: got mode %o, want 600", e.Name(), mode)
		}
	}
	if want := []string{"state", "state.lock"}; !slices.Equal(names, want) {
		t.Errorf("got files %v, want %v", names, want)
	}
}

func TestFileStateKeepsOthersOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := newFakeServer(t, nil)
	first, second := testOptions(s), testOptions(s)
	first.State, second.State = client.FileState(path), client.FileState(path)
	other := newClient(t, second)
	book := func(yield func(normalize.Contact, error) bool) { // runs inside of the first Sync
		if _, err := other.Sync(t.Context(), client.Contacts(nil)); !errors.Is(err, client.ErrStateInUse) {
			t.Errorf("got error %v, want ErrStateInUse", err)
		}
	}
	if _, err := newClient(t, first).Sync(t.Context(), book); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Sync(t.Context(), client.Contacts(nil)); err != nil {
		t.Errorf("after the first Sync: %v", err)
	}
}

func TestFileStateFails(t *testing.T) {
	t.Run("no such folder", func(t *testing.T) {
		o := testOptions(newFakeServer(t, nil))
		o.State = client.FileState(filepath.Join(t.TempDir(), "missing", "state"))
		if err := syncError(t, o); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got error %v, want that of the folder", err)
		}
	})
	t.Run("a folder in its place", func(t *testing.T) {
		folder := t.TempDir()
		path := filepath.Join(folder, "state")
		if err := os.MkdirAll(filepath.Join(path, "inside"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := client.FileState(path).Save(t.Context(), []byte("x")); err == nil {
			t.Error("saved over a folder")
		}
		if _, err := os.Stat(path + ".tmp"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a temporary file stayed behind: %v", err)
		}
	})
}

// TestStateIsNotOverwritten: what this client can not read may be of use to another version of it.
func TestStateIsNotOverwritten(t *testing.T) {
	for name, data := range map[string]string{
		"corrupt": "{", "newer": `{"version":3,"things":[]}`, "another server's": `{"version":1,"server":"https://x","epochs":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newFakeServer(t, nil)
			o := testOptions(s)
			if err := o.State.Save(t.Context(), []byte(data)); err != nil {
				t.Fatal(err)
			}
			if err := syncError(t, o); !errors.Is(err, client.ErrState) {
				t.Errorf("got error %v, want ErrState", err)
			}
			if got, _ := o.State.Load(t.Context()); string(got) != data || len(s.requests) != 0 {
				t.Errorf("got state %s after %d requests, want it as it was, after none", got, len(s.requests))
			}
		})
	}
}
