package rotation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
	"github.com/kith-project/kith/server/registry"
)

// layouts of the epochs in these tests: 4 partitions of 4 buckets, and then 8 of 4.
var (
	oldLayout = directory.Layout{PartitionBits: 2, BucketBits: 4}
	newLayout = directory.Layout{PartitionBits: 3, BucketBits: 5}
)

// lease is that of servers which may be killed: another waits for it to end.
const lease = 30 * time.Millisecond

// rig is a deployment: a store, a keyring with one active epoch in it, and servers that tests add.
type rig struct {
	t      testing.TB
	rdb    redis.UniversalClient
	store  *directory.Store
	master keyring.MasterKey
}

// newRig makes a deployment on a Redis of its own.
func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigOn(t, redistest.Start(t, redistest.AppendFsync("no")).Client())
}

func newRigOn(t testing.TB, rdb redis.UniversalClient) *rig {
	t.Helper()
	return newRigLaidOut(t, rdb, oldLayout)
}

// newRigLaidOut makes a deployment whose first epoch has a layout.
func newRigLaidOut(t testing.TB, rdb redis.UniversalClient, layout directory.Layout) *rig {
	t.Helper()
	r := &rig{t: t, rdb: rdb, store: directory.New(rdb, directory.Config{})}
	var err error
	if r.master, err = keyring.NewMasterKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	options := keyring.CreateOptions{
		Masters: []keyring.MasterKey{r.master}, Rand: rand.Reader, Plan: keyring.Plan{Layout: layout, Slots: 96},
	}
	if err := keyring.Create(context.Background(), rdb, options, r.store); err != nil {
		t.Fatalf("keyring.Create: %v", err)
	}
	return r
}

// server is one server of a deployment, with a keyring that it reads when the test says so.
type server struct {
	t    testing.TB
	keys *keyring.Keyring
	*registry.Registry
	*Rotator
	mu     sync.Mutex // guards errors
	errors []error    // that were reported, other than by step
}

// serverOn adds a server with a client of its own.
func (r *rig) serverOn(rdb redis.UniversalClient, configure func(*Config)) *server {
	r.t.Helper()
	other := *r
	other.rdb, other.store = rdb, directory.New(rdb, directory.Config{})
	return other.server(configure)
}

// server adds a server. Its workers do not rest, and there is one, so that tests know what happens next; configure may
// change that.
func (r *rig) server(configure func(*Config)) *server {
	r.t.Helper()
	s := &server{t: r.t}
	var err error
	if s.keys, err = keyring.Open(context.Background(), r.rdb, r.master); err != nil {
		r.t.Fatalf("keyring.Open: %v", err)
	}
	s.Registry = registry.New(s.keys, r.store)
	config := Config{
		Redis: r.rdb, Directory: r.store, Keyring: s.keys, Share: 1, Workers: 1, Lease: lease,
		SweepAfter: 3 * time.Millisecond, SecondSweep: 3 * time.Millisecond,
		OnError: func(err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.errors = append(s.errors, err)
		},
	}
	if configure != nil {
		configure(&config)
	}
	if s.Rotator, err = New(config); err != nil {
		r.t.Fatalf("New: %v", err)
	}
	return s
}

// reload reads the keyring and returns it.
func (s *server) reload() *keyring.Snapshot {
	s.t.Helper()
	if err := s.keys.Reload(context.Background()); err != nil {
		s.t.Fatalf("Reload: %v", err)
	}
	snapshot, err := s.keys.Current()
	if err != nil {
		s.t.Fatalf("Current: %v", err)
	}
	return snapshot
}

// stage begins a rotation and returns the id of its epoch.
func (s *server) stage(auto bool, drain time.Duration) uint32 {
	s.t.Helper()
	options := keyring.StageOptions{Plan: keyring.Plan{Layout: newLayout, Slots: 96}, Auto: auto, Drain: drain}
	e, joined, err := s.keys.Stage(context.Background(), options, s.config.Directory)
	if err != nil || joined {
		s.t.Fatalf("Stage: joined %t, %v", joined, err)
	}
	return e.ID
}

// drive has the server go on until an epoch is in a phase. It is an error if it does not get there, or if anything goes
// wrong on the way.
func (s *server) drive(id uint32, phase Phase) {
	s.t.Helper()
	for range 10_000 {
		if phaseOf(s.reload().Epoch(id)) == phase {
			return
		}
		worked, errs := s.step(context.Background())
		if len(errs) > 0 {
			s.t.Fatalf("on the way to %s: %v", phase, errs)
		}
		if !worked {
			time.Sleep(time.Millisecond) // for another's lease, or for what is due by the time
		}
	}
	s.t.Fatalf("epoch %d is in phase %q, and does not get to %q", id, phaseOf(s.reload().Epoch(id)), phase)
}

// number returns one of many phone numbers.
func number(i int) string { return fmt.Sprintf("+1415555%04d", i) }

