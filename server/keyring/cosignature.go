package keyring

import (
	"context"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
)

// AddCosignature adds a witness's signature line to the present checkpoint of the key log. It returns the errors of
// keylog.AddCosignature, ErrNoLog, and those of Open.
func (k *Keyring) AddCosignature(ctx context.Context, witness *keylog.Witness, line string) error {
	return k.change(ctx, func(s *Snapshot, e *edit, _ time.Time) error {
		if s.signer == nil {
			return ErrNoLog
		}
		note, err := keylog.AddCosignature(s.Log.Checkpoint, line, witness)
		if err != nil || note == s.Log.Checkpoint {
			return err
		}
		e.set(fieldLogCheckpoint, note)
		return nil
	})
}
