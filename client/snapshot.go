package client

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/kith-project/kith/crypto/filter"
)

// minChanges is how many bytes of changes are always kept beside a snapshot, however small that is.
const minChanges = 4 << 10

// errSnapshotTooLarge means that the snapshot turned out larger than the directory said, and than the budget has left.
var errSnapshotTooLarge = errors.New("client: snapshot larger than the budget")

// snapshotCopy is what the cache keeps of a snapshot beside its shards. Nothing in it tells of the address book.
type snapshotCopy struct {
	Manifest *manifest `json:"manifest"`
	Fetched  int64     `json:"fetched"`  // the manifest, in seconds since 1970
	Complete bool      `json:"complete"` // all shards were in the cache
	Position string    `json:"position"` // where the changes feed is to be read on
	Read     int64     `json:"read"`     // when it was read up to there, in seconds since 1970
	Changes  []byte    `json:"changes"`  // its entries since the manifest
	Old      []string  `json:"old"`      // shards of earlier manifests that may be in the cache
}

// findInSnapshot is ModeSnapshot: it brings the copy up to date and looks all numbers up in it. A new snapshot is taken when
// there is none, when it has expired, when the feed does not reach back to it, and when the changes to it are longer
// than half of it; at most once in a Sync.
func (r *run) findInSnapshot(ctx context.Context) (map[string]basis, error) {
	c, err := r.loadCopy(ctx)
	if err != nil {
		return nil, err
	}
	if c != nil {
		hits, err := r.findInCopy(ctx, c)
		if err == nil && !c.outgrown() || err != nil && !outdated(err) {
			return hits, err
		}
	}
	if c, err = r.newCopy(ctx); err != nil {
		return nil, err
	}
	return r.findInCopy(ctx, c)
}

// outdated reports whether an error means that there is a newer snapshot.
func outdated(err error) bool {
	var problem *ProblemError
	return errors.As(err, &problem) && (problem.Code == CodeChangesTrimmed ||
		problem.Request == "shard" && (problem.Status == http.StatusNotFound || problem.Status == http.StatusGone))
}

// outgrown reports whether the changes to a snapshot are longer than half of it.
func (c *snapshotCopy) outgrown() bool {
	return int64(len(c.Changes)) > max(c.Manifest.Bytes/2, minChanges)
}

// newCopy begins a copy of the snapshot that the server has now. It is stored before its shards are, so that no shard is
// ever in the cache without being listed.
func (r *run) newCopy(ctx context.Context) (*snapshotCopy, error) {
	m, err := r.requestManifest(ctx)
	if err != nil {
		return nil, err
	}
	now := r.now().Unix()
	c := &snapshotCopy{Manifest: m, Fetched: now, Position: m.ChangesSince, Read: now}
	old, err := r.storedCopy(ctx) // perhaps of an epoch that is over, or expired
	if err != nil {
		return nil, err
	}
	missing := m.Bytes
	if old != nil {
		c.Old = old.Old
		for _, s := range old.Manifest.Shards {
			if !slices.Contains(m.Shards, s) {
				c.Old = append(c.Old, s.ID)
			} else if old.Complete {
				missing -= s.Bytes
			}
		}
	}
	if missing > r.left() {
		return nil, errSnapshotTooLarge
	}
	return c, r.storeCopy(ctx, c)
}

// findInCopy completes a copy, reads the changes to it, and returns the numbers that are in it.
func (r *run) findInCopy(ctx context.Context, c *snapshotCopy) (map[string]basis, error) {
	hits, err := r.findInShards(ctx, c)
	if err != nil {
		return nil, err
	}
	numbers := r.index.byChange()
	apply := func(number string, change filter.Change) {
		if delete(hits, number); change.Visible {
			hits[number] = basis{}
		}
	}
	if err := applyTo(numbers, c.Changes, apply); err != nil {
		return nil, err
	}
	next, end, err := r.readChanges(ctx, c.Position, func(entries []byte) error {
		c.Changes = append(c.Changes, entries...)
		return r.applyChanges(numbers, entries, apply)
	})
	if err != nil {
		return nil, err
	}
	r.newsWait = !end
	if c.Position = next; end {
		c.Read = r.now().Unix()
	}
	// The state first: labels that the changes made void must not come back.
	if err := r.save(ctx); err != nil {
		return nil, err
	}
	if err := r.dropShards(ctx, c); err != nil {
		return nil, err
	}
	return hits, r.storeCopy(ctx, c)
}

