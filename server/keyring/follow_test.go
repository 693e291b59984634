package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// prepared is Partitions that are there already.
type prepared struct{}

func (prepared) Prepare(context.Context, directory.Layout, uint64) error { return nil }

// clock is a time that the test moves.
type clock struct{ elapsed atomic.Int64 }

var started = time.Now()

func (c *clock) now() time.Time          { return started.Add(time.Duration(c.elapsed.Load())) }
func (c *clock) advance(d time.Duration) { c.elapsed.Add(int64(d)) }

// reads counts the reads of the whole keyring that a client makes.
type reads struct{ n atomic.Int64 }

func (r *reads) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (r *reads) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "hgetall" {
			r.n.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (r *reads) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// bench is a keyring whose clock the test moves and whose reads it counts.
type bench struct {
	*Keyring
	redis  *redistest.Server
	client *redis.Client // another server's
	master MasterKey
	clock  clock
	reads  reads
}

func newBench(t *testing.T) *bench {
	t.Helper()
	ctx := context.Background()
	b := &bench{redis: redistest.Start(t, redistest.AppendFsync("no"))}
	b.client = b.redis.Client()
	options := b.redis.Options()
	options.ContextTimeoutEnabled = true
	options.MaxRetries, options.DialerRetries = -1, 1
	options.ReadTimeout = time.Second
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	var err error
	if b.master, err = NewMasterKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	b.create(t)
	if b.Keyring, err = Open(ctx, rdb, b.master); err != nil {
		t.Fatal(err)
	}
	b.now = b.clock.now
	b.read, b.tried = b.clock.now(), b.clock.now()
	rdb.AddHook(&b.reads)
	return b
}

// create makes a keyring as another server would.
func (b *bench) create(t *testing.T) {
	t.Helper()
	plan := Plan{Layout: directory.Layout{PartitionBits: 1, BucketBits: 2}, Slots: 96}
	o := CreateOptions{Masters: []MasterKey{b.master}, Rand: rand.Reader, Plan: plan}
	if err := Create(context.Background(), b.client, o, prepared{}); err != nil {
		t.Fatal(err)
	}
}

// add adds a staged epoch as another server would.
func (b *bench) add(t *testing.T, id uint32) {
	t.Helper()
	ctx := context.Background()
	s, err := read(ctx, b.client, []MasterKey{b.master})
	if err != nil {
		t.Fatal(err)
	}
	e, epoch := s.edit(rand.Reader), newEpoch(t, id)
	if err := errors.Join(e.put(epoch), e.enter(epoch, epoch.Created)); err != nil {
		t.Fatal(err)
	}
	if err := swap(ctx, b.client, s.Generation, e.fields...); err != nil {
		t.Fatal(err)
	}
}

// newEpoch returns a staged epoch with new keys.
func newEpoch(t testing.TB, id uint32) *Epoch {
	t.Helper()
	key, err := voprf.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &Epoch{
		ID: id, State: StateStaged, PublicKey: key.PublicKey(), Key: key, Prepared: true, Storage: crypto.StorageKey{Value: secret.Value{1, 2, 3}},
		Layout: directory.Layout{Epoch: id, PartitionBits: 1, BucketBits: 2}, Slots: 96, Created: time.UnixMilli(1_700_000_000_000),
	}
}

// want checks what Current returns.
func (b *bench) want(t *testing.T, when string, want error) {
	t.Helper()
	s, err := b.Current()
	if err != want || (s == nil) != (err != nil) {
		t.Errorf("%s: Current: got %v, %v, want %v", when, s, err, want)
	}
}

func TestCurrentIsNotOlderThanItsMaximumAge(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	b.want(t, "at first", nil)
	b.clock.advance(maxAge)
	b.want(t, "at the maximum age", nil)
	b.clock.advance(time.Millisecond)
	b.want(t, "after it", ErrUnavailable)
	if _, _, err := b.Epoch(ctx, 1); err != ErrUnavailable {
		t.Errorf("Epoch: got %v, want ErrUnavailable", err)
	}
	b.poll(ctx)
	b.want(t, "after a poll", nil)

	b.redis.Kill()
	b.clock.advance(time.Second)
	b.poll(ctx)
	b.want(t, "a second without the store", nil)
	b.clock.advance(maxAge)
	b.poll(ctx)
	b.want(t, "six seconds without the store", ErrUnavailable)
	b.redis.Restart()
	b.poll(ctx)
	b.want(t, "with the store back", nil)
}

func TestLostKeyringIsAnError(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	if err := b.client.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	b.poll(ctx)
	b.want(t, "flushed", ErrNone)
	if _, _, err := b.Epoch(ctx, 1); err != ErrNone {
		t.Errorf("Epoch: got %v, want ErrNone", err)
	}
	b.clock.advance(time.Hour)
	b.poll(ctx)
	b.want(t, "an hour later", ErrNone)
}

// TestAnotherKeyringIsRead has the keyring lost and made anew between two polls, at the same generation and at a lower
// one. The old keys must not be used with it.
func TestAnotherKeyringIsRead(t *testing.T) {
	for _, added := range []int{0, 3} {
		ctx := context.Background()
		b := newBench(t)
		for i := range added {
			b.add(t, uint32(2+i))
		}
		b.poll(ctx)
		before, err := b.Current()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.client.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		b.create(t)
		b.clock.advance(time.Second)
		b.poll(ctx)
		after, err := b.Current()
		if err != nil {
			t.Fatal(err)
		}
		if after.Epoch(1).Key.PublicKey().Equal(before.Epoch(1).Key.PublicKey()) || after.Generation != 4 {
			t.Errorf("from generation %d: the old keys are still used, at generation %d", before.Generation, after.Generation)
		}
	}
}

// fallBack puts an older state of the keyring into the store, as a replica has it that was behind, to which another server
// then adds epoch 2: it has not heard of what was lost.
func (b *bench) fallBack(t *testing.T, older map[string]string) {
	t.Helper()
	ctx := context.Background()
	b.client.Del(ctx, redisKey)
	if err := b.client.HSet(ctx, redisKey, older).Err(); err != nil {
		t.Fatal(err)
	}
	b.add(t, 2)
}

// TestAnotherChangeOfTheSameGenerationIsRead: a failover loses a change, and another server makes the next one instead.
// Both have the same generation, and a server that knows the first must not take the second for it.
func TestAnotherChangeOfTheSameGenerationIsRead(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	older := b.client.HGetAll(ctx, redisKey).Val()
	if err := b.RaiseSlots(ctx, 1, 97); err != nil {
		t.Fatal(err)
	}
	b.fallBack(t, older)
	b.clock.advance(time.Second)
	b.poll(ctx)
	s, err := b.Current()
	if err != nil {
		t.Fatal(err)
	}
	if s.Generation != 5 || s.Epoch(2) == nil || s.Epoch(1).Slots != 96 {
		t.Errorf("got generation %d, epoch 2 %v and %d slots, want the other server's change", s.Generation, s.Epoch(2), s.Epoch(1).Slots)
	}
}

// TestRollForwardReplaces: a server that knows what a failover has lost writes it back over what another made of the
// older state. An epoch or an entry of the log left of that would make the keyring unreadable for all.
func TestRollForwardReplaces(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	older := b.client.HGetAll(ctx, redisKey).Val()
	for _, slots := range []int{97, 98} {
		if err := b.RaiseSlots(ctx, 1, slots); err != nil {
			t.Fatal(err)
		}
	}
	newer := b.client.HGetAll(ctx, redisKey).Val()
	b.fallBack(t, older)
	b.clock.advance(time.Second)
	b.poll(ctx)
	b.rollForward(ctx)
	if got := b.client.HGetAll(ctx, redisKey).Val(); !maps.Equal(got, newer) {
		t.Errorf("the store has the fields %v, want %v as they were", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(newer)))
	}
	b.want(t, "after rolling forward", nil)
}

