package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"

	"github.com/kith-project/kith/server/directory"
)

const (
	// orphans is how many epochs after the last one that a keyring knows are looked for.
	orphans = 256
	// skipped is how many ids are left out after the last one that is known of, for epochs that left no trace.
	skipped = 16
	// maxFence bounds the fences that are believed. A keyring that changed a thousand times a second would come to it after
	// 140,000 years, and above 2^53 Redis's scripts could not count any more.
	maxFence = 1 << 52
)

// ErrFence means that a partition has seen a generation which no keyring can have had: its fence is damaged.
var ErrFence = errors.New("keyring: the fence of a partition is damaged")

// Fences is what the keyring needs of the directory to find out what it may have lost.
type Fences interface {
	// HighestFence returns the highest generation that any partition of an epoch has seen, 0 if it has none.
	HighestFence(ctx context.Context, layout directory.Layout) (uint64, error)
}

// survey is what the directory shows of later changes than a snapshot has.
type survey struct {
	generation uint64 // the highest that any partition has seen
	// orphans are epochs that there are partitions of and the snapshot does not know.
	orphans []uint32
	next    uint32 // an id that no epoch had, as far as can be seen
}

// survey looks through the partitions of the epochs of a snapshot and of those that may have come after it. It returns
// ErrFence, and the errors of fences.
func (s *Snapshot) survey(ctx context.Context, fences Fences) (survey, error) {
	var found survey
	for _, epoch := range s.Epochs {
		fence, err := fences.HighestFence(ctx, epoch.Layout)
		if err != nil {
			return survey{}, err
		}
		found.generation = max(found.generation, fence)
	}
	next := s.nextID()
	found.next = next + skipped
	for id := next; id < next+orphans; id++ {
		fence, err := orphanFence(ctx, fences, id)
		if err != nil {
			return survey{}, err
		}
		if fence > 0 {
			found.orphans = append(found.orphans, id)
			found.next = id + 1 + skipped
		}
		found.generation = max(found.generation, fence)
	}
	if found.generation > maxFence {
		return survey{}, ErrFence
	}
	return found, nil
}

// orphanFence returns the fence of an epoch whose layout is not known: every layout has a partition 0.
func orphanFence(ctx context.Context, fences Fences, id uint32) (uint64, error) {
	return fences.HighestFence(ctx, directory.Layout{Epoch: id})
}

// Behind reports whether the store has lost changes of the keyring that were acknowledged: partitions have seen a later
// generation than it has, so that they refuse every write, or there are partitions of an epoch that it does not know. A
// server that still knows these changes writes them back within seconds (see Follow), and its own keyring is not behind; if
// no server does, Heal ends it.
//
// It returns the errors of fences and those of Open.
func (k *Keyring) Behind(ctx context.Context, fences Fences) (bool, error) {
	snapshot, err := k.Current()
	if err != nil {
		return false, err
	}
	highest := uint64(0)
	for _, epoch := range snapshot.Epochs {
		if epoch.Over() {
			continue // nobody writes there
		}
		fence, err := fences.HighestFence(ctx, epoch.Layout)
		if err != nil {
			return false, err
		}
		highest = max(highest, fence)
	}
	orphan, err := orphanFence(ctx, fences, snapshot.nextID())
	if err != nil || highest <= snapshot.Generation && orphan == 0 {
		return false, err
	}
	// Partitions are told of a generation only after it is in the store: what this server has not heard of yet is there now.
	if err := k.Reload(ctx); err != nil {
		return false, err
	}
	present, err := k.Current()
	if err != nil {
		return false, err
	}
	return highest > present.Generation || orphan > 0 && present.nextID() == snapshot.nextID(), nil
}

// Healed says what Heal has done.
type Healed struct {
	From, To uint64 // generations of the keyring; both 0 if nothing was to be done
	// Orphans are epochs that the directory has partitions of and the keyring does not know. What was registered in them can
	// not be read any more.
	Orphans []uint32
}

// Heal makes a keyring that is Behind usable again, though the changes that it lost stay lost: its generation is raised
// above that of every partition, and the next epoch gets an id that was not used as far as can be seen. Of several servers
// that do it, one succeeds. A server that knows the lost changes writes them back instead.
//
// It returns ErrFence, ErrChanged if others always came first, the errors of fences and those of Open.
func (k *Keyring) Heal(ctx context.Context, fences Fences) (Healed, error) {
	for range edits {
		if err := k.Reload(ctx); err != nil {
			return Healed{}, err
		}
		k.rollForward(ctx)
		snapshot, err := k.Current()
		if err != nil {
			return Healed{}, err
		}
		found, err := snapshot.survey(ctx, fences)
		if err != nil {
			return Healed{}, err
		}
		if found.generation <= snapshot.Generation && len(found.orphans) == 0 {
			return Healed{}, nil
		}
		h := Healed{From: snapshot.Generation, To: max(snapshot.Generation, found.generation) + 1, Orphans: found.orphans}
		err = runSwap(ctx, k.rdb, h.From, h.To, "0", []any{
			fieldChange, rand.Text(), fieldNextEpoch, strconv.FormatUint(uint64(found.next), 10),
		})
		if err == nil {
			return h, k.Reload(ctx)
		}
		if !errors.Is(err, ErrChanged) {
			return Healed{}, err
		}
	}
	return Healed{}, ErrChanged
}
