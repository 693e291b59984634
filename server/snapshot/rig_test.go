package snapshot

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
	"github.com/kith-project/kith/server/directory"
)

const generation = 5

var lastEpoch atomic.Uint32

// tb is what *testing.T and *rapid.T have in common, as far as it is needed.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// rig is an epoch of 4 partitions with a directory, a clock that tests move, and a store that reads anew each time.
type rig struct {
	t      tb
	rdb    redis.UniversalClient
	dir    *directory.Store
	layout directory.Layout
	store  *Store
	time   atomic.Int64 // ms since 1970
}

func newRig(t tb, rdb redis.UniversalClient) *rig {
	t.Helper()
	r := &rig{
		t: t, rdb: rdb,
		dir:    directory.New(rdb, directory.Config{ChangesLength: 100}),
		layout: directory.Layout{Epoch: lastEpoch.Add(1), PartitionBits: 2, BucketBits: 4},
	}
	r.time.Store(time.Now().UnixMilli())
	if err := r.dir.Prepare(context.Background(), r.layout, generation); err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	r.store = NewStore(rdb, r.layout.Epoch, 0)
	var reads time.Duration
	r.store.now = func() time.Time { reads += time.Hour; return time.Unix(0, 0).Add(reads) }
	return r
}

func (r *rig) now() time.Time { return time.UnixMilli(r.time.Load()) }

func (r *rig) sleep(d time.Duration) { r.time.Add(d.Milliseconds()) }

// builder returns a builder that reads dir, nil for the rig's, through rdb, nil for the rig's. Its shards have about 8
// tags.
func (r *rig) builder(rdb redis.UniversalClient, dir Directory, config Config) *Builder {
	r.t.Helper()
	if rdb == nil {
		rdb = r.rdb
	}
	if dir == nil {
		dir = r.dir
	}
	b, err := NewBuilder(rdb, dir, r.layout, config)
	if err != nil {
		r.t.Fatalf("NewBuilder: %v", err)
	}
	b.now, b.shardKeys = r.now, 8
	return b
}

// turn takes the lease, does what Run does once, and gives it back.
func turn(ctx context.Context, b *Builder) error {
	l, err := acquire(ctx, b.rdb, b.keys.lease, b.config.Lease)
	if err != nil {
		return err
	}
	defer l.release(ctx)
	f, err := b.openFeed(ctx, l)
	if err != nil {
		return err
	}
	return b.step(ctx, l, f)
}

func (r *rig) turn(b *Builder) {
	r.t.Helper()
	if err := turn(context.Background(), b); err != nil {
		r.t.Fatalf("turn: %v", err)
	}
}

// tag returns the tag of a number; numbers that differ by 4 are in the same partition.
func tag(n int) crypto.Tag {
	var tag crypto.Tag
	tag[0] = byte(n<<6) | byte(n>>2)&0x3F
	binary.BigEndian.PutUint32(tag[4:], uint32(n)*2654435761)
	binary.BigEndian.PutUint64(tag[8:], uint64(n)*0x9E3779B97F4A7C15)
	return tag
}

// write writes records of a format, the last of each tag holding.
func (r *rig) write(format directory.Format, numbers ...int) {
	r.t.Helper()
	var writes []directory.Write
	for _, n := range numbers {
		writes = append(writes, directory.Write{Tag: tag(n), Format: format})
	}
	if _, err := r.dir.Apply(context.Background(), r.layout, generation, writes); err != nil {
		r.t.Fatalf("Apply: %v", err)
	}
}

// count returns the numbers from first to before end.
func count(first, end int) []int {
	var numbers []int
	for n := first; n < end; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

// device is what a phone knows: a set and the changes on top of it.
type device struct {
	manifest Manifest
	filters  []*filter.Filter
	changes  map[filter.TagPrefix]bool
	since    string
	// built, if not nil, has the tags that the set was built of.
	built map[crypto.Tag]bool
}

// download fetches the present set.
func (r *rig) download() *device {
	r.t.Helper()
	m, _, err := r.store.Manifest(context.Background())
	if err != nil {
		r.t.Fatalf("Manifest: %v", err)
	}
	d := &device{manifest: m, changes: make(map[filter.TagPrefix]bool), since: m.ChangesSince.String()}
	for _, shard := range m.Shards {
		b, err := r.store.Shard(context.Background(), shard.ID)
		if err != nil {
			r.t.Fatalf("Shard: %v", err)
		}
		f, err := filter.Unmarshal(b)
		if err != nil || int64(len(b)) != shard.Bytes {
			r.t.Fatalf("shard of %d bytes, want %d: %v", len(b), shard.Bytes, err)
		}
		d.filters = append(d.filters, f)
	}
	return d
}

// follow fetches all changes, and returns the error that ends them.
func (r *rig) follow(d *device) error {
	for {
		segment, err := r.store.Changes(context.Background(), d.since)
		if err != nil || !segment.Closed {
			return err
		}
		changes, err := filter.ParseChanges(segment.Entries)
		if err != nil {
			return err
		}
		for _, c := range changes {
			d.changes[c.Prefix] = c.Visible
		}
		d.since = segment.Next
	}
}

// has looks a tag up.
func (d *device) has(tag crypto.Tag) bool {
	if visible, changed := d.changes[filter.Prefix(tag)]; changed {
		return visible
	}
	return d.filters[tag.Prefix(int(d.manifest.ShardBits))].Contains(tag)
}

// wantMembers checks that a device finds those of the numbers below 100 that are visible in the directory, apart from
// false positives if d.built tells them. Sets that are the same in each run of a test do not need that: they have none.
func (r *rig) wantMembers(d *device) {
	r.t.Helper()
	visible := make(map[crypto.Tag]bool)
	for p := range r.layout.Partitions() {
		for entry, err := range r.dir.Scan(context.Background(), r.layout, uint32(p)) {
			if err != nil {
				r.t.Fatalf("Scan: %v", err)
			}
			visible[entry.Tag] = entry.Record.Format == directory.Visible
		}
	}
	for n := range 100 {
		_, changed := d.changes[filter.Prefix(tag(n))]
		falsePositive := d.built != nil && !changed && !d.built[tag(n)]
		if got, want := d.has(tag(n)), visible[tag(n)]; got != want && !(got && falsePositive) {
			r.t.Errorf("number %d: found %t, want %t", n, got, want)
		}
	}
}

// wantError checks that err is the wanted one, and that it tells nothing of keys or addresses.
func wantError(t tb, operation string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", operation, err, want)
	}
	if err == nil {
		return
	}
	for _, part := range []string{"kith:", "{e", "127.0.0.1", "evalsha"} {
		if strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %q contains %q", operation, err, part)
		}
	}
}
