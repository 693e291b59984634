package load

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/kith-project/kith/crypto/filter"
)

const (
	// maxShardBits and maxPosition bound what a manifest may say.
	maxShardBits = 16
	maxPosition  = 1 << 10
	// maxSegments is how many answers of the feed a device follows.
	maxSegments = 10_000
	// aDay is what lies between two syncs of a known device.
	aDay = 24 * time.Hour
)

// manifest lists the shards of a snapshot, in the form of the answer to GET /v1/epochs/{e}/snapshot.
type manifest struct {
	MaxAge       int64   `json:"max_age"` // seconds
	ShardBits    int     `json:"shard_bits"`
	Bytes        int64   `json:"bytes"`
	Keys         int64   `json:"keys"`
	ChangesSince string  `json:"changes_since"`
	Shards       []shard `json:"shards"`
}

type shard struct {
	ID    string `json:"id"` // SHA-256 of the bytes, in base64url
	Bytes int64  `json:"bytes"`
}

// readManifest reads a manifest, and reports whether it is one.
func readManifest(body []byte) (*manifest, bool) {
	m := new(manifest)
	ok := json.Unmarshal(body, m) == nil && m.ShardBits >= 0 && m.ShardBits <= maxShardBits && len(m.Shards) == 1<<m.ShardBits &&
		m.ChangesSince != "" && len(m.ChangesSince) <= maxPosition
	return m, ok
}

func (v *visit) requestManifest(ctx context.Context) (*manifest, answer, error) {
	a, err := v.call(ctx, request{kind: KindManifest, method: http.MethodGet, url: v.g.path("snapshot"), accept: typeJSON})
	if err != nil {
		return nil, a, err
	}
	m, ok := readManifest(a.body)
	if !ok {
		return nil, a, v.g.checks.wrong(KindManifest, whatNotPublished)
	}
	return m, a, nil
}

// lookUpSnapshot fetches a snapshot and the changes to it, and looks contacts up in them. It returns who was found.
func (v *visit) lookUpSnapshot(ctx context.Context, contacts []*contact) (hits []*contact, err error) {
	m, _, err := v.requestManifest(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[*contact]bool)
	for number, s := range m.Shards {
		a, err := v.call(ctx, request{kind: KindShards, method: http.MethodGet, url: v.g.path("snapshot/" + s.ID), accept: typePacked})
		if err != nil {
			return nil, err
		}
		if int64(len(a.body)) != s.Bytes {
			return nil, v.g.checks.wrong(KindShards, whatLength)
		}
		if v.verify {
			if err := v.readShard(a.body, s, uint32(number), m.ShardBits, contacts, found); err != nil {
				return nil, err
			}
		}
	}
	last, changed, err := v.readChanges(ctx, m.ChangesSince)
	if err != nil {
		return nil, err
	}
	if !v.verify {
		return likelyHits(contacts), nil
	}
	return v.checkSnapshot(contacts, found, changed, last)
}

// readShard notes which contacts of a shard its filter contains.
func (v *visit) readShard(data []byte, s shard, number uint32, bits int, contacts []*contact, found map[*contact]bool) error {
	sum := sha256.Sum256(data)
	contains, err := filter.Unmarshal(data)
	if err != nil || base64.RawURLEncoding.EncodeToString(sum[:]) != s.ID {
		return v.g.checks.wrong(KindShards, whatShard)
	}
	for _, c := range contacts {
		if c.tag.Prefix(bits) == number && contains.Contains(c.tag) {
			found[c] = true
		}
	}
	return nil
}

// changed says by the beginnings of tags who became visible or is no more.
type changed map[filter.TagPrefix]bool

// readChanges reads the feed from a position to its end, which is where an answer's position is the one that was asked for.
func (v *visit) readChanges(ctx context.Context, since string) (last answer, all changed, err error) {
	all = make(changed)
	for range maxSegments {
		last, err = v.call(ctx, request{
			kind: KindChanges, method: http.MethodGet, url: v.g.path("changes?since=" + url.QueryEscape(since)), accept: typePacked,
		})
		if err != nil {
			return last, nil, err
		}
		next := last.header.Get("Kith-Next")
		changes, err := filter.ParseChanges(last.body)
		if err != nil || next == "" || len(next) > maxPosition {
			return last, nil, v.g.checks.wrong(KindChanges, whatForm)
		}
		for _, c := range changes {
			all[c.Prefix] = c.Visible
		}
		if next == since {
			return last, all, nil
		}
		since = next
	}
	return last, nil, v.g.checks.wrong(KindChanges, whatForm)
}

// checkSnapshot compares a snapshot with the changes to it with the model, and returns who was found.
func (v *visit) checkSnapshot(contacts []*contact, found map[*contact]bool, all changed, last answer) (hits []*contact, err error) {
	for _, c := range contacts {
		in := found[c]
		if visible, said := all[filter.Prefix(c.tag)]; said {
			in = visible
		}
		if in {
			hits = append(hits, c)
		}
		if err := v.judge(KindShards, c, in, last); err != nil {
			return nil, err
		}
	}
	return hits, nil
}
