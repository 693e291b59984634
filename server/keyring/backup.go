package keyring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/redis/go-redis/v9"
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

// Restored says what Restore has done.
type Restored struct {
	Generation uint64
	// Orphans are epochs that the directory has partitions of and the backup does not know. Their registrations can not be
	// read any more.
	Orphans []uint32
}

// Restore writes a backup to a store that has no keyring. Its generation is set above that of every write to the
// directory, and the next epoch gets an id that was not used as far as can be seen.
//
// The key log is restored as it was: devices that saw a later checkpoint refuse it as rolled back.
//
// It returns ErrBackup, ErrExists, ErrFence, the errors of fences and those of Open.
func Restore(ctx context.Context, rdb redis.UniversalClient, data []byte, masters []MasterKey, fences Fences) (Restored, error) {
	fields, snapshot, err := openBackup(data, masters)
	if err != nil {
		return Restored{}, err
	}
	found, err := snapshot.survey(ctx, fences)
	if err != nil {
		return Restored{}, err
	}
	r := Restored{Generation: max(snapshot.Generation, found.generation) + 1, Orphans: found.orphans}
	fields[fieldNextEpoch] = strconv.FormatUint(uint64(found.next), 10)
	delete(fields, fieldGeneration)
	pairs := make([]any, 0, 2*len(fields))
	for field, value := range fields {
		pairs = append(pairs, field, value)
	}
	err = replace(ctx, rdb, 0, r.Generation, pairs...)
	if errors.Is(err, ErrChanged) {
		return Restored{}, ErrExists
	}
	return r, err
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
