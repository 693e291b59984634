package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

// maxDirectory bounds the answer to a directory request, in bytes.
const maxDirectory = 1 << 20

// The states of epochs that this client has to tell apart.
const (
	epochActive  = "active"
	epochRetired = "retired"
	epochAborted = "aborted"
)

// directory is what the server says of itself.
type directory struct {
	active      directoryEpoch
	publicKey   *voprf.PublicKey // of the active epoch
	epochs      []directoryEpoch
	modes       []Mode
	maxElements int // in one evaluation request, at most voprf.MaxBatch
	maxTags     int // in one exact lookup; 0 if the server does not say
}

type directoryEpoch struct {
	id    uint32
	state string
	key   [voprf.ElementSize]byte
}

// directoryMessage is the answer to GET /v1/directory. Members that are not here are ignored: servers may be newer.
type directoryMessage struct {
	Suite   string `json:"suite"`
	Mode    int    `json:"mode"`
	Profile string `json:"profile"`
	Epochs  []struct {
		ID        uint32 `json:"id"`
		State     string `json:"state"`
		PublicKey string `json:"public_key"`
	} `json:"epochs"`
	Limits struct {
		MaxElements int `json:"max_elements"`
		MaxTags     int `json:"max_tags"`
	} `json:"limits"`
	Modes []Mode `json:"modes"`
}

// fetchDirectory asks for the directory. It goes without the token, over the metered connection. Errors are those of
// call and of decodeDirectory.
func (c *Client) fetchDirectory(ctx context.Context) (*directory, error) {
	body, err := c.call(ctx, request{
		name:   "directory",
		via:    c.metered,
		method: http.MethodGet,
		path:   "/v1/directory",
		accept: typeJSON,
		limit:  maxDirectory,
	})
	if err != nil {
		return nil, err
	}
	return decodeDirectory(body)
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
	}
	for _, e := range m.Epochs {
		epoch := directoryEpoch{id: e.ID, state: e.State}
		if !decodeExactly(epoch.key[:], e.PublicKey) {
			return nil, fmt.Errorf("%w: public key of a wrong length", ErrAnswer)
		}
		d.epochs = append(d.epochs, epoch)
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

// findActive sets the active epoch, of which there must be exactly one.
func (d *directory) findActive() error {
	at := slices.IndexFunc(d.epochs, directoryEpoch.isActive)
	if at < 0 {
		return ErrNoEpoch
	}
	if slices.ContainsFunc(d.epochs[at+1:], directoryEpoch.isActive) {
		return fmt.Errorf("%w: two active epochs", ErrAnswer)
	}
	d.active = d.epochs[at]
	var err error
	if d.publicKey, err = voprf.UnmarshalPublicKey(d.active.key[:]); err != nil {
		return fmt.Errorf("%w: public key: %w", ErrAnswer, err)
	}
	return nil
}

func (e directoryEpoch) isActive() bool { return e.state == epochActive }

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
