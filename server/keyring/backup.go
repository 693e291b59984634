package keyring

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
)

const (
	backupFormat  = "kith-keyring-backup/1"
	backupPurpose = "backup"
)

var (
	// ErrBackup means data that is no backup of a keyring, or was altered.
	ErrBackup = errors.New("keyring: not a backup of a keyring, or altered")
	// ErrExists means that the store has a keyring, which a restored one would replace.
	ErrExists = errors.New("keyring: the store has a keyring")
)

// backup is the form of a backup.
type backup struct {
	Format string `json:"format"`
	Master string `json:"master"` // which master key it is sealed under
	Sealed []byte `json:"sealed"` // nonce 12, the fields of the keyring as JSON, authentication tag 16
}

// Backup returns a copy of the keyring, sealed under the master key that the keyring is sealed under, with randomness of
// rand. It has the keys of all epochs that are not over, and no registrations: those are backed up with Redis. A backup
// that is older than an epoch does not have it, so one is made after each rotation.
//
// It returns the reader's error, and the errors of Open.
func Backup(ctx context.Context, rdb redis.UniversalClient, masters []MasterKey, rand io.Reader) ([]byte, error) {
	fields, err := readFields(ctx, rdb)
	if err != nil {
		return nil, err
	}
	snapshot, err := open(fields, masters)
	if err != nil {
		return nil, err
	}
	plain := make(map[string][]byte, len(fields))
	for field, value := range fields {
		plain[field] = []byte(value)
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	sealed, err := snapshot.master.sealBytes(rand, backupPurpose, text)
	if err != nil {
		return nil, err
	}
	return json.Marshal(backup{Format: backupFormat, Master: snapshot.master.id(), Sealed: sealed})
}

// Directory is what Restore needs of the directory; *directory.Store is one.
type Directory interface {
	Fences
	// Count returns directory.ErrIncomplete if a partition of the epoch is missing.
	Count(ctx context.Context, layout directory.Layout) (directory.Counts, error)
}

// RestoreOptions say how a backup is restored.
type RestoreOptions struct {
	Masters   []MasterKey // one of which it is sealed under
	Directory Directory
	Rand      io.Reader
	// Empty says that the registrations of the active epoch are lost, in part at least, and that the caller makes its missing
	// partitions anew. Without it, they have to be there.
	Empty bool
}

// Restored says what Restore has done.
type Restored struct {
	Generation uint64
	// Orphans are epochs that the directory has partitions of and the backup does not know. Their registrations can not be
	// read any more.
	Orphans []uint32
	// Retired and Aborted are epochs that were draining or staged in the backup, and that partitions are missing of: they
	// came to their end since, and are restored as that.
	Retired, Aborted []uint32
}

// MissingError means a backup whose active epoch has not all its partitions in the directory.
type MissingError struct {
	Epoch uint32
	// Orphans are later epochs that the directory has partitions of and the backup does not know. If there are any, Epoch was
	// retired and removed since.
	Orphans []uint32
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("keyring: the store lacks partitions of epoch %d, which is active in the backup", e.Epoch)
}

// Restore writes a backup to a store that has no keyring. Its generation is set above that of every write to the
// directory, and the next epoch gets an id that was not used as far as can be seen. What is draining or staged in the
// backup and was removed since is not brought back: registrations would go to partitions that are not there, and be
// refused.
//
// The key log is restored as it was, with an entry for a staged epoch that ends here: devices that saw a later checkpoint
// refuse it as rolled back.
//
// It returns ErrBackup, ErrExists, ErrFence, a *MissingError, the errors of the directory and those of Open.
func Restore(ctx context.Context, rdb redis.UniversalClient, data []byte, o RestoreOptions) (Restored, error) {
	fields, snapshot, err := openBackup(data, o.Masters)
	if err != nil {
		return Restored{}, err
	}
	if exists, err := Exists(ctx, rdb); err != nil || exists {
		return Restored{}, cmp.Or(err, ErrExists)
	}
	found, err := snapshot.survey(ctx, o.Directory)
	if err != nil {
		return Restored{}, err
	}
	r := Restored{Generation: max(snapshot.Generation, found.generation) + 1, Orphans: found.orphans}
	now, err := serverTime(ctx, rdb)
	if err != nil {
		return Restored{}, err
	}
	e := snapshot.edit(o.Rand)
	if err := r.endMissing(ctx, snapshot, e, o, now); err != nil {
		return Restored{}, err
	}
	e.set(fieldNextEpoch, strconv.FormatUint(uint64(found.next), 10))
	delete(fields, fieldGeneration)
	pairs := make([]any, 0, 2*len(fields)+len(e.fields))
	for field, value := range fields {
		pairs = append(pairs, field, value)
	}
	err = replace(ctx, rdb, 0, r.Generation, append(pairs, e.fields...)...) // of two values of a field, the later stays
	if errors.Is(err, ErrChanged) {
		return Restored{}, ErrExists
	}
	return r, err
}

// endMissing ends the epochs of a backup that partitions are missing of, all but the active one. It returns a
// *MissingError for that one, and the errors of the directory.
func (r *Restored) endMissing(ctx context.Context, s *Snapshot, e *edit, o RestoreOptions, now time.Time) error {
	for _, epoch := range s.Epochs {
		if !epoch.Written() {
			continue
		}
		_, err := o.Directory.Count(ctx, epoch.Layout)
		if err != nil && !errors.Is(err, directory.ErrIncomplete) && !errors.Is(err, directory.ErrRecord) {
			return err
		}
		if !errors.Is(err, directory.ErrIncomplete) {
			continue
		}
		switch {
		case epoch.State == StateDraining:
			err = r.retire(s, epoch, e, now)
		case epoch.State == StateStaged && epoch.From != 0:
			r.Aborted = append(r.Aborted, epoch.ID)
			err = errors.Join(e.enterAborted(epoch, now), e.put(epoch.ended(StateAborted, now)))
		case o.Empty:
			err = nil
		default:
			return &MissingError{Epoch: epoch.ID, Orphans: r.Orphans}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// retire ends a draining epoch. It was removed after the one that follows was settled, which the backup may not say yet.
func (r *Restored) retire(s *Snapshot, epoch *Epoch, e *edit, now time.Time) error {
	r.Retired = append(r.Retired, epoch.ID)
	if next := s.successor(epoch.ID); next != nil && next.Settled.IsZero() {
		settled := *next
		settled.Settled = now
		if err := e.put(&settled); err != nil {
			return err
		}
	}
	return e.put(epoch.ended(StateRetired, now))
}

// openBackup returns the fields of a backup and the keyring in them.
func openBackup(data []byte, masters []MasterKey) (map[string]string, *Snapshot, error) {
	var b backup
	if err := json.Unmarshal(data, &b); err != nil || b.Format != backupFormat {
		return nil, nil, ErrBackup
	}
	master, err := choose(masters, b.Master)
	if err != nil {
		return nil, nil, err
	}
	text, err := master.openBytes(backupPurpose, b.Sealed)
	if err != nil {
		return nil, nil, ErrBackup
	}
	var plain map[string][]byte
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, nil, ErrBackup
	}
	fields := make(map[string]string, len(plain))
	for field, value := range plain {
		fields[field] = string(value)
	}
	snapshot, err := open(fields, masters)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return fields, snapshot, nil
}
