package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/redis/go-redis/v9"
)

// FilterName names the kind of filter that shards hold, in manifests.
const FilterName = "binary-fuse-16"

// maxShardBits is the largest number of bits that a tag's prefix can have.
const maxShardBits = 32

// ID names a shard: the SHA-256 of its bytes. Its text is unpadded base64url, 43 characters.
type ID [sha256.Size]byte

// idEncoding refuses trailing bits that are not zero, so that an id has one text.
var idEncoding = base64.RawURLEncoding.Strict()

// ParseID returns the id with this text. It returns ErrNotFound if there is none, since no shard has such a name.
func ParseID(text string) (ID, error) {
	var id ID
	if err := id.UnmarshalText([]byte(text)); err != nil {
		return ID{}, ErrNotFound
	}
	return id, nil
}

// String returns the text of the id.
func (id ID) String() string {
	return idEncoding.EncodeToString(id[:])
}

// MarshalText returns the text of the id. The error is always nil.
func (id ID) MarshalText() ([]byte, error) {
	return []byte(id.String()), nil
}

// UnmarshalText sets id to the one with this text, or returns ErrManifest and leaves id as it was.
func (id *ID) UnmarshalText(text []byte) error {
	b, err := idEncoding.DecodeString(string(text))
	if err != nil || len(b) != len(id) || ID(b).String() != string(text) {
		return ErrManifest
	}
	*id = ID(b)
	return nil
}

// Manifest lists the shards of one set. Its JSON is what devices read.
type Manifest struct {
	// Epoch is whose tags are in the set.
	Epoch uint32 `json:"epoch"`
	// Created is when building began, in ms since 1970: what was hidden before is not in the set.
	Created int64 `json:"created_ms"`
	// MaxAge is how many seconds after Created the set must no longer be used.
	MaxAge int64 `json:"max_age"`
	// Filter is FilterName.
	Filter string `json:"filter"`
	// ShardBits is how many top bits of a tag give its shard.
	ShardBits uint8 `json:"shard_bits"`
	// Keys is the number of tags in all shards, and Bytes their length together.
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes"`
	// ChangesSince is the position in the feed from which changes are to be read on top of the set.
	ChangesSince Position `json:"changes_since"`
	// ChangesBytesADay is how long the feed's entries of one day are, measured over the last day; of a feed that is
	// younger, extrapolated from what it has, at most 24 times as much.
	ChangesBytesADay int64 `json:"changes_bytes_a_day"`
	// Shards are the 2^ShardBits shards in order.
	Shards []Shard `json:"shards"`
}

// Shard is one shard of a set.
type Shard struct {
	// Shard is its number: the top bits of its tags.
	Shard uint32 `json:"shard"`
	// ID is the SHA-256 of its bytes.
	ID ID `json:"id"`
	// Keys is the number of its tags, and Bytes its length.
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes"`
}

// ParseManifest decodes the JSON of a manifest. Members that it does not know are ignored. It returns ErrManifest if the
// JSON is malformed or the manifest contradicts itself: another filter, shards missing or out of order, sums that are
// not those of the shards.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, ErrManifest
	}
	if err := m.validate(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// validate returns ErrManifest if the manifest contradicts itself.
func (m *Manifest) validate() error {
	if m.Epoch == 0 || m.Created <= 0 || m.MaxAge <= 0 || m.Filter != FilterName || m.ChangesSince.Generation == 0 ||
		m.ChangesBytesADay < 0 || m.ShardBits > maxShardBits || uint64(len(m.Shards)) != 1<<m.ShardBits {
		return ErrManifest
	}
	var keys, bytes int64
	for i, shard := range m.Shards {
		if uint64(shard.Shard) != uint64(i) || shard.Keys < 0 || shard.Keys > m.Keys-keys ||
			shard.Bytes < 0 || shard.Bytes > m.Bytes-bytes {
			return ErrManifest
		}
		keys += shard.Keys
		bytes += shard.Bytes
	}
	if keys != m.Keys || bytes != m.Bytes {
		return ErrManifest
	}
	return nil
}

// lists reports whether the manifest has a shard of this id.
func (m *Manifest) lists(id ID) bool {
	for _, shard := range m.Shards {
		if shard.ID == id {
			return true
		}
	}
	return false
}

// readManifest returns the manifest of an epoch and its JSON. It returns ErrNone, ErrManifest or ErrUnavailable.
func readManifest(ctx context.Context, rdb redis.UniversalClient, k keys) (Manifest, []byte, error) {
	text, err := rdb.Get(ctx, k.manifest).Bytes()
	if errors.Is(err, redis.Nil) {
		return Manifest{}, nil, ErrNone
	}
	if err != nil {
		return Manifest{}, nil, unavailable(err)
	}
	m, err := ParseManifest(text)
	if err != nil {
		return Manifest{}, nil, err
	}
	return m, text, nil
}
