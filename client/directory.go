package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

// maxDirectory bounds the answer to a directory request, in bytes.
const maxDirectory = 1 << 20

// The states of epochs that this client has to tell apart.
const (
	epochActive   = "active"
	epochDraining = "draining"
	epochRetired  = "retired"
	epochAborted  = "aborted"
)

// directory is what the server says of itself.
type directory struct {
	active      directoryEpoch
	publicKey   *voprf.PublicKey // of the epoch that is used, which at first is the active one
	figures     Figures          // of the epoch that is used
	epochs      []directoryEpoch
	migration   *migration // nil unless devices are to move to the active epoch within a window
	time        time.Time  // when it was answered, by the server's clock if it tells it
	modes       []Mode
	maxElements int // in one evaluation request, at most voprf.MaxBatch
	maxTags     int // in one exact lookup; 0 if the server does not say
	maxPrefixes int // in one lookup by bucket; 0 if the server does not say
	maxLabels   int // prefixes in one lookup by bucket with labels; 0 if the server does not say
}

type directoryEpoch struct {
	id      uint32
	state   string
	key     [voprf.ElementSize]byte
	figures Figures
}

// directoryMessage is the answer to GET /v1/directory. Members that are not here are ignored: servers may be newer.
type directoryMessage struct {
	Suite   string `json:"suite"`
	Mode    int    `json:"mode"`
	Profile string `json:"profile"`
	Epochs  []struct {
		ID         uint32 `json:"id"`
		State      string `json:"state"`
		PublicKey  string `json:"public_key"`
		BucketBits int    `json:"bucket_bits"`
		Slots      int    `json:"slots"`
		TagBytes   int    `json:"tag_bytes"`
		Snapshot   struct {
			Bytes            int64 `json:"bytes"`
			ChangesBytesADay int64 `json:"changes_bytes_a_day"`
		} `json:"snapshot"`
	} `json:"epochs"`
	Limits struct {
		MaxElements      int `json:"max_elements"`
		MaxTags          int `json:"max_tags"`
		MaxPrefixes      int `json:"max_prefixes"`
		MaxLabelPrefixes int `json:"max_label_prefixes"`
	} `json:"limits"`
	Modes     []Mode     `json:"modes"`
	Migration *migration `json:"migration"`
}

// fetchDirectory asks for the directory. It goes without the token, over the metered connection. Errors are those of
// call and of decodeDirectory.
func (c *Client) fetchDirectory(ctx context.Context) (*directory, error) {
	answered := time.Time{}
	body, err := c.call(ctx, request{
		name:   "directory",
		via:    c.metered,
		method: http.MethodGet,
		path:   "/v1/directory",
		accept: typeJSON,
		measure: func(h http.Header) (int, error) {
			answered = c.serverTime(h)
			return maxDirectory, nil
		},
	})
	if err != nil {
		return nil, err
	}
	d, err := decodeDirectory(body)
	if err != nil {
		return nil, err
	}
	d.time = answered
	return d, nil
}

// serverTime is the time in the header of an answer, which all devices agree on, or else that of this device. Browsers hide
// the header from other origins.
func (c *Client) serverTime(h http.Header) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return c.now()
}

// decodeDirectory returns ErrAnswer for what is no directory, *IncompatibleError for another protocol, and ErrNoEpoch.
func decodeDirectory(body []byte) (*directory, error) {
	var m directoryMessage
	if json.Unmarshal(body, &m) != nil {
		return nil, fmt.Errorf("%w: directory of a wrong form", ErrAnswer)
	}
	if err := m.compatible(); err != nil {
		return nil, err
	}
	if m.Limits.MaxElements <= 0 || m.Limits.MaxTags < 0 {
		return nil, fmt.Errorf("%w: directory without limits", ErrAnswer)
	}
	d := &directory{
		modes:       m.Modes,
		maxElements: min(m.Limits.MaxElements, voprf.MaxBatch),
		maxTags:     m.Limits.MaxTags,
		maxPrefixes: m.Limits.MaxPrefixes,
		maxLabels:   m.Limits.MaxLabelPrefixes,
		migration:   m.Migration,
	}
	for _, e := range m.Epochs {
		epoch := directoryEpoch{id: e.ID, state: e.State}
		epoch.figures = Figures{e.BucketBits, e.Slots, e.TagBytes, e.Snapshot.Bytes, e.Snapshot.ChangesBytesADay}
		if !decodeExactly(epoch.key[:], e.PublicKey) {
			return nil, fmt.Errorf("%w: public key of a wrong length", ErrAnswer)
		}
		if slices.ContainsFunc(d.epochs, func(other directoryEpoch) bool { return other.id == e.ID }) {
			return nil, fmt.Errorf("%w: directory with an epoch twice", ErrAnswer)
		}
		d.epochs = append(d.epochs, epoch)
	}
	if m.Migration != nil && !m.Migration.valid() {
		return nil, fmt.Errorf("%w: directory with a migration that contradicts itself", ErrAnswer)
	}
	return d, d.findActive()
}

