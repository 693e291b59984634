package client

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// maxManifest bounds a manifest, in bytes: 65,536 shards.
	maxManifest = 16 << 20
	// maxShard bounds a shard, in bytes.
	maxShard     = 256 << 20
	maxShardBits = 16
	filterName   = "binary-fuse-16"
)

// manifest lists the shards of a snapshot, in the form of the answer to GET /v1/epochs/{e}/snapshot.
type manifest struct {
	Epoch        uint32  `json:"epoch"`
	CreatedMS    int64   `json:"created_ms"`
	MaxAge       int64   `json:"max_age"` // in seconds from then
	Filter       string  `json:"filter"`
	ShardBits    int     `json:"shard_bits"`
	Bytes        int64   `json:"bytes"` // of all shards
	ChangesSince string  `json:"changes_since"`
	Shards       []shard `json:"shards"`
}

type shard struct {
	Number uint32 `json:"shard"`
	ID     string `json:"id"` // SHA-256 of the bytes, in base64url
	Bytes  int64  `json:"bytes"`
}

// requestManifest asks for the manifest of the epoch. Errors are those of call, ErrAnswer for one that contradicts itself, and
// *IncompatibleError for another kind of filter.
func (r *run) requestManifest(ctx context.Context) (*manifest, error) {
	body, err := r.callLookup(ctx, request{
		name:   "snapshot",
		method: http.MethodGet,
		path:   fmt.Sprintf("/v1/epochs/%d/snapshot", r.epoch.id),
		accept: typeJSON,
		limit:  maxManifest,
	})
	if err != nil {
		return nil, err
	}
	return decodeManifest(body, r.epoch.id)
}

// decodeManifest decodes the manifest of an epoch. It returns ErrAnswer and *IncompatibleError.
func decodeManifest(body []byte, epoch uint32) (*manifest, error) {
	m := new(manifest)
	if json.Unmarshal(body, m) != nil || m.Epoch != epoch || !m.valid() {
		return nil, fmt.Errorf("%w: snapshot that contradicts itself", ErrAnswer)
	}
	if m.Filter != filterName {
		return nil, &IncompatibleError{"filter", filterName}
	}
	return m, nil
}

// valid reports whether the manifest lists each shard once, in order, with sums that are right.
func (m *manifest) valid() bool {
	if m.ShardBits < 0 || m.ShardBits > maxShardBits || len(m.Shards) != 1<<m.ShardBits || m.MaxAge <= 0 || m.CreatedMS <= 0 ||
		m.ChangesSince == "" || len(m.ChangesSince) > maxPosition {
		return false
	}
	var sum int64
	for i, s := range m.Shards {
		var id [sha256.Size]byte
		if s.Number != uint32(i) || s.Bytes <= 0 || s.Bytes > maxShard || !decodeExactly(id[:], s.ID) {
			return false
		}
		sum += s.Bytes
	}
	return sum == m.Bytes
}

// expired reports whether the snapshot is too old to be used. A device whose clock is wrong would find each one so: one
// that was fetched within the last hour is taken for good.
func (m *manifest) expired(fetched int64, now time.Time) bool {
	age := now.Unix() - fetched
	return age < 0 || age > 3600 && now.Unix() > m.CreatedMS/1000+m.MaxAge
}

// requestShard downloads a shard and checks that it is what its name says, whatever caches it came through: a wrong one
// would hide friends, or have the labels of strangers asked for.
func (r *run) requestShard(ctx context.Context, s shard) ([]byte, error) {
	data, err := r.callLookup(ctx, request{
		name:   "shard",
		method: http.MethodGet,
		path:   fmt.Sprintf("/v1/epochs/%d/snapshot/%s", r.epoch.id, s.ID),
		accept: typePacked,
		limit:  int(s.Bytes),
	})
	if err != nil {
		return nil, err
	}
	if !s.is(data) {
		return nil, fmt.Errorf("%w: a shard that is not what its name says", ErrAnswer)
	}
	return data, nil
}

// is reports whether data is the shard.
func (s shard) is(data []byte) bool {
	sum := sha256.Sum256(data)
	return base64url.EncodeToString(sum[:]) == s.ID
}
