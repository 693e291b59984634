package lookup

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/bucket"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/snapshot"
)

// followInterval is how often the epochs are compared with the keyring.
const followInterval = 250 * time.Millisecond

const (
	// raises bounds how often one request waits for the slots to be raised.
	raises = 4
	// raiseTimeout bounds raising them in the background.
	raiseTimeout = 5 * time.Second
)

// ErrCrowded means that a bucket still has more registrations than slots after the slots were raised as often as one
// request waits for, or that it would take more slots than there can be. The epoch has too few buckets then.
var ErrCrowded = errors.New("lookup: a bucket has more registrations than an answer can hold")

// Keyring is what Lookups needs of the keyring.
type Keyring interface {
	Current() (*keyring.Snapshot, error)
	RaiseSlots(ctx context.Context, epoch uint32, slots int) error
}

// Config is what Lookups is made of. Redis, Directory and Keyring are required.
type Config struct {
	Redis     redis.UniversalClient
	Directory *directory.Store
	Keyring   Keyring
	Bucket    bucket.Config   // its OnFull is taken over
	Snapshot  snapshot.Config // the zero value has sane defaults
	// CacheBytes bounds the memory for shards, for each epoch; 0 for snapshot.DefaultCacheBytes.
	CacheBytes int
	// OnError is told what goes wrong in the background, for a log. The texts hold no tags, keys or addresses.
	OnError func(error)
	// OnStatus is told now and then how far memory has come in an epoch, for a metric.
	OnStatus func(epoch uint32, s bucket.Status)
}

// Lookups answers lookups in the epochs that are served.
type Lookups struct {
	config Config

	mu     sync.Mutex // guards epochs and what they point to
	epochs map[uint32]*epoch
}

// epoch is what one served epoch has.
type epoch struct {
	view    *bucket.View
	lookup  *bucket.Lookup
	store   *snapshot.Store
	builder *snapshot.Builder
	layout  directory.Layout
	stop    context.CancelFunc // ends what Run has started for the epoch, or nil
}

// New returns lookups that answer from the store alone until Run runs.
func New(config Config) *Lookups {
	if config.OnError == nil {
		config.OnError = func(error) {}
	}
	if config.OnStatus == nil {
		config.OnStatus = func(uint32, bucket.Status) {}
	}
	return &Lookups{config: config, epochs: make(map[uint32]*epoch)}
}

// Run keeps memory and snapshots of the epochs current that are served, or will be as soon as they are verified, until
// ctx ends. It is called once.
func (l *Lookups) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		l.follow(ctx, &running)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// follow starts what epochs need that are served or soon will be, and stops what others had. While the keyring can not be read, everything
// stays as it is: a request finds out by itself.
func (l *Lookups) follow(ctx context.Context, running *sync.WaitGroup) {
	current, err := l.config.Keyring.Current()
	if err != nil {
		return
	}
	warm := make(map[uint32]bool)
	for _, k := range current.Epochs {
		if !k.Warm() {
			continue
		}
		warm[k.ID] = true
		if err := l.start(ctx, k, running); err != nil {
			l.config.OnError(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, e := range l.epochs {
		l.config.OnStatus(id, e.view.Status())
		if !warm[id] {
			if e.stop != nil {
				e.stop()
			}
			delete(l.epochs, id)
		}
	}
}

// start runs the view and the builder of an epoch, unless they run.
func (l *Lookups) start(ctx context.Context, k *keyring.Epoch, running *sync.WaitGroup) error {
	e, err := l.of(k)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.stop != nil {
		return nil
	}
	ctx, e.stop = context.WithCancel(ctx)
	running.Go(func() { e.view.Run(ctx) })
	running.Go(func() { e.builder.Run(ctx) })
	return nil
}

// of returns what an epoch has, making it if need be, with the slots that the keyring says.
func (l *Lookups) of(k *keyring.Epoch) (*epoch, error) {
	format, err := bucket.NewFormat(int(k.Layout.BucketBits), k.Slots)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.epochs[k.ID]
	if e == nil {
		if e, err = l.make(k, format); err != nil {
			return nil, err
		}
		l.epochs[k.ID] = e
	}
	// Slots only grow: a caller whose keyring is older must not lower them.
	if e.view.Format().Slots < format.Slots {
		if err := e.view.SetFormat(format); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (l *Lookups) make(k *keyring.Epoch, format bucket.Format) (*epoch, error) {
	config := l.config.Bucket
	config.OnError = l.config.OnError
	id := k.ID
	config.OnFull = func(registrations int) {
		// Not in the goroutine of the view, which must not block.
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), raiseTimeout)
			defer cancel()
			if err := l.raise(ctx, id, registrations); err != nil {
				l.config.OnError(err)
			}
		}()
	}
	view, err := bucket.NewView(l.config.Directory, k.Layout, bucket.DeriveFillKey(k.Storage, k.ID), format, config)
	if err != nil {
		return nil, err
	}
	snapshots := l.config.Snapshot
	snapshots.OnError = l.config.OnError
	builder, err := snapshot.NewBuilder(l.config.Redis, l.config.Directory, k.Layout, snapshots)
	if err != nil {
		return nil, err
	}
	store := snapshot.NewStore(l.config.Redis, k.ID, l.config.CacheBytes)
	store.ReadTail(l.config.Directory, k.Layout)
	return &epoch{view: view, lookup: bucket.NewLookup(view), store: store, builder: builder, layout: k.Layout}, nil
}
