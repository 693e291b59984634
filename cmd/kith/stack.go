package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/ristretto"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/bucket"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/lookup"
	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/registry"
	"github.com/kith-project/kith/server/rotation"
	"github.com/kith-project/kith/server/snapshot"
	"github.com/kith-project/kith/server/token"
	"github.com/kith-project/kith/server/usage"
)

// stack is a server with the parts that it is made of.
type stack struct {
	server    *server.Server
	keyring   *keyring.Keyring
	registry  *registry.Registry
	lookups   *lookup.Lookups
	directory *directory.Store
	usage     *usage.Counter
	rotator   *rotation.Rotator
	ledger    *quota.Ledger
	metrics   *server.Metrics
	logger    *slog.Logger

	keepTombstones time.Duration
}

// stackConfig says what to build a stack of.
type stackConfig struct {
	rdb           redis.UniversalClient
	masters       []keyring.MasterKey // the keyring is sealed under one of them; a new one under the first
	verifier      *token.Verifier
	expectedUsers int
	minAnonymity  int     // plausible numbers that a prefix must have at least
	keylogOrigin  string  // name of a new key log, or "" for a random one
	rotationShare float64 // of the machine's cores that a rotation may take
	rotationTimes
	keyCeiling int64 // elements that may be evaluated under one key
	snapshots  snapshot.Config
	// rescanInterval is in what time the directory is read anew into memory; zero for the default.
	rescanInterval time.Duration
	// keepTombstones is how long a deletion is remembered, for writes that come late.
	keepTombstones time.Duration
	logger         *slog.Logger    // required
	metrics        *server.Metrics // required

	limits           limitsFlags
	lookupsPerSource int
	behindProxy      bool
}

// buildStack opens the keyring of a store, making the first epoch if there is none, and puts a server on it.
func buildStack(ctx context.Context, c stackConfig) (*stack, error) {
	metrics := c.metrics
	metrics.Engine(ristretto.Engine())
	c.logger.Info("elements are computed", "engine", ristretto.Engine())
	store := directory.New(c.rdb, directory.Config{OnCorrupt: metrics.Corrupt})
	if err := keyring.Create(ctx, c.rdb, keyring.CreateOptions{
		Masters: c.masters, Rand: rand.Reader, Plan: planFor(c.expectedUsers, c.minAnonymity), Origin: c.keylogOrigin,
	}, store); err != nil {
		return nil, keyringError(err)
	}
	keys, err := keyring.Open(ctx, c.rdb, c.masters...)
	if err != nil {
		return nil, keyringError(err)
	}
	c.snapshots.OnProgress = metrics.SnapshotBuild
	c.snapshots.OnCorrupt = metrics.Corrupt
	c.snapshots.OnBuilt = func(m snapshot.Manifest) {
		c.logger.Info("snapshot built", "epoch", m.Epoch, "keys", m.Keys, "bytes", m.Bytes, "shards", len(m.Shards))
	}
	lookups := lookup.New(lookup.Config{
		Redis: c.rdb, Directory: store, Keyring: keys,
		Bucket:   bucket.Config{OnLookup: metrics.BucketsAnswered, RescanEvery: c.rescanInterval},
		Snapshot: c.snapshots, OnStatus: metrics.BucketMemory, OnError: func(err error) { c.logger.Warn("lookups", "cause", err.Error()) },
	})
	reg := registry.New(keys, store)
	reg.OnWrite = lookups.Wrote
	counter := c.counter(keys, metrics)
	rotator, err := c.newRotator(keys, store, counter)
	if err != nil {
		return nil, err
	}
	ledger, err := quota.New(c.rdb, c.limits.limits())
	if err != nil {
		return nil, err
	}
	queue, err := c.limits.queue(metrics)
	if err != nil {
		return nil, err
	}
	return &stack{
		server: server.New(server.Config{
			Keyring: keys, Directory: store, Lookups: lookups, Registry: reg, Ledger: ledger, Verifier: c.verifier,
			Admission: queue, Quotas: ledger, Limits: c.limits.batch(), Metrics: metrics, Usage: counter, Logger: c.logger, LookupsPerSource: c.lookupsPerSource, BehindProxy: c.behindProxy,
			Operator: &epochOperator{keyring: keys, directory: store, rotator: rotator, minAnonymity: c.minAnonymity, keyCeiling: c.keyCeiling},
		}),
		keyring: keys, registry: reg, lookups: lookups, directory: store, usage: counter, rotator: rotator, ledger: ledger, metrics: metrics, logger: c.logger,
		keepTombstones: c.keepTombstones,
	}, nil
}

// newRotator returns what does this server's part of rotations.
func (c *stackConfig) newRotator(keys *keyring.Keyring, store *directory.Store, counter *usage.Counter) (*rotation.Rotator, error) {
	return rotation.New(rotation.Config{
		Redis: c.rdb, Directory: store, Keyring: keys, Share: c.rotationShare,
		Lease: c.RotationLease, SweepAfter: c.SweepAfter, SecondSweep: c.SecondSweep,
		SweepSnapshot: func(ctx context.Context, epoch uint32) error { return snapshot.Sweep(ctx, c.rdb, epoch) },
		Evaluations:   func(_ context.Context, epoch uint32) (int64, error) { return counter.Total(epoch), nil },
		OnError:       func(err error) { c.logger.Warn("rotation", "cause", err.Error()) },
	})
}

