package keyring

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
)

// record is an epoch as stored. Bytes are base64 as encoding/json writes them, times are Unix times in milliseconds, and
// what has not happened is absent.
type record struct {
	Format        int    `json:"format"` // 1
	ID            uint32 `json:"id"`
	State         State  `json:"state"`
	Suite         string `json:"suite"`
	PublicKey     []byte `json:"public_key"`            // 32 bytes
	PrivateKey    []byte `json:"private_key,omitempty"` // sealed, 60 bytes; absent once the epoch is over
	StorageKey    []byte `json:"storage_key,omitempty"` // sealed, 60 bytes; absent once the epoch is over
	PartitionBits uint8  `json:"partition_bits"`
	BucketBits    uint8  `json:"bucket_bits"`
	Parity        uint8  `json:"parity,omitempty"`
	Slots         int    `json:"slots"`
	CreatedMS     int64  `json:"created_ms"`

	From        uint32 `json:"from,omitempty"`
	Prepared    bool   `json:"prepared,omitempty"`
	CopiedMS    int64  `json:"copied_ms,omitempty"`
	VerifiedMS  int64  `json:"verified_ms,omitempty"`
	ActivatedMS int64  `json:"activated_ms,omitempty"`
	SettledMS   int64  `json:"settled_ms,omitempty"`
	RetireAtMS  int64  `json:"retire_at_ms,omitempty"`
	EndedMS     int64  `json:"ended_ms,omitempty"`
	Swept       int    `json:"swept,omitempty"`
	LastSweptMS int64  `json:"last_swept_ms,omitempty"`
	Auto        bool   `json:"auto,omitempty"`
	WindowMS    int64  `json:"window_ms,omitempty"`
	DrainMS     int64  `json:"drain_ms,omitempty"`
	Accepted    int    `json:"accepted,omitempty"`
}

const recordFormat = 1

// The purposes for which an epoch's keys are sealed.
func privatePurpose(id uint32) string { return fmt.Sprintf("epoch:%d private", id) }
func storagePurpose(id uint32) string { return fmt.Sprintf("epoch:%d storage", id) }

// seal returns the stored form of an epoch, without keys once it is over.
func (e *Epoch) seal(rand io.Reader, master MasterKey) ([]byte, error) {
	r := record{
		Format: recordFormat, ID: e.ID, State: e.State, Suite: voprf.Suite, PublicKey: e.PublicKey.Bytes(),
		PartitionBits: e.Layout.PartitionBits, BucketBits: e.Layout.BucketBits, Parity: e.Layout.Parity,
		Slots: e.Slots, CreatedMS: milliseconds(e.Created),
		From: e.From, Prepared: e.Prepared, CopiedMS: milliseconds(e.Copied), VerifiedMS: milliseconds(e.Verified),
		ActivatedMS: milliseconds(e.Activated), SettledMS: milliseconds(e.Settled), RetireAtMS: milliseconds(e.RetireAt),
		EndedMS: milliseconds(e.Ended), Swept: e.Swept, LastSweptMS: milliseconds(e.LastSwept),
		Auto: e.Auto, WindowMS: e.Window.Milliseconds(), DrainMS: e.Drain.Milliseconds(), Accepted: e.Accepted,
	}
	if e.Over() {
		return json.Marshal(r)
	}
	var err error
	if r.PrivateKey, err = master.seal(rand, privatePurpose(e.ID), e.Key.Value); err != nil {
		return nil, err
	}
	if r.StorageKey, err = master.seal(rand, storagePurpose(e.ID), e.Storage.Value); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// openEpoch reads the stored form of the epoch id. It returns ErrRecord or ErrSealed; a public key that is not that of
// the private key is ErrRecord too.
func openEpoch(id uint32, data []byte, master MasterKey) (*Epoch, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil || r.Format != recordFormat || r.Suite != voprf.Suite || r.ID != id || !r.State.known() {
		return nil, ErrRecord
	}
	public, err := voprf.UnmarshalPublicKey(r.PublicKey)
	if err != nil {
		return nil, ErrRecord
	}
	e := &Epoch{
		ID: id, State: r.State, PublicKey: public,
		Layout: directory.Layout{Epoch: id, PartitionBits: r.PartitionBits, BucketBits: r.BucketBits, Parity: r.Parity},
		Slots:  r.Slots, Created: instant(r.CreatedMS),
		From: r.From, Prepared: r.Prepared, Copied: instant(r.CopiedMS), Verified: instant(r.VerifiedMS),
		Activated: instant(r.ActivatedMS), Settled: instant(r.SettledMS), RetireAt: instant(r.RetireAtMS),
		Ended: instant(r.EndedMS), Swept: r.Swept, LastSwept: instant(r.LastSweptMS),
		Auto: r.Auto, Window: time.Duration(r.WindowMS) * time.Millisecond, Drain: time.Duration(r.DrainMS) * time.Millisecond,
		Accepted: r.Accepted,
	}
	if err := e.Layout.Validate(); err != nil || r.Slots < 1 || r.From >= id || !r.plausible() {
		return nil, ErrRecord
	}
	if err := e.openKeys(r, master); err != nil {
		return nil, err
	}
	return e, nil
}

// plausible reports whether the durations of a record are such as Stage takes: longer ones would overflow a time.Duration.
func (r *record) plausible() bool {
	const most = int64(10 * 365 * 24 * time.Hour / time.Millisecond)
	return r.WindowMS >= 0 && r.WindowMS <= r.DrainMS && r.DrainMS <= most
}

// openKeys opens the keys of an epoch that has some.
func (e *Epoch) openKeys(r record, master MasterKey) error {
	if e.Over() {
		if len(r.PrivateKey) != 0 || len(r.StorageKey) != 0 {
			return ErrRecord // destroyed keys are not there
		}
		return nil
	}
	private, err := master.open(privatePurpose(e.ID), r.PrivateKey)
	if err != nil {
		return err
	}
	defer private.Wipe()
	storage, err := master.open(storagePurpose(e.ID), r.StorageKey)
	if err != nil {
		return err
	}
	key, err := voprf.UnmarshalPrivateKey(private[:])
	if err != nil || !key.PublicKey().Equal(e.PublicKey) {
		return ErrRecord
	}
	e.Key, e.Storage = key, crypto.StorageKey{Value: storage}
	return nil
}

// milliseconds returns the stored form of a time, 0 for none.
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant is the reverse of milliseconds.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
