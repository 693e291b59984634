package keyring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// pollInterval is how often a server looks whether the keyring has changed.
	pollInterval = time.Second
	// maxAge is how long a server answers from a keyring that it could not read again.
	maxAge = 5 * time.Second
	// minReload is the shortest time between two reads on behalf of requests, which anyone can cause.
	minReload = 100 * time.Millisecond
	// readTimeout bounds one read of the keyring.
	readTimeout = 2 * time.Second
)

// ErrUnknownEpoch means an epoch id that the keyring does not have, now read again.
var ErrUnknownEpoch = errors.New("keyring: unknown epoch")

// Keyring is a server's view of the keyring in the store. Its methods may be called concurrently.
type Keyring struct {
	rdb     redis.UniversalClient
	masters []MasterKey
	now     func() time.Time

	loading sync.Mutex // held while the store is read, so that a crowd causes one read; guards the next two
	tried   time.Time  // when the last read of all of it began
	result  error      // what it ended with

	mu      sync.Mutex // guards what follows
	current *Snapshot
	read    time.Time // when current was last known to be the store's
	err     error     // why it no longer is, or nil
	ahead   uint64    // the generation of the store, if that is an older state of current, or 0
}

// Format prints a placeholder for every verb: fmt does not ask the master key in a field that is not exported.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[keyring]") }

// Open reads the keyring, which is sealed under one of the master keys: more than one are given while the master key is
// being changed (see Reseal). It returns ErrNone if there is none (see Create), ErrMasterKey if it was sealed under another
// master key, ErrSealed or ErrRecord if it can not be read, and ErrUnavailable.
func Open(ctx context.Context, rdb redis.UniversalClient, masters ...MasterKey) (*Keyring, error) {
	k := &Keyring{rdb: rdb, masters: masters, now: time.Now}
	if err := k.Reload(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// Current returns the keyring as last read. It returns ErrUnavailable if it could not be read for five seconds, and
// whatever the last read found wrong with it: ErrNone above all, when the store has lost its data.
func (k *Keyring) Current() (*Snapshot, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.err != nil && !errors.Is(k.err, ErrUnavailable):
		return nil, k.err
	case k.now().Sub(k.read) > maxAge:
		return nil, ErrUnavailable
	default:
		return k.current, nil
	}
}

// Epoch returns the epoch of this id and the keyring in which it was found. One that is not known or only staged is looked
// up in the store first, since another server may have made it, or made it active, a moment ago. Only then it is
// ErrUnknownEpoch. Such calls cause one read of the store each 100 ms, for which they wait. Other errors are those of Open
// and Current.
func (k *Keyring) Epoch(ctx context.Context, id uint32) (*Epoch, *Snapshot, error) {
	snapshot, err := k.Current()
	if err != nil {
		return nil, nil, err
	}
	if e := snapshot.Epoch(id); e != nil && e.State != StateStaged {
		return e, snapshot, nil
	}
	if err := k.readThrough(ctx); err != nil {
		return nil, nil, err
	}
	if snapshot, err = k.Current(); err != nil {
		return nil, nil, err
	}
	if e := snapshot.Epoch(id); e != nil {
		return e, snapshot, nil
	}
	return nil, nil, ErrUnknownEpoch
}

// readThrough returns after a read of the keyring that began after the call. Anyone can cause it, so that the reads are
// minReload apart. It returns ErrUnavailable when ctx ends first, and the errors of Open.
func (k *Keyring) readThrough(ctx context.Context) error {
	called := k.now()
	k.loading.Lock()
	wait := minReload - called.Sub(k.tried)
	k.loading.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ErrUnavailable
		}
	}
	return k.reloadSince(ctx, called)
}

// Reload reads the keyring from the store at once. It returns the errors of Open.
func (k *Keyring) Reload(ctx context.Context) error {
	return k.reloadSince(ctx, k.now().Add(1)) // a read that has begun is not one that began after this call
}

// reloadSince reads the keyring unless a read began at the time given or later. Calls that waited for a read of another take its
// outcome, a failure too: with the store away each would otherwise wait for a timeout of its own, one after another.
func (k *Keyring) reloadSince(ctx context.Context, since time.Time) error {
	k.loading.Lock()
	defer k.loading.Unlock()
	k.mu.Lock()
	fresh := k.current != nil && k.err == nil && !k.read.Before(since)
	k.mu.Unlock()
	if fresh {
		return nil
	}
	if k.result != nil && !k.tried.Before(since) {
		return k.result
	}
	// Others wait for this read, so that it does not end with the request that caused it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	// The time before the read: what it returns is at least as new.
	k.tried = k.now()
	snapshot, err := read(ctx, k.rdb, k.masters)
	k.result = err
	k.settle(snapshot, k.tried, err)
	return err
}

// Follow keeps the keyring current until ctx ends: each change is announced, and in case an announcement was missed the
// head is read every second, and the rest when that changed.
func (k *Keyring) Follow(ctx context.Context) {
	announced := k.rdb.Subscribe(ctx, channel)
	defer func() { _ = announced.Close() }()
	changes := announced.Channel(redis.WithChannelSize(1))
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-changes:
			if !open {
				changes = nil // the client was closed; polls find that out
			}
		case <-ticker.C:
		}
		k.poll(ctx)
		k.rollForward(ctx)
	}
}

// poll is one step of Follow.
func (k *Keyring) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	started := k.now()
	head, err := readHead(ctx, k.rdb)
	k.mu.Lock()
	unchanged := err == nil && k.err == nil && k.current.head() == head
	k.mu.Unlock()
	if err == nil && !unchanged {
		_ = k.Reload(ctx) // the outcome is in the keyring
		return
	}
	k.settle(nil, started, err)
}

// settle records what a read that began at started found: an error, a snapshot, or (both nil) that nothing changed.
func (k *Keyring) settle(snapshot *Snapshot, started time.Time, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
	if err != nil {
		return
	}
	k.ahead = 0
	switch {
	case snapshot == nil:
	case k.current != nil && k.current.AccountKey.Equal(snapshot.AccountKey) && snapshot.Generation < k.current.Generation:
		k.ahead = snapshot.Generation // the store has lost what was changed last
	default: // newer, or another keyring, made after the store lost this one
		k.current = snapshot
	}
	if started.After(k.read) {
		k.read = started
	}
}