func (m *directoryMessage) compatible() error {
	switch {
	case m.Suite != voprf.Suite:
		return &IncompatibleError{"suite", voprf.Suite}
	case m.Mode != voprf.Mode:
		return &IncompatibleError{"mode", fmt.Sprint(voprf.Mode)}
	case m.Profile != normalize.Profile:
		return &IncompatibleError{"profile", normalize.Profile}
	default:
		return nil
	}
}

// findActive sets the active epoch, of which there must be exactly one, and uses it.
func (d *directory) findActive() error {
	at := slices.IndexFunc(d.epochs, directoryEpoch.isActive)
	if at < 0 {
		return ErrNoEpoch
	}
	if slices.ContainsFunc(d.epochs[at+1:], directoryEpoch.isActive) {
		return fmt.Errorf("%w: two active epochs", ErrAnswer)
	}
	d.active = d.epochs[at]
	return d.use(d.active)
}

// use makes the key and the figures of an epoch those of d. It returns ErrAnswer if the key is none.
func (d *directory) use(e directoryEpoch) error {
	key, err := voprf.UnmarshalPublicKey(e.key[:])
	if err != nil {
		return fmt.Errorf("%w: public key: %w", ErrAnswer, err)
	}
	d.publicKey, d.figures = key, e.figures
	return nil
}

// check returns ErrMode if the server does not offer a mode, and ErrAnswer if it does without the limits and figures that
// the mode needs.
func (d *directory) check(m Mode) error {
	if !slices.Contains(d.modes, m) {
		return fmt.Errorf("%w: the server does not offer %s", ErrMode, m)
	}
	f := d.figures
	complete := true
	switch m {
	case ModeExact:
		complete = d.maxTags > 0
	case ModeBucket:
		complete = d.maxPrefixes > 0 && d.maxLabels > 0 && f.BucketBits >= 0 && f.BucketBits <= crypto.MaxPrefixBits &&
			validFormat(f.Slots, f.TagBytes)
	case ModeSnapshot:
		complete = f.SnapshotBytes >= 0 && f.ChangesBytesADay >= 0
	}
	if !complete {
		return fmt.Errorf("%w: directory without the limits or figures of mode %s", ErrAnswer, m)
	}
	return nil
}

func (e directoryEpoch) isActive() bool { return e.state == epochActive }

// isServed reports whether the epoch answers evaluations and lookups.
func (e directoryEpoch) isServed() bool { return e.isActive() || e.state == epochDraining }

// draining returns the epoch of that id if the directory lists it as draining.
func (d *directory) draining(id uint32) (directoryEpoch, bool) {
	at := slices.IndexFunc(d.epochs, func(e directoryEpoch) bool { return e.id == id && e.state == epochDraining })
	if at < 0 {
		return directoryEpoch{}, false
	}
	return d.epochs[at], true
}

// inUse reports whether the directory lists the epoch as one that may still be asked, now or later.
func (d *directory) inUse(id uint32) bool {
	return slices.ContainsFunc(d.epochs, func(e directoryEpoch) bool {
		return e.id == id && e.state != epochRetired && e.state != epochAborted
	})
}

// checkKeys compares the public keys with the pin, if there is one, and with those that s remembers. It returns
// ErrKeyChanged.
func (d *directory) checkKeys(s *state, pin []byte) error {
	if pin != nil && !slices.Equal(pin, d.active.key[:]) {
		return ErrKeyChanged
	}
	for _, e := range d.epochs {
		if known := s.epoch(e.id); known != nil && known.publicKey != e.key {
			return ErrKeyChanged
		}
	}
	return nil
}