func TestEpochFindsWhatAnotherServerAdded(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	b.add(t, 2)
	b.clock.advance(minReload)
	e, s, err := b.Epoch(ctx, 2)
	if err != nil || e.ID != 2 || s.Epoch(2) != e || s.Generation != 5 {
		t.Errorf("got %v, %v, want epoch 2 at generation 3", e, err)
	}
}

// TestEpochFindsWhatWasAddedJustNow asks so soon after a read that the next is still to be waited for.
func TestEpochFindsWhatWasAddedJustNow(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	b.now = time.Now
	for id := uint32(2); id < 5; id++ {
		if err := b.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		b.add(t, id)
		if e, _, err := b.Epoch(ctx, id); err != nil || e.ID != id {
			t.Errorf("got %v, %v, want epoch %d", e, err, id)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := b.Epoch(cancelled, 5); err != ErrUnavailable {
		t.Errorf("with a context that has ended: got %v, want ErrUnavailable", err)
	}
}

func TestUnknownEpochsCauseFewReads(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	for round := range 3 {
		b.clock.advance(minReload)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if _, _, err := b.Epoch(ctx, uint32(100+i)); err != ErrUnknownEpoch {
					t.Errorf("got %v, want ErrUnknownEpoch", err)
				}
			})
		}
		wg.Wait()
		if got := b.reads.n.Load(); got != int64(round+1) {
			t.Fatalf("%d reads in %d times 100 ms, want one each", got, round+1)
		}
	}
	if _, _, err := b.Epoch(ctx, 1); err != nil || b.reads.n.Load() != 3 {
		t.Errorf("a known epoch: %v after %d reads, want none more", err, b.reads.n.Load())
	}
}

