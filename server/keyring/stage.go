package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
)

// Defaults of StageOptions.
const (
	DefaultWindow = 24 * time.Hour
	DefaultDrain  = 72 * time.Hour
)

var (
	// ErrNoActive means that no epoch is active that another could follow.
	ErrNoActive = errors.New("keyring: no epoch is active")
	// ErrWindow means that the old epoch would be gone before all devices had moved.
	ErrWindow = errors.New("keyring: the migration window is longer than the old epoch drains, or one of them is negative or more than ten years")
)

// Partitions is what the keyring needs of the directory: that an epoch's partitions are there before it is written to.
type Partitions interface {
	Prepare(ctx context.Context, layout directory.Layout, generation uint64) error
}

// Plan says how an epoch is to be laid out.
type Plan struct {
	Layout directory.Layout // its Epoch and Parity are ignored
	Slots  int              // of each bucket, at least 1
}

// StageOptions say how a rotation is to go. See Epoch for the last three.
type StageOptions struct {
	Plan          Plan
	Auto          bool
	Window, Drain time.Duration // 0 <= Window <= Drain
}

// Stage begins a rotation: it makes an epoch with a new key, enters the key in the log, prepares its partitions, and has
// registrations written to it. If an epoch is staged already, it joins that rotation: the options are ignored then, and
// joined is true.
//
// It returns ErrWindow, ErrNoActive, ErrNotSettled while the last rotation is not at its end, directory.ErrLayout, the errors of partitions and those of Open. Whatever it
// returns, it may be called again, and any server may end what it began by FinishStage.
func (k *Keyring) Stage(ctx context.Context, o StageOptions, partitions Partitions) (epoch *Epoch, joined bool, err error) {
	if !(&record{WindowMS: o.Window.Milliseconds(), DrainMS: o.Drain.Milliseconds()}).plausible() {
		return nil, false, ErrWindow
	}
	var made *Epoch // by the last attempt
	var id uint32
	err = k.change(ctx, func(s *Snapshot, e *edit, now time.Time) error {
		if staged := s.Staged(); staged != nil {
			// An attempt may have succeeded without our hearing of it.
			id, joined = staged.ID, made == nil || !made.PublicKey.Equal(staged.PublicKey)
			return nil
		}
		if made, err = s.following(o, now); err != nil {
			return err
		}
		id, joined = made.ID, false
		if err := e.put(made); err != nil {
			return err
		}
		return e.enter(made, now)
	})
	if err != nil {
		return nil, false, err
	}
	if err := k.FinishStage(ctx, id, partitions); err != nil {
		return nil, joined, err
	}
	snapshot, err := k.Current()
	if err != nil {
		return nil, joined, err
	}
	return snapshot.Epoch(id), joined, nil
}

// following returns the epoch that follows the active one.
func (s *Snapshot) following(o StageOptions, now time.Time) (*Epoch, error) {
	active := s.Active()
	if active == nil {
		return nil, ErrNoActive
	}
	if s.signer == nil {
		return nil, ErrNoLog
	}
	if active.From != 0 && active.Settled.IsZero() {
		return nil, ErrNotSettled // what only the epoch before it has would be left behind
	}
	// Ids are never used twice, and epochs stay in the keyring when they are over.
	epoch, err := newEpochOf(rand.Reader, s.nextID(), o.Plan, now)
	if err != nil {
		return nil, err
	}
	epoch.From, epoch.Auto, epoch.Window, epoch.Drain = active.ID, o.Auto, o.Window, o.Drain
	epoch.Layout.Parity = 1 - active.Layout.Parity
	return epoch, nil
}

// newEpochOf returns a staged epoch with new keys from rand.
func newEpochOf(rand io.Reader, id uint32, plan Plan, now time.Time) (*Epoch, error) {
	key, err := voprf.GenerateKeyPair(rand)
	if err != nil {
		return nil, err
	}
	var storage secret.Value
	if _, err := io.ReadFull(rand, storage[:]); err != nil {
		return nil, fmt.Errorf("keyring: reading randomness: %w", err)
	}
	epoch := &Epoch{
		ID: id, State: StateStaged, PublicKey: key.PublicKey(), Key: key, Storage: crypto.StorageKey{Value: storage},
		Layout: plan.Layout, Slots: plan.Slots, Created: now,
	}
	epoch.Layout.Epoch, epoch.Layout.Parity = id, 0
	return epoch, epoch.Layout.Validate()
}

// FinishStage prepares the partitions of a staged epoch and has registrations written to it, as Stage does, after a
// server was killed in between. It does nothing if that was done, and returns ErrUnknownEpoch, the errors of partitions and those of Open.
func (k *Keyring) FinishStage(ctx context.Context, id uint32, partitions Partitions) error {
	for range edits {
		snapshot, err := k.Current()
		if err != nil {
			return err
		}
		epoch := snapshot.Epoch(id)
		if epoch == nil {
			return ErrUnknownEpoch
		}
		if epoch.State != StateStaged || epoch.Prepared {
			return nil
		}
		err = partitions.Prepare(ctx, epoch.Layout, snapshot.Generation)
		if errors.Is(err, directory.ErrStale) && changedSince(ctx, k.rdb, snapshot) {
			// Another server has prepared it, and registrations came already.
			if err := k.Reload(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		return k.changeEpoch(ctx, id, func(e *Epoch, _ time.Time) (bool, error) {
			changed := e.State == StateStaged && !e.Prepared
			e.Prepared = true
			return changed, nil
		})
	}
	return ErrChanged
}

// changedSince reports whether the store is known to hold another keyring than the snapshot.
func changedSince(ctx context.Context, rdb redis.UniversalClient, snapshot *Snapshot) bool {
	head, err := readHead(ctx, rdb)
	return err == nil && head != snapshot.head()
}
