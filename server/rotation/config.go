package rotation

import (
	"context"
	"crypto/rand"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// The settings that a Config of zeros stands for.
const (
	DefaultShare       = 0.25
	DefaultLease       = 15 * time.Second
	DefaultSweepAfter  = 10 * time.Second
	DefaultSecondSweep = 10 * time.Minute
)

// Keyring is what a rotation needs of the keyring; *keyring.Keyring is one.
type Keyring interface {
	Current() (*keyring.Snapshot, error)
	Reload(ctx context.Context) error
	Time(ctx context.Context) (time.Time, error)
	FinishStage(ctx context.Context, id uint32, partitions keyring.Partitions) error
	MarkCopied(ctx context.Context, id uint32) error
	MarkVerified(ctx context.Context, id uint32) error
	MarkSettled(ctx context.Context, id uint32) error
	MarkSwept(ctx context.Context, id uint32, swept int) error
	AcceptLoss(ctx context.Context, id uint32, records int) error
	Activate(ctx context.Context, id uint32) error
	Retire(ctx context.Context, id uint32) error
	Behind(ctx context.Context, fences keyring.Fences) (bool, error)
	Heal(ctx context.Context, fences keyring.Fences) (keyring.Healed, error)
}

// Directory is what a rotation needs of the directory; *directory.Store is one.
type Directory interface {
	keyring.Partitions
	keyring.Fences
	RaiseFence(ctx context.Context, layout directory.Layout, partition uint32, generation uint64) error
	ScanBuckets(ctx context.Context, layout directory.Layout, buckets []uint32) ([][]directory.Scanned, error)
	GetAll(ctx context.Context, layout directory.Layout, tags []crypto.Tag) ([]directory.Found, error)
	Apply(ctx context.Context, layout directory.Layout, generation uint64, writes []directory.Write) ([]directory.Outcome, error)
	SaveMoves(ctx context.Context, layout directory.Layout, generation uint64, partition, target uint32, moves []directory.Move) error
	Moves(ctx context.Context, layout directory.Layout, partition, target uint32, buckets []uint32) ([][]byte, error)
	DropMoves(ctx context.Context, layout directory.Layout, partition, target uint32) error
	Sweep(ctx context.Context, layout directory.Layout, partition uint32) error
	Count(ctx context.Context, layout directory.Layout) (directory.Counts, error)
}

// Config holds the settings of a Rotator. Redis, Directory and Keyring have to be set. None can change at run time.
type Config struct {
	// Redis holds the queues; the client has to send reads to masters, and stays the caller's to close.
	Redis     redis.UniversalClient
	Directory Directory
	Keyring   Keyring

	// Share is which part of this process's cores (GOMAXPROCS) the work of a rotation may take, above 0 and at most 1. The
	// work is done in slices of about a millisecond with pauses between. Waiting for Redis counts as work. 0 means
	// DefaultShare.
	Share float64
	// Workers is how many items this server works on at a time, all under the one Share. 0 means twice as many as the
	// cores of the Share, but no more than there are cores.
	Workers int
	// Lease is how long a server that has stopped silently keeps others from an item, up to five minutes. 0 means
	// DefaultLease.
	Lease time.Duration
	// SweepAfter is how long after an epoch was retired or aborted its partitions are removed. It is longer than servers
	// answer from a keyring that they could not read again, so that none of them still looks there. 0 means
	// DefaultSweepAfter.
	SweepAfter time.Duration
	// SecondSweep is how long after that they are removed once more: a failover may have brought keys back, or a server
	// that was paused while it prepared them. 0 means DefaultSecondSweep.
	SecondSweep time.Duration

	// SweepSnapshot removes the published sets of an epoch that is over. If nil, there are none.
	SweepSnapshot func(ctx context.Context, epoch uint32) error
	// Evaluations returns how many elements were evaluated under the key of an epoch, for Status. If nil, that is 0.
	Evaluations func(ctx context.Context, epoch uint32) (int64, error)
	// OnError is called with what kept a rotation from going on: ErrUnavailable, ErrUnreadable, or an error of package
	// keyring or directory, and the work is tried again; and with ErrLostChanges after the keyring was healed. Its text contains no tags, keys or addresses. If nil, nobody is told.
	// It may be called concurrently.
	OnError func(error)
	// Rand is where the nonces of sealed labels and proofs come from. If nil, crypto/rand.
	Rand io.Reader
}

// withDefaults returns the settings with those of zeros filled in, or ErrConfig.
func (c Config) withDefaults() (Config, error) {
	if c.Redis == nil || c.Directory == nil || c.Keyring == nil {
		return Config{}, ErrConfig
	}
	for _, setting := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.Lease, DefaultLease}, {&c.SweepAfter, DefaultSweepAfter}, {&c.SecondSweep, DefaultSecondSweep},
	} {
		if *setting.value == 0 {
			*setting.value = setting.standard
		}
		// Redis is told ms, and the lease is renewed after a third of it.
		if *setting.value < 3*time.Millisecond {
			return Config{}, ErrConfig
		}
	}
	if c.Share == 0 {
		c.Share = DefaultShare
	}
	cores := float64(runtime.GOMAXPROCS(0))
	if c.Workers == 0 {
		c.Workers = int(min(cores, math.Ceil(2*c.Share*cores)))
	}
	if !(c.Share > 0 && c.Share <= 1) || c.Workers < 1 || c.Lease > horizon/2 {
		return Config{}, ErrConfig
	}
	if c.SweepSnapshot == nil {
		c.SweepSnapshot = func(context.Context, uint32) error { return nil }
	}
	if c.Evaluations == nil {
		c.Evaluations = func(context.Context, uint32) (int64, error) { return 0, nil }
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return c, nil
}

// duty is which part of its time a worker may work.
func (c Config) duty() float64 {
	return min(1, c.Share*float64(runtime.GOMAXPROCS(0))/float64(c.Workers))
}