// TestAStoreThatDoesNotAnswerIsWaitedForOnce has a crowd ask for unknown epochs while each read takes until its timeout.
// If each had a read of its own, one after the other, the last would wait for minutes.
func TestAStoreThatDoesNotAnswerIsWaitedForOnce(t *testing.T) {
	b := newBench(t)
	b.clock.advance(minReload)
	b.redis.Pause()
	defer b.redis.Resume()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			ctx := context.Background()
			if i%2 == 0 {
				ctx = cancelled // whose end is no reason for the others' failure
			}
			if _, _, err := b.Epoch(ctx, 100); err != ErrUnavailable {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
		})
	}
	wg.Wait()
	if got := b.reads.n.Load(); got != 1 {
		t.Errorf("%d reads, want 1", got)
	}
}

func TestACancelledRequestDoesNotEndTheReadOfOthers(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := newBench(t)
	b.add(t, 2)
	b.clock.advance(minReload)
	if e, _, err := b.Epoch(ctx, 2); err != nil || e.ID != 2 {
		t.Errorf("got %v, %v, want epoch 2", e, err)
	}
}

func TestFollowSeesChanges(t *testing.T) {
	b := newBench(t)
	b.now, b.read = time.Now, time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Follow(ctx) })
	b.add(t, 2)
	for {
		s, err := b.Current()
		if err != nil {
			t.Fatal(err)
		}
		if s.Epoch(2) != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if got := b.reads.n.Load(); got != 1 {
		t.Errorf("%d reads for one change, want 1", got)
	}
	cancel()
	wg.Wait()
}

func TestSwapNeedsTheGeneration(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	for _, expected := range []uint64{0, 3, 5} {
		if err := swap(ctx, b.client, expected, "x", "y"); err != ErrChanged {
			t.Errorf("expecting generation %d of 4: got %v, want ErrChanged", expected, err)
		}
	}
	if b.client.HExists(ctx, redisKey, "x").Val() {
		t.Error("a field was set all the same")
	}
	var wg sync.WaitGroup
	var done atomic.Int64
	for range 16 {
		wg.Go(func() {
			switch err := swap(ctx, b.client, 4, "x", "y"); {
			case err == nil:
				done.Add(1)
			case !errors.Is(err, ErrChanged):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("%d of 16 changed generation 4, want 1", done.Load())
	}
}
