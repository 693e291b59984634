package snapshot

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
)

// Directory is what a builder reads; *directory.Store is one.
type Directory interface {
	Count(context.Context, directory.Layout) (directory.Counts, error)
	Scan(context.Context, directory.Layout, uint32) iter.Seq2[directory.Entry, error]
	Position(context.Context, directory.Layout, uint32) (directory.Position, error)
	Changes(context.Context, directory.Layout, []directory.Position) ([]directory.Changes, error)
}

// Builder builds the sets of one epoch and gathers its feed. Every server may run one; see the package comment.
type Builder struct {
	rdb    redis.UniversalClient
	dir    Directory
	layout directory.Layout
	config Config
	keys   keys
	now    func() time.Time
	nudge  chan struct{} // Trigger was called
	// shardKeys is the constant, or less in tests.
	shardKeys int64

	// What follows belongs to the goroutine of Run.

	// seen is the last position of the feed that this builder knows of. One that is behind it was rolled back.
	seen Position
	// gathered is when the feed was last gathered.
	gathered time.Time
}

// NewBuilder returns a builder of the epoch that layout describes. The client has to send reads to masters, and stays the
// caller's to close. It returns ErrConfig for settings that contradict each other, or directory.ErrLayout.
func NewBuilder(rdb redis.UniversalClient, dir Directory, layout directory.Layout, config Config) (*Builder, error) {
	if err := layout.Validate(); err != nil {
		return nil, err
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Builder{
		rdb: rdb, dir: dir, layout: layout, config: config,
		keys:  newKeys(layout.Epoch),
		now:   time.Now,
		nudge: make(chan struct{}, 1),

		shardKeys: shardKeys,
	}, nil
}

// Trigger asks for a new set, which the builder that has the lease begins within Config.ChangesEvery, or after the build
// under way. It returns ErrUnavailable. It may be called concurrently, on any server.
func (b *Builder) Trigger(ctx context.Context) error {
	if err := b.rdb.Set(ctx, b.keys.wanted, "1", 0).Err(); err != nil {
		return unavailable(err)
	}
	select {
	case b.nudge <- struct{}{}:
	default:
	}
	return nil
}

// Run builds and gathers whenever this builder can have the lease, until ctx ends. Errors go to Config.OnError, and the
// work is tried again after Config.ChangesEvery. It must not run twice at a time.
func (b *Builder) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := b.lead(ctx)
		// Without the lease there is nothing to do; that is how all servers but one spend their time.
		if err != nil && ctx.Err() == nil && !errors.Is(err, errHeld) {
			b.config.OnError(err)
		}
		_ = b.wait(ctx) // its end is seen above
	}
}

// errHeld means that another builder has the lease.
var errHeld = errors.New("snapshot: another server builds")

// lead takes the lease and works until something fails. It returns errHeld if somebody else has the lease.
func (b *Builder) lead(ctx context.Context) error {
	l, err := acquire(ctx, b.rdb, b.keys.lease, b.config.Lease)
	if errors.Is(err, ErrLease) {
		return errHeld
	}
	if err != nil {
		return err
	}
	defer l.release(ctx)
	ctx, stop := l.keep(ctx)
	defer stop()

	f, err := b.openFeed(ctx, l)
	for err == nil {
		if err = b.step(ctx, l, f); err == nil {
			err = b.wait(ctx)
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// step gathers what has changed, and builds a set if one is due.
func (b *Builder) step(ctx context.Context, l *lease, f *feed) error {
	if err := b.gather(ctx, l, f); err != nil {
		return err
	}
	due, err := b.due(ctx, f)
	if err != nil || !due {
		return err
	}
	return b.build(ctx, l, f)
}

// wait returns after Config.ChangesEvery, or at once after Trigger, or with an error when ctx ends.
func (b *Builder) wait(ctx context.Context) error {
	timer := time.NewTimer(b.config.ChangesEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-b.nudge:
	}
	return nil
}

// due reports whether a set is to be built: one was asked for, there is none or it is old, the feed that it refers to
// has ended, or one of its shards was lost.
func (b *Builder) due(ctx context.Context, f *feed) (bool, error) {
	wanted, err := b.rdb.Exists(ctx, b.keys.wanted).Result()
	if err != nil {
		return false, unavailable(err)
	}
	m, _, err := readManifest(ctx, b.rdb, b.keys)
	switch {
	case errors.Is(err, ErrManifest):
		b.config.OnCorrupt(1)
		return true, nil
	case errors.Is(err, ErrNone):
		return true, nil
	case err != nil:
		return false, err
	}
	old := b.now().Sub(time.UnixMilli(m.Created)) >= b.config.Interval
	if wanted > 0 || old || m.ChangesSince.Generation != f.position.Generation {
		return true, nil
	}
	complete, err := b.stored(ctx, m.Shards)
	return !complete, err
}

// stored reports whether all shards are in Redis.
func (b *Builder) stored(ctx context.Context, shards []Shard) (bool, error) {
	pipe := b.rdb.Pipeline()
	answers := make([]*redis.IntCmd, len(shards))
	for i, shard := range shards {
		answers[i] = pipe.Exists(ctx, b.keys.shard(shard.ID))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return false, unavailable(err)
	}
	for _, answer := range answers {
		if answer.Val() == 0 {
			return false, nil
		}
	}
	return true, nil
}