// counter returns what counts evaluations by key. It warns in the log when there are too many under the active one: what
// drains is on its way out.
func (c *stackConfig) counter(keys *keyring.Keyring, metrics *server.Metrics) *usage.Counter {
	var warner usage.Warner
	return usage.New(usage.Config{
		Redis: c.rdb, OnCorrupt: metrics.Corrupt,
		OnError: func(err error) { c.logger.Warn("usage", "cause", err.Error()) },
		OnTotals: func(totals map[uint32]int64) {
			snapshot, err := keys.Current()
			if err != nil {
				return
			}
			for _, e := range snapshot.Epochs {
				if e.Over() {
					metrics.ForgetKey(e.ID)
					continue
				}
				total := totals[e.ID]
				metrics.KeyUsage(e.ID, total, c.keyCeiling)
				level := usage.LevelOf(total, c.keyCeiling)
				if e.State == keyring.StateActive && warner.Due(e.ID, level, time.Now()) {
					c.logger.Warn(ceilingText(e.ID, total, c.keyCeiling), "epoch", e.ID, "over", level == usage.Above)
				}
			}
		},
	})
}

// verifierKey returns the public key of the key log.
func (s *stack) verifierKey() (string, error) {
	snapshot, err := s.keyring.Current()
	if err != nil {
		return "", keyringError(err)
	}
	return snapshot.VerifierKey(), nil
}

// follow keeps the stack current until ctx ends.
func (s *stack) follow(ctx context.Context) {
	var following sync.WaitGroup
	following.Go(func() { s.keyring.Follow(ctx) })
	following.Go(func() { s.work(ctx) })
	following.Wait()
}

// work is follow without the keyring: it keeps memory and snapshots current, rotates, counts evaluations and purges
// tombstones.
func (s *stack) work(ctx context.Context) {
	var working sync.WaitGroup
	working.Go(func() { s.lookups.Run(ctx) })
	working.Go(func() { s.rotator.Run(ctx) })
	working.Go(func() { s.usage.Run(ctx) })
	working.Go(func() { s.sayEpochs(ctx) })
	working.Go(func() { s.watchYoung(ctx) })
	working.Go(func() {
		registry.PurgeEvery(ctx, s.keyring, s.directory, s.keepTombstones, func(err error) {
			s.logger.Warn("purge", "cause", err.Error())
		})
	})
	working.Wait()
}

// watchYoung keeps the metric of the budget of young accounts current.
func (s *stack) watchYoung(ctx context.Context) {
	if s.ledger.Limits().YoungPerDay == 0 {
		return
	}
	for pause(ctx, youngEvery) == nil {
		if units, err := s.ledger.YoungRemaining(ctx); err == nil {
			s.metrics.YoungRemaining(units)
		}
	}
}

// youngEvery is how often the store is asked for the metric of the budget of young accounts.
const youngEvery = 10 * time.Second

// defaultKeepTombstones is how long a deletion is remembered where nothing else is configured.
const defaultKeepTombstones = 30 * 24 * time.Hour

const (
	// usersPerBucket is the number of users that a bucket is meant to hold.
	usersPerBucket = 50
	// maxPartitionBits is the logarithm of the number of partitions, for directories large enough to have as many.
	maxPartitionBits = 8
	// maxBucketBits bounds the number of buckets at 16 million: 800 million users at 50 each.
	maxBucketBits = 24
)

// planFor returns how an epoch that is to hold so many users is laid out: in as many buckets as hold about 50 of them, but
// not so many that fewer than minAnonymity of the numbers that there could be share a prefix.
func planFor(users, minAnonymity int) keyring.Plan {
	bits := math.Round(math.Log2(float64(max(users, 1)) / usersPerBucket))
	floor := math.Floor(math.Log2(server.PlausibleNumbers / float64(max(minAnonymity, 1))))
	bucketBits := uint8(max(min(bits, floor, maxBucketBits), 0))
	mean := float64(users) / math.Exp2(float64(bucketBits))
	return keyring.Plan{
		Layout: directory.Layout{PartitionBits: min(bucketBits, maxPartitionBits), BucketBits: bucketBits},
		Slots:  bucket.SlotsFor(mean),
	}
}

// keyringError adds hints to the errors of opening a keyring.
func keyringError(err error) error {
	switch {
	case errors.Is(err, keyring.ErrMasterKey):
		return withHint(err, "the store was set up with another master key: give the --dir or the master key of then; after kith keyring reseal, the new one")
	case errors.Is(err, keyring.ErrNone):
		return withHint(err, "is this the right Redis? kith serve makes a keyring where there is none")
	case errors.Is(err, keyring.ErrUnavailable), errors.Is(err, directory.ErrUnavailable):
		return withHint(fmt.Errorf("%w while opening the keyring", err), "is Redis running, and does it take writes?")
	default:
		return err
	}
}
