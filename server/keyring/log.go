package keyring

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
)

// The key log stands in the keyring itself, so that an epoch and its entry are made by one compare-and-set.
const (
	fieldLogKey        = "log-key"
	fieldLogOrigin     = "log-origin"
	fieldLogCheckpoint = "log-checkpoint"
	prefixLogEntry     = "log:"

	logKeyPurpose = "log-key"
)

func logField(n int) string { return prefixLogEntry + strconv.Itoa(n) }

// openLog reads the log from the fields of a keyring. A log whose checkpoint does not cover its entries, or is not signed
// with its key, is ErrRecord.
func (s *Snapshot) openLog(fields map[string]string) error {
	sealed := fields[fieldLogKey]
	if sealed == "" {
		return nil
	}
	seed, err := s.master.open(logKeyPurpose, []byte(sealed))
	if err != nil {
		return err
	}
	defer seed.Wipe()
	if s.signer, err = keylog.NewSigner(fields[fieldLogOrigin], seed); err != nil {
		return ErrRecord
	}
	for n := 0; fields[logField(n)] != ""; n++ {
		s.Log.Entries = append(s.Log.Entries, fields[logField(n)])
	}
	s.Log.Checkpoint = fields[fieldLogCheckpoint]
	verifier, err := keylog.ParseVerifierKey(s.signer.VerifierKey())
	if err != nil {
		return ErrRecord
	}
	view, err := keylog.Verify(s.Log, verifier, keylog.Options{})
	if err != nil || !s.logs(view) {
		return ErrRecord
	}
	return nil
}

// logs reports whether the log has the key of every epoch that is in use.
func (s *Snapshot) logs(view *keylog.View) bool {
	for _, e := range s.Epochs {
		if key, logged := view.Key(e.ID); !e.Over() && (!logged || string(key[:]) != string(e.PublicKey.Bytes())) {
			return false
		}
	}
	return true
}

// newLog adds the fields of an empty log to an edit. An empty origin has a random one made.
func (e *edit) newLog(origin string) error {
	var seed secret.Value
	if _, err := io.ReadFull(e.rand, seed[:]); err != nil {
		return fmt.Errorf("keyring: reading randomness: %w", err)
	}
	defer seed.Wipe()
	if origin == "" {
		var name [8]byte
		if _, err := io.ReadFull(rand.Reader, name[:]); err != nil {
			return fmt.Errorf("keyring: reading randomness: %w", err)
		}
		origin = "kith-" + hex.EncodeToString(name[:])
	}
	var err error
	if e.signer, err = keylog.NewSigner(origin, seed); err != nil {
		return err
	}
	sealed, err := e.master.seal(e.rand, logKeyPurpose, seed)
	if err != nil {
		return err
	}
	e.set(fieldLogKey, sealed)
	e.set(fieldLogOrigin, origin)
	return nil
}

// enter adds an epoch's entry to the log.
func (e *edit) enter(epoch *Epoch, at time.Time) error {
	entry := keylog.Entry{Event: keylog.EventEpoch, Epoch: epoch.ID, Suite: voprf.Suite, Time: at}
	copy(entry.PublicKey[:], epoch.PublicKey.Bytes())
	return e.appendLog(entry)
}

// enterAborted adds to the log that an epoch will never be active.
func (e *edit) enterAborted(epoch *Epoch, at time.Time) error {
	return e.appendLog(keylog.Entry{Event: keylog.EventAborted, Epoch: epoch.ID, Time: at})
}

func (e *edit) appendLog(entry keylog.Entry) error {
	log, err := keylog.Append(e.log, e.signer, entry)
	if err != nil {
		return err
	}
	e.set(logField(len(log.Entries)-1), log.Entries[len(log.Entries)-1])
	e.set(fieldLogCheckpoint, log.Checkpoint)
	e.log = log
	return nil
}

// ErrNoLog means a keyring that has no key log.
var ErrNoLog = errors.New("keyring: there is no key log")
