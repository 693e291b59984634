package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
)

// State is where an epoch stands in its life.
type State string

// The states of an epoch, in the order it goes through them. Today the first epoch goes from StateStaged to StateActive.
const (
	StateStaged   State = "staged"   // has a key and takes registrations, is not shown to devices
	StateActive   State = "active"   // what devices use
	StateDraining State = "draining" // still answers devices that have not moved on
	StateRetired  State = "retired"  // its private key is destroyed
	StateAborted  State = "aborted"  // was staged and never became active
)

// ErrRecord means an epoch in the store that can not be read: not JSON of this version, or keys that do not fit.
var ErrRecord = errors.New("keyring: an epoch's record can not be read")

// Epoch is one generation of the OPRF key, opened. Its fields are read-only.
type Epoch struct {
	ID      uint32
	State   State
	Key     *voprf.PrivateKey
	Storage crypto.StorageKey
	Layout  directory.Layout
	// Slots is the number of short tags in the answer of every bucket. It only grows, by RaiseSlots.
	Slots   int
	Created time.Time
}

// known reports whether s is one of the states above. An epoch in another one was written by a later version of Kith,
// and leaving it out would make a directory that lacks its registrations.
func (s State) known() bool {
	switch s {
	case StateStaged, StateActive, StateDraining, StateRetired, StateAborted:
		return true
	default:
		return false
	}
}

// Written reports whether registrations go to this epoch.
func (e *Epoch) Written() bool {
	return e.State == StateStaged || e.State == StateActive || e.State == StateDraining
}

// Served reports whether devices may use this epoch.
func (e *Epoch) Served() bool { return e.State == StateActive || e.State == StateDraining }

// record is an epoch as stored. Bytes are base64 as encoding/json writes them.
type record struct {
	Format        int    `json:"format"` // 1
	ID            uint32 `json:"id"`
	State         State  `json:"state"`
	Suite         string `json:"suite"`
	PublicKey     []byte `json:"public_key"`  // 32 bytes
	PrivateKey    []byte `json:"private_key"` // sealed, 60 bytes
	StorageKey    []byte `json:"storage_key"` // sealed, 60 bytes
	PartitionBits uint8  `json:"partition_bits"`
	BucketBits    uint8  `json:"bucket_bits"`
	Slots         int    `json:"slots"`
	CreatedMS     int64  `json:"created_ms"` // Unix time in milliseconds
}

const recordFormat = 1

// The purposes for which an epoch's keys are sealed.
func privatePurpose(id uint32) string { return fmt.Sprintf("epoch:%d private", id) }
func storagePurpose(id uint32) string { return fmt.Sprintf("epoch:%d storage", id) }

// seal returns the stored form of an epoch.
func (e *Epoch) seal(rand io.Reader, master MasterKey) ([]byte, error) {
	private, err := master.seal(rand, privatePurpose(e.ID), e.Key.Value)
	if err != nil {
		return nil, err
	}
	storage, err := master.seal(rand, storagePurpose(e.ID), e.Storage.Value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(record{
		Format: recordFormat, ID: e.ID, State: e.State, Suite: voprf.Suite, PublicKey: e.Key.PublicKey().Bytes(),
		PrivateKey: private, StorageKey: storage, PartitionBits: e.Layout.PartitionBits,
		BucketBits: e.Layout.BucketBits, Slots: e.Slots, CreatedMS: e.Created.UnixMilli(),
	})
}

// openEpoch reads the stored form of the epoch id. It returns ErrRecord or ErrSealed; a public key that is not that of
// the private key is ErrRecord too.
func openEpoch(id uint32, data []byte, master MasterKey) (*Epoch, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil || r.Format != recordFormat || r.Suite != voprf.Suite || r.ID != id || !r.State.known() {
		return nil, ErrRecord
	}
	private, err := master.open(privatePurpose(id), r.PrivateKey)
	if err != nil {
		return nil, err
	}
	storage, err := master.open(storagePurpose(id), r.StorageKey)
	if err != nil {
		return nil, err
	}
	key, err := voprf.UnmarshalPrivateKey(private[:])
	if err != nil || string(key.PublicKey().Bytes()) != string(r.PublicKey) {
		return nil, ErrRecord
	}
	e := &Epoch{
		ID: id, State: r.State, Key: key, Storage: crypto.StorageKey{Value: storage},
		Layout: directory.Layout{Epoch: id, PartitionBits: r.PartitionBits, BucketBits: r.BucketBits},
		Slots:  r.Slots, Created: time.UnixMilli(r.CreatedMS),
	}
	if err := e.Layout.Validate(); err != nil || r.Slots < 1 {
		return nil, ErrRecord
	}
	return e, nil
}
