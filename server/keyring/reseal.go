package keyring

import (
	"context"
	"errors"
	"io"

	"github.com/redis/go-redis/v9"
)

// Reseal seals all keys of the keyring anew, under the master key to, with randomness of rand. masters are those that it may be sealed under now.
// Servers that know both master keys go on meanwhile; those that know only the old one refuse to answer from then on. On a
// keyring that is sealed under to already it does nothing.
//
// It does not change the keys themselves: whoever has an older copy of the keyring and the old master key has them still.
//
// It returns ErrChanged if others always came first, the reader's error, and the errors of Open.
func Reseal(ctx context.Context, rdb redis.UniversalClient, masters []MasterKey, to MasterKey, rand io.Reader) error {
	for range edits {
		fields, err := readFields(ctx, rdb)
		if err != nil {
			return err
		}
		if fields[fieldMaster] == to.id() {
			_, err := open(fields, []MasterKey{to})
			return err
		}
		snapshot, err := open(fields, masters)
		if err != nil {
			return err
		}
		e, err := snapshot.reseal(fields, to, rand)
		if err != nil {
			return err
		}
		if err := swap(ctx, rdb, snapshot.Generation, e.fields...); !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return ErrChanged
}

// reseal returns the edit that seals everything under another master key.
func (s *Snapshot) reseal(fields map[string]string, to MasterKey, rand io.Reader) (*edit, error) {
	e := &edit{rand: rand, master: to}
	e.set(fieldMaster, to.id())
	for field, purpose := range map[string]string{fieldAccountKey: accountKeyPurpose, fieldLogKey: logKeyPurpose} {
		if fields[field] == "" {
			continue
		}
		key, err := s.master.open(purpose, []byte(fields[field]))
		if err != nil {
			return nil, err
		}
		sealed, err := to.seal(rand, purpose, key)
		key.Wipe()
		if err != nil {
			return nil, err
		}
		e.set(field, sealed)
	}
	for _, epoch := range s.Epochs {
		if err := e.put(epoch); err != nil {
			return nil, err
		}
	}
	return e, nil
}
