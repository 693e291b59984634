package client

import (
	"bytes"
	"context"
	"sync"
)

// StateStore keeps the state of a Client between Syncs, typically some hundred kilobytes. It holds numbers and secrets:
// see the package comment for where it belongs.
//
// One Sync uses a store at a time; a store that other processes can reach should be a StateLocker too. Without a lock,
// of two Syncs at once the one that saves last wins, and the numbers that the other one paid for are paid again.
type StateStore interface {
	// Load returns what was saved last, or nil if there is nothing.
	Load(ctx context.Context) ([]byte, error)
	// Save replaces it. When it returns nil, the new state must survive the end of the process; when it returns an
	// error, either the new or the old state must be there, whole.
	Save(ctx context.Context, data []byte) error
}

// StateLocker is a StateStore that keeps other Syncs out.
type StateLocker interface {
	StateStore
	// Lock takes the lock, or returns ErrStateInUse at once if another has it. It must not outlive the process.
	Lock(ctx context.Context) (unlock func() error, err error)
}

// MemoryState returns a store that forgets everything with the process, empty at first. Its methods may be called
// concurrently.
func MemoryState() StateStore { return &memoryState{} }

type memoryState struct {
	mu   sync.Mutex
	data []byte
}

func (m *memoryState) Load(context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.data), nil
}

func (m *memoryState) Save(_ context.Context, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data = bytes.Clone(data)
	return nil
}
