package rotation

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/redistest"
)

// never is a lease that does not end while a test runs.
const never = 5 * time.Minute

// newQueue returns a queue of items, opened.
func newQueue(t *testing.T, rdb redis.UniversalClient, items uint64, lease time.Duration) *queue {
	t.Helper()
	q := &queue{rdb: rdb, key: queueKey(PhaseCopy, 7), lease: lease, mend: never}
	wantQueue(t, "open", q.open(context.Background(), items, 16, 1000), nil)
	return q
}

func wantQueue(t *testing.T, operation string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", operation, err, want)
	}
}

// claim takes an item, which has to be there.
func claim(t *testing.T, q *queue) claimed {
	t.Helper()
	c, err := q.claim(context.Background())
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return c
}

// expire has the lease of an item end now, or the time come at which it is to be given again.
func expire(rdb redis.UniversalClient, q *queue, item uint64) {
	rdb.ZAdd(context.Background(), q.keys()[1], redis.Z{Score: 1, Member: strconv.FormatUint(item, 10)})
}

// await takes an item as soon as there is one.
func await(t *testing.T, q *queue) claimed {
	t.Helper()
	for {
		c, err := q.claim(context.Background())
		if err == nil {
			return c
		}
		if !errors.Is(err, errWait) && !errors.Is(err, errDone) {
			t.Fatalf("claim: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}

// wantProgress compares counts, apart from times.
func wantProgress(t *testing.T, q *queue, want progress) {
	t.Helper()
	got, err := q.read(context.Background())
	got.started, got.perSecond = time.Time{}, 0
	if err != nil || got != want {
		t.Errorf("progress: got %+v, %v, want %+v", got, err, want)
	}
}

func TestQueueGivesEveryItemOnce(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		const items = 200
		q := newQueue(t, rdb, items, never)
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			seen []uint64
		)
		for range 8 {
			wg.Go(func() {
				for {
					c, err := q.claim(context.Background())
					if errors.Is(err, errDone) || errors.Is(err, errWait) {
						return
					}
					if err != nil || c.size != 16 {
						t.Errorf("claim: got size %d, %v", c.size, err)
						return
					}
					mu.Lock()
					seen = append(seen, c.number)
					mu.Unlock()
					wantQueue(t, "complete", q.complete(context.Background(), c, counts{records: 3, written: 2}), nil)
				}
			})
		}
		wg.Wait()
		slices.Sort(seen)
		for i, item := range seen {
			if item != uint64(i) {
				t.Fatalf("got items %v, want 0 to %d, each once", seen, items-1)
			}
		}
		wantProgress(t, q, progress{items: items, done: items, expected: 1000, records: 3 * items, written: 2 * items})
		_, err := q.claim(context.Background())
		wantQueue(t, "claim", err, errDone)
	})
}

func TestQueueLeases(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		q := newQueue(t, rdb, 1, never)
		first := claim(t, q)
		_, err := q.claim(ctx)
		wantQueue(t, "claim while it is being worked on", err, errWait)
		expire(rdb, q, first.number)
		wantQueue(t, "renew", q.renew(ctx, first), nil)
		_, err = q.claim(ctx)
		wantQueue(t, "claim after the first lease would have ended", err, errWait)
		expire(rdb, q, first.number)
		second := claim(t, q)
		if second.number != first.number || second.owner == first.owner {
			t.Errorf("got %+v after %+v, want the same item for another", second, first)
		}

		// The first worker comes back.
		wantQueue(t, "renew of a lost lease", q.renew(ctx, first), errLost)
		wantQueue(t, "release of a lost lease", q.release(ctx, first, 0), errLost)
		wantQueue(t, "complete of a lost lease", q.complete(ctx, first, counts{5, 5, 5}), errLost)
		wantProgress(t, q, progress{items: 1, expected: 1000})
		wantQueue(t, "complete", q.complete(ctx, second, counts{records: 4, written: 1}), nil)
		wantQueue(t, "complete again", q.complete(ctx, second, counts{records: 4, written: 1}), errLost)
		wantQueue(t, "renew of what is done", q.renew(ctx, second), errLost)
		wantProgress(t, q, progress{items: 1, done: 1, expected: 1000, records: 4, written: 1})
	})
}

