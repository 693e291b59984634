package load

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
)

// ErrServer means a server that can not be loaded: what it says of itself is not what is expected.
var ErrServer = errors.New("load: server")

// directory is what is used of the answer to GET /v1/directory.
type directory struct {
	Suite  string           `json:"suite"`
	Epochs []directoryEpoch `json:"epochs"`
	Limits struct {
		MaxElements      int `json:"max_elements"`
		MaxTags          int `json:"max_tags"`
		MaxPrefixes      int `json:"max_prefixes"`
		MaxLabelPrefixes int `json:"max_label_prefixes"`
	} `json:"limits"`
	Modes []client.Mode `json:"modes"`
}

type directoryEpoch struct {
	ID         uint32 `json:"id"`
	State      string `json:"state"`
	PublicKey  string `json:"public_key"`
	BucketBits int    `json:"bucket_bits"`
}

// served is the epoch that a run is about, with the limits of requests.
type served struct {
	id        uint32
	publicKey *voprf.PublicKey
	bits      int // of a prefix

	maxElements, maxTags, maxPrefixes, maxLabels int
	modes                                        []client.Mode
}

// maxTagsPerRequest is the most that package client asks for at once.
const maxTagsPerRequest = 1 << 16

// readDirectory returns the active epoch of a directory, or ErrServer.
func readDirectory(body []byte) (*served, error) {
	var d directory
	if json.Unmarshal(body, &d) != nil || d.Suite != voprf.Suite {
		return nil, fmt.Errorf("%w: its directory is none of %s", ErrServer, voprf.Suite)
	}
	l := d.Limits
	if min(l.MaxElements, l.MaxTags, l.MaxPrefixes, l.MaxLabelPrefixes) < 1 {
		return nil, fmt.Errorf("%w: its directory has no limits", ErrServer)
	}
	for _, e := range d.Epochs {
		if e.State != "active" {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(e.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("%w: its public key can not be read", ErrServer)
		}
		key, err := voprf.UnmarshalPublicKey(raw)
		if err != nil || e.BucketBits < 0 || e.BucketBits > crypto.MaxPrefixBits {
			return nil, fmt.Errorf("%w: its epoch can not be used", ErrServer)
		}
		return &served{
			id: e.ID, publicKey: key, bits: e.BucketBits, modes: d.Modes, maxElements: min(l.MaxElements, voprf.MaxBatch),
			maxTags: min(l.MaxTags, maxTagsPerRequest), maxPrefixes: l.MaxPrefixes, maxLabels: l.MaxLabelPrefixes,
		}, nil
	}
	return nil, fmt.Errorf("%w: it has no active epoch", ErrServer)
}

// stillServed reports whether a later directory is of the same server and has the epoch under the same key.
func (s *served) stillServed(body []byte) bool {
	var d directory
	if json.Unmarshal(body, &d) != nil {
		return false
	}
	key := base64.RawURLEncoding.EncodeToString(s.publicKey.Bytes())
	return slices.ContainsFunc(d.Epochs, func(e directoryEpoch) bool {
		return e.ID == s.id && e.PublicKey == key && (e.State == "active" || e.State == "draining")
	})
}