// findInShards goes through all shards in order, whoever may be in them, downloads those that are missing, and returns the
// numbers that the filters contain: fetching a part of the shards would tell what is looked for.
func (r *run) findInShards(ctx context.Context, c *snapshotCopy) (map[string]basis, error) {
	hits := make(map[string]basis)
	members := r.index.byPrefix(c.Manifest.ShardBits)
	total := len(c.Manifest.Shards)
	r.report(StageLookUp, 0, total)
	for i, s := range c.Manifest.Shards {
		data, err := r.shard(ctx, s)
		if err != nil {
			return nil, err
		}
		contains, err := filter.Unmarshal(data)
		if err != nil {
			return nil, fmt.Errorf("%w: a shard that is no filter", ErrAnswer)
		}
		for _, number := range members[s.Number] {
			if contains.Contains(r.index.tags[number]) {
				hits[number] = basisOf([]byte(s.ID))
			}
		}
		r.report(StageLookUp, i+1, total)
	}
	c.Complete = true
	return hits, nil
}

// shard returns the bytes of a shard from the cache, or else from the server.
func (r *run) shard(ctx context.Context, s shard) ([]byte, error) {
	data, err := r.options.Cache.Get(ctx, shardKey(s.ID))
	if err != nil {
		return nil, fmt.Errorf("client: reading the cache: %w", err)
	}
	if data != nil && s.is(data) {
		return data, nil
	}
	if s.Bytes > r.left() {
		return nil, errSnapshotTooLarge
	}
	if data, err = r.requestShard(ctx, s); err != nil {
		return nil, err
	}
	if err := r.options.Cache.Put(ctx, shardKey(s.ID), data); err != nil {
		return nil, fmt.Errorf("client: writing the cache: %w", err)
	}
	return data, nil
}

// dropShards removes the shards of earlier snapshots.
func (r *run) dropShards(ctx context.Context, c *snapshotCopy) error {
	for _, id := range c.Old {
		if slices.ContainsFunc(c.Manifest.Shards, func(s shard) bool { return s.ID == id }) {
			continue
		}
		if err := r.options.Cache.Delete(ctx, shardKey(id)); err != nil {
			return fmt.Errorf("client: writing the cache: %w", err)
		}
	}
	c.Old = nil
	return nil
}

// loadCopy returns the copy of this epoch, or nil if there is none or it has expired.
func (r *run) loadCopy(ctx context.Context) (*snapshotCopy, error) {
	c, err := r.storedCopy(ctx)
	if c == nil || err != nil || c.Manifest.Epoch != r.epoch.id || c.Manifest.expired(c.Fetched, r.now()) {
		return nil, err
	}
	return c, nil
}

// storedCopy returns the copy in the cache, or nil if there is none that can be read.
func (r *run) storedCopy(ctx context.Context) (*snapshotCopy, error) {
	data, err := r.options.Cache.Get(ctx, r.copyKey())
	if err != nil {
		return nil, fmt.Errorf("client: reading the cache: %w", err)
	}
	c := new(snapshotCopy)
	if data == nil || json.Unmarshal(data, c) != nil || c.Manifest == nil || !c.Manifest.valid() ||
		len(c.Changes)%filter.ChangeSize != 0 || c.Position == "" || len(c.Position) > maxPosition {
		return nil, nil
	}
	return c, nil
}

func (r *run) storeCopy(ctx context.Context, c *snapshotCopy) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("client: encoding the snapshot: %w", err)
	}
	if err := r.options.Cache.Put(ctx, r.copyKey(), data); err != nil {
		return fmt.Errorf("client: writing the cache: %w", err)
	}
	return nil
}

// copyKey is the key of the copy: one for each server, whatever the epoch.
func (r *run) copyKey() string {
	server := basisOf([]byte(r.options.Server))
	return "snapshot-" + hex.EncodeToString(server[:])
}

func shardKey(id string) string { return "shard-" + id }