// TestQueueOwnerWhoseLeaseHasEnded may still complete its item while nobody else has it.
func TestQueueOwnerWhoseLeaseHasEnded(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		q := newQueue(t, rdb, 1, never)
		c := claim(t, q)
		expire(rdb, q, c.number)
		wantQueue(t, "complete", q.complete(ctx, c, counts{records: 4}), nil)
		_, err := q.claim(ctx)
		wantQueue(t, "claim", err, errDone)
	})
}

func TestQueueRelease(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		q := newQueue(t, rdb, 2, never)
		first := claim(t, q)
		wantQueue(t, "release", q.release(ctx, first, 0), nil)
		second := claim(t, q)
		if second.number == first.number {
			t.Error("an item that was released comes before one that was never given")
		}
		wantQueue(t, "complete", q.complete(ctx, second, counts{}), nil)
		again := claim(t, q)
		if again.number != first.number {
			t.Errorf("got item %d, want the one that was released, %d", again.number, first.number)
		}
		wantQueue(t, "release for later", q.release(ctx, again, never), nil)
		wantQueue(t, "complete of what was released", q.complete(ctx, first, counts{}), errLost)
		_, err := q.claim(ctx)
		wantQueue(t, "claim", err, errWait)
		wantProgress(t, q, progress{items: 2, done: 1, expected: 1000})
	})
}

// TestQueueComesBackToWhatCanNotBeRead has an item with records that can not be read, which are mended later.
func TestQueueComesBackToWhatCanNotBeRead(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		q := newQueue(t, rdb, 1, never)
		wantQueue(t, "complete", q.complete(ctx, claim(t, q), counts{records: 10, written: 7, unreadable: 3}), nil)
		_, err := q.claim(ctx)
		wantQueue(t, "claim before its time", err, errDone)
		wantProgress(t, q, progress{items: 1, done: 1, expected: 1000, records: 10, written: 7, unreadable: 3})

		expire(rdb, q, 0)
		q.mend = 0
		again := claim(t, q)
		if !again.again {
			t.Error("an item that is looked at once more is not said to be")
		}
		wantProgress(t, q, progress{items: 1, done: 1, expected: 1000, records: 10, written: 7, unreadable: 3})
		wantQueue(t, "complete", q.complete(ctx, again, counts{records: 11, written: 1, unreadable: 1}), nil)
		wantProgress(t, q, progress{items: 1, done: 1, expected: 1000, records: 10, written: 8, unreadable: 1})
		wantQueue(t, "complete", q.complete(ctx, await(t, q), counts{records: 11, written: 1}), nil)
		wantProgress(t, q, progress{items: 1, done: 1, expected: 1000, records: 10, written: 9})
		_, err = q.claim(ctx)
		wantQueue(t, "claim when all is mended", err, errDone)
	})
}

// TestQueueThatWasLost starts over, whatever was lost of it, and makes nothing by itself.
func TestQueueThatWasLost(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		for _, c := range []struct {
			name string
			lost []int // of the two keys
		}{{"all of it", []int{0, 1}}, {"the counts", []int{0}}, {"the leases", []int{1}}} {
			t.Run(c.name, func(t *testing.T) {
				q := newQueue(t, rdb, 2, never)
				wantQueue(t, "complete", q.complete(ctx, claim(t, q), counts{records: 10}), nil)
				held := claim(t, q)
				for _, i := range c.lost {
					rdb.Del(ctx, q.keys()[i])
				}
				_, err := q.claim(ctx)
				wantQueue(t, "claim", err, errNone)
				_, err = q.read(ctx)
				wantQueue(t, "read", err, errNone)
				wantQueue(t, "renew", q.renew(ctx, held), errNone)
				wantQueue(t, "complete", q.complete(ctx, held, counts{}), errNone)
				wantQueue(t, "release", q.release(ctx, held, 0), errNone)
				if n := rdb.Exists(ctx, q.key).Val(); n != 0 {
					t.Error("a queue that was lost is there again, though nobody opened it")
				}
				wantQueue(t, "open", q.open(ctx, 2, 16, 1000), nil)
				for range 2 {
					c := claim(t, q)
					wantQueue(t, "complete of an earlier claim", q.complete(ctx, held, counts{}), errLost)
					wantQueue(t, "complete", q.complete(ctx, c, counts{records: 1}), nil)
				}
				wantProgress(t, q, progress{items: 2, done: 2, expected: 1000, records: 2})
				wantQueue(t, "remove", q.remove(ctx), nil)
			})
		}
	})
}

