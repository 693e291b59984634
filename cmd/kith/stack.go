package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/registry"
	"github.com/kith-project/kith/server/token"
)

// stack is a server with the parts that it is made of.
type stack struct {
	server   *server.Server
	keyring  *keyring.Keyring
	registry *registry.Registry
}

// stackConfig says what to build a stack of.
type stackConfig struct {
	rdb           redis.UniversalClient
	master        keyring.MasterKey
	verifier      *token.Verifier
	expectedUsers int
	logger        *slog.Logger
}

// buildStack opens the keyring of a store, making the first epoch if there is none, and puts a server on it.
func buildStack(ctx context.Context, c stackConfig) (*stack, error) {
	metrics := server.NewMetrics()
	store := directory.New(c.rdb, directory.Config{OnCorrupt: metrics.Corrupt})
	if err := keyring.Create(ctx, c.rdb, c.master, rand.Reader, layoutFor(c.expectedUsers), store); err != nil {
		return nil, keyringError(err)
	}
	keys, err := keyring.Open(ctx, c.rdb, c.master)
	if err != nil {
		return nil, keyringError(err)
	}
	reg := registry.New(keys, store)
	return &stack{
		server: server.New(server.Config{
			Keyring: keys, Directory: store, Registry: reg, Ledger: quota.New(c.rdb), Verifier: c.verifier,
			Metrics: metrics, Logger: c.logger,
		}),
		keyring: keys, registry: reg,
	}, nil
}

const (
	// usersPerBucket is the number of users that a bucket is meant to hold.
	usersPerBucket = 50
	// maxPartitionBits is the logarithm of the number of partitions, for directories large enough to have as many.
	maxPartitionBits = 8
	// maxBucketBits bounds the number of buckets at 16 million: 800 million users at 50 each.
	maxBucketBits = 24
)

// layoutFor returns the layout of an epoch that is to hold so many users.
func layoutFor(users int) directory.Layout {
	bits := math.Round(math.Log2(float64(max(users, 1)) / usersPerBucket))
	bucketBits := uint8(min(max(bits, 0), maxBucketBits))
	return directory.Layout{PartitionBits: min(bucketBits, maxPartitionBits), BucketBits: bucketBits}
}

// keyringError adds hints to the errors of opening a keyring.
func keyringError(err error) error {
	switch {
	case errors.Is(err, keyring.ErrMasterKey):
		return withHint(err, "the store was set up with another master key: give the --dir, --master-key-file or KITH_MASTER_KEY of then")
	case errors.Is(err, keyring.ErrUnavailable), errors.Is(err, directory.ErrUnavailable):
		return withHint(fmt.Errorf("%w while opening the keyring", err), "is Redis running, and does it take writes?")
	default:
		return err
	}
}
