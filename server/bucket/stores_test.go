package bucket

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// layout is that of every test: 4 partitions of 16 buckets, whose prefix ends within a byte.
var layout = directory.Layout{Epoch: 3, PartitionBits: 2, BucketBits: 6}

const generation = 1

// allBuckets are the numbers of all buckets of layout.
var allBuckets = func() (all []uint32) {
	for bucket := range uint32(1 << layout.BucketBits) {
		all = append(all, bucket)
	}
	return all
}()

// testStore is a directory with the epoch of layout, and the client it is on.
type testStore struct {
	*directory.Store
	rdb *redis.Client
}

func newTestStore(t testing.TB, rdb *redis.Client) testStore {
	t.Helper()
	s := testStore{directory.New(rdb, directory.Config{}), rdb}
	if err := s.Prepare(context.Background(), layout, generation); err != nil {
		t.Fatal(err)
	}
	return s
}

// onEachStore runs the test on a real Redis and on the embedded store, which have to behave alike.
func onEachStore(t *testing.T, test func(t *testing.T, s testStore)) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) { test(t, newTestStore(t, rdb)) })
}

func onRedis(t testing.TB) testStore {
	return newTestStore(t, redistest.Start(t, redistest.AppendFsync("no")).Client())
}

// apply makes writes, which have to be answered.
func (s testStore) apply(t testing.TB, writes ...directory.Write) {
	t.Helper()
	if _, err := s.Apply(context.Background(), layout, generation, writes); err != nil {
		t.Errorf("Apply: %v", err)
	}
}

// randomWrites returns n registrations of different tags.
func randomWrites(random *rand.Rand, n int) []directory.Write {
	writes := make([]directory.Write, n)
	for i := range writes {
		w := directory.Write{Format: directory.Visible, Version: 1}
		binary.BigEndian.PutUint64(w.Tag[:], random.Uint64())
		binary.BigEndian.PutUint64(w.Tag[8:], random.Uint64())
		copy(w.Label[12:], w.Tag[:]) // behind the nonce
		writes[i] = w
	}
	return writes
}

// as returns the write as one of another format and version.
func as(w directory.Write, format directory.Format, version uint64) directory.Write {
	w.Format, w.Version = format, version
	return w
}

// clock is a time that stands still until it is moved.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(1_000_000, c.ns.Load()) }
func (c *clock) move(d time.Duration) { c.ns.Add(int64(d)) }

// newTestView returns a view of the store that does not run.
func newTestView(t testing.TB, s Store, slots int, config Config) *View {
	t.Helper()
	f, err := NewFormat(int(layout.BucketBits), slots)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewView(s, layout, DeriveFillKey(crypto.StorageKey{}, layout.Epoch), f, config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// warmView returns a view that has read everything, does not run, and stays current until the clock is moved.
func warmView(t testing.TB, s Store, slots int, config Config) (*View, *clock) {
	t.Helper()
	c := new(clock)
	config.Now = c.now
	v := newTestView(t, s, slots, config)
	if err := v.readMissing(context.Background()); err != nil {
		t.Fatal(err)
	}
	return v, c
}

// run runs a view until the test ends.
func run(t testing.TB, v *View) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		v.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

// eventually waits until the condition holds. A minute is no speed that is expected, but the end of a test that fails.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// shows reports whether the answer of memory for the tag's bucket has its short tag. It is an error if memory does not
// answer.
func shows(v *View, tag crypto.Tag) (bool, error) {
	f := v.Format()
	tags, err := v.Append(nil, layout.Bucket(tag))
	want := string(tag.AppendShort(nil, f.Bits, f.TagBytes))
	for len(tags) > 0 {
		if string(tags[:f.TagBytes]) == want {
			return true, err
		}
		tags = tags[f.TagBytes:]
	}
	return false, err
}

// fromMemory returns the answers of memory for all buckets, or none and the first error.
func fromMemory(v *View) (tags []byte, err error) {
	for _, bucket := range allBuckets {
		if tags, err = v.Append(tags, bucket); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// fromStore returns the answers of Redis for all buckets.
func fromStore(t testing.TB, v *View) []byte {
	t.Helper()
	tags, _, _, err := NewLookup(v).Labels(context.Background(), allBuckets)
	if err != nil {
		t.Fatal(err)
	}
	return tags
}