func TestQueueIsOpenedOnce(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		q := newQueue(t, rdb, 2, never)
		wantQueue(t, "complete", q.complete(ctx, claim(t, q), counts{records: 10}), nil)
		wantQueue(t, "open again", q.open(ctx, 5, 8, 4), nil)
		wantProgress(t, q, progress{items: 2, done: 1, expected: 1000, records: 10})
		for _, key := range q.keys() {
			if ttl := rdb.TTL(ctx, key).Val(); rdb.Exists(ctx, key).Val() == 1 && ttl < 29*24*time.Hour {
				t.Errorf("a key expires after %v, want about 30 days", ttl)
			}
		}
	})
}

// TestQueueAfterItsClockWasSetBack has leases by a clock that was hours ahead, as after a failover to a server with
// another: they do not hold anybody up for hours.
func TestQueueAfterItsClockWasSetBack(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		q := newQueue(t, rdb, 1, never)
		c := claim(t, q)
		ahead := float64(rdb.Time(ctx).Val().Add(time.Hour).UnixMilli())
		rdb.ZAdd(ctx, q.keys()[1], redis.Z{Score: ahead, Member: "0"})
		if again := claim(t, q); again.number != c.number {
			t.Errorf("got item %d, want %d", again.number, c.number)
		}
		_, err := q.claim(ctx)
		wantQueue(t, "claim of the same again", err, errWait)
	})
}

// TestQueueRate moves the moments of the rate back, as if time had passed.
func TestQueueRate(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		q := newQueue(t, rdb, 4, never)
		back := func(d time.Duration, fields ...string) {
			for _, field := range fields {
				at, err := rdb.HGet(ctx, q.key, field).Int64()
				if err != nil {
					t.Fatal(err)
				}
				rdb.HSet(ctx, q.key, field, at-d.Milliseconds())
			}
		}
		wantRate := func(want float64) {
			t.Helper()
			p, err := q.read(ctx)
			if err != nil || p.perSecond > want || p.perSecond < want/10 {
				t.Errorf("got %g a second, %v, want %g or, on a slow machine, somewhat less", p.perSecond, err, want)
			}
		}
		back(8*time.Second, "since", "before")
		wantQueue(t, "complete", q.complete(ctx, claim(t, q), counts{records: 800}), nil)
		wantRate(100)
		back(12*time.Second, "since", "before") // 20 s since the beginning
		wantQueue(t, "complete", q.complete(ctx, claim(t, q), counts{records: 200}), nil)
		wantRate(50)
		back(20*time.Second, "since", "before") // 40, and 20 s since the last mark
		wantQueue(t, "complete", q.complete(ctx, claim(t, q), counts{records: 600}), nil)
		wantRate(30) // of the last 20 s
	})
}

func TestQueueWithRedisAway(t *testing.T) {
	ctx := context.Background()
	server := redistest.Start(t)
	options := server.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	rdb := redis.NewClient(options)
	t.Cleanup(func() { rdb.Close() })
	server.Kill()
	q := &queue{rdb: rdb, key: queueKey(PhaseCopy, 7), lease: never}
	_, claimErr := q.claim(ctx)
	_, readErr := q.read(ctx)
	for operation, err := range map[string]error{
		"open": q.open(ctx, 1, 1, 1), "claim": claimErr, "renew": q.renew(ctx, claimed{}), "read": readErr,
		"complete": q.complete(ctx, claimed{}, counts{}), "release": q.release(ctx, claimed{}, 0), "remove": q.remove(ctx),
	} {
		if !errors.Is(err, ErrUnavailable) || err.Error() != ErrUnavailable.Error() {
			t.Errorf("%s: got %v, want ErrUnavailable and nothing of the address", operation, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := q.claim(ended); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: got %v", err)
	}
}