// put registers numbers from first to before end, each under its own number as label, with version.
func (s *server) put(first, end int, version uint64) {
	s.t.Helper()
	for i := first; i < end; i++ {
		s.must(s.Put(context.Background(), registry.Registration{Number: number(i), Label: label(i, version), Version: version}))
	}
}

func label(i int, version uint64) string { return fmt.Sprintf("%d at %d", i, version) }

func (s *server) hide(i int, version uint64) {
	s.t.Helper()
	s.must(s.Put(context.Background(), registry.Registration{Number: number(i), Hidden: true, Version: version}))
}

func (s *server) delete(i int, version uint64) {
	s.t.Helper()
	s.must(s.Delete(context.Background(), registry.Deletion{Number: number(i), Version: version}))
}

func (s *server) must(_ bool, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("registry: %v", err)
	}
}

// stored is what an epoch holds of a number. The zero value is nothing.
type stored struct {
	format  directory.Format
	version uint64
	since   uint64
	label   string
}

// visible returns what a registration by put leaves.
func visible(i int, version uint64) stored {
	return stored{format: directory.Visible, version: version, label: label(i, version)}
}

// tagOf returns what a device that knows the number derives in an epoch.
func (r *rig) tagOf(e *keyring.Epoch, i int) (voprf.UnblindedElement, crypto.Tag, crypto.LabelKey) {
	r.t.Helper()
	n, err := e.Key.Evaluate([][]byte{normalize.Input(number(i))})
	if err != nil {
		r.t.Fatal(err)
	}
	tag, key := crypto.Derive(n[0])
	return n[0], tag, key
}

// find returns what an epoch holds of a number, and checks that all of it belongs to that epoch's keys.
func (r *rig) find(e *keyring.Epoch, i int) stored {
	r.t.Helper()
	n, tag, key := r.tagOf(e, i)
	record, _, err := r.store.Get(context.Background(), e.Layout, tag)
	if errors.Is(err, directory.ErrNotFound) {
		return stored{}
	}
	if err != nil {
		r.t.Fatalf("number %d in epoch %d: %v", i, e.ID, err)
	}
	if got, err := e.Storage.Unwrap(tag, record.Wrapped); err != nil || !got.Equal(n.Value) {
		r.t.Errorf("number %d in epoch %d: its element is another's, or does not unwrap: %v", i, e.ID, err)
	}
	s := stored{format: record.Format, version: record.Version, since: record.Since}
	if record.Format == directory.Visible {
		if s.label, err = key.Open(tag, record.Label); err != nil {
			r.t.Errorf("number %d in epoch %d: %v", i, e.ID, err)
		}
	}
	return s
}

// wantSame checks that two epochs hold the same of numbers 0 to before end, and nothing else, and returns what the first
// holds. Times of tombstones are not compared: those that were written to both directly have a time in each.
func (r *rig) wantSame(a, b *keyring.Epoch, end int) []stored {
	r.t.Helper()
	all := make([]stored, end)
	records := int64(0)
	for i := range all {
		all[i] = r.find(a, i)
		got, want := r.find(b, i), all[i]
		got.since, want.since = 0, 0
		if got != want {
			r.t.Errorf("number %d: epoch %d has %+v, epoch %d has %+v", i, b.ID, got, a.ID, all[i])
		}
		if all[i] != (stored{}) {
			records++
		}
	}
	for _, e := range []*keyring.Epoch{a, b} {
		c, err := r.store.Count(context.Background(), e.Layout)
		if err != nil || c.Visible+c.Hidden+c.Deleted != records {
			r.t.Errorf("epoch %d has %+v, %v, want %d records", e.ID, c, err, records)
		}
	}
	return all
}

// damage writes a field of a bucket past all rules, as a fault of the machine would.
func (r *rig) damage(e *keyring.Epoch, tag crypto.Tag, value string) {
	r.t.Helper()
	l := e.Layout
	key := fmt.Sprintf("kith:{e%d.p%d}:b%d", l.Epoch, l.Partition(tag), l.Bucket(tag))
	if err := r.rdb.HSet(context.Background(), key, string(tag[:]), value).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// raw returns the stored value of a tag.
func (r *rig) raw(e *keyring.Epoch, tag crypto.Tag) string {
	r.t.Helper()
	_, raw, err := r.store.Get(context.Background(), e.Layout, tag)
	if err != nil && !errors.Is(err, directory.ErrRecord) {
		r.t.Fatal(err)
	}
	return string(raw)
}

// rand is where tests take nonces from.
func (r *rig) rand() io.Reader { return rand.Reader }

// keysOf returns how many keys of an epoch are in the store: its partitions, and queues of rotations to it.
func (r *rig) keysOf(id uint32) (n int) {
	r.t.Helper()
	for _, pattern := range []string{"kith:{e%d.*", "kith:{rotation.e%d.*"} {
		found, err := r.rdb.Keys(context.Background(), fmt.Sprintf(pattern, id)).Result()
		if err != nil {
			r.t.Fatal(err)
		}
		n += len(found)
	}
	return n
}
