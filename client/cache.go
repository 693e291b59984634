package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Cache keeps what mode snapshot has downloaded: shards, and the manifest with the changes since. All of it is public;
// nothing in it tells of the address book, and what is in it is checked again when it is used. Losing an entry costs a
// download. A cache belongs to one state, whose lock keeps other Syncs away from it.
type Cache interface {
	// Get returns an entry, or nil if there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put makes or replaces an entry, as a whole or not at all. Keys are letters, digits, hyphens and underscores, at
	// most 64. The data must not be changed or kept after the return.
	Put(ctx context.Context, key string, data []byte) error
	// Delete removes an entry, if it is there.
	Delete(ctx context.Context, key string) error
}

// MemoryCache returns a cache that forgets everything with the process. Its methods may be called concurrently.
func MemoryCache() Cache { return &memoryCache{entries: make(map[string][]byte)} }

type memoryCache struct {
	mu      sync.Mutex
	entries map[string][]byte
}

func (m *memoryCache) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.entries[key]), nil
}

func (m *memoryCache) Put(_ context.Context, key string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries[key] = bytes.Clone(data)
	return nil
}

func (m *memoryCache) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, key)
	return nil
}

// FileCache returns a cache with a file for each entry in dir, which is made, with mode 0700, when it is needed first. The
// files are readable by the user alone, and are replaced as a whole.
func FileCache(dir string) Cache { return fileCache(dir) }

type fileCache string

func (f fileCache) Get(_ context.Context, key string) ([]byte, error) {
	path, err := f.path(key)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (f fileCache) Put(ctx context.Context, key string, data []byte) error {
	path, err := f.path(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	return (&fileState{path: path}).Save(ctx, data)
}

func (f fileCache) Delete(_ context.Context, key string) error {
	path, err := f.path(key)
	if err != nil {
		return err
	}
	return removeIfThere(path)
}

// path returns the file of an entry, or an error for a key that could lead out of the folder.
func (f fileCache) path(key string) (string, error) {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if key == "" || len(key) > 64 || strings.Trim(key, allowed) != "" {
		return "", fmt.Errorf("client: no key of a cache: %d bytes", len(key))
	}
	return filepath.Join(string(f), key), nil
}
