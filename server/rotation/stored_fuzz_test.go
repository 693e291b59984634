package rotation

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/redistest"
)

// FuzzStoredQueue puts anything into a queue. A queue that can not be read is one that was lost, and is opened anew: never is
// anything answered that looks as if Redis were away, by which a rotation would wait for ever.
func FuzzStoredQueue(f *testing.F) {
	f.Add("total", "x", "0", 1.0)
	f.Add("next", "nan", "1", 0.0)
	f.Add("done", "9007199254740991", "-1", 1e300)
	f.Add("size", "", "1e3", -1.0)
	f.Add("since", "inf", "x", 5.0)
	f.Add("records", "1.5", "nan", 5.0)
	f.Add("before", "0x10", "3", 5.0)
	f.Add("u0", "x", "0", 5.0)
	f.Add("size", "0", "0", 5.0)
	f.Add("total", "0", "0", 5.0)
	ctx := context.Background()
	rdb := redistest.Start(f, redistest.AppendFsync("no")).Client()
	q := &queue{rdb: rdb, key: queueKey(PhaseCopy, 7), lease: never, mend: never}
	f.Fuzz(func(t *testing.T, field, value, member string, score float64) {
		rdb.FlushAll(ctx)
		check := func(operation string, err error) {
			t.Helper()
			if errors.Is(err, ErrUnavailable) {
				t.Fatalf("%s: %v", operation, err)
			}
		}
		check("open", q.open(ctx, 4, 16, 1000))
		held, err := q.claim(ctx)
		check("claim", err)
		rdb.HSet(ctx, q.key, field, value)
		rdb.ZAdd(ctx, q.keys()[1], redis.Z{Score: score, Member: member})

		p, err := q.read(ctx)
		if check("read", err); p.items < 0 || p.done < 0 {
			t.Errorf("got %+v", p)
		}
		check("renew", q.renew(ctx, held))
		again, err := q.claim(ctx)
		if check("claim", err); err == nil && again.size == 0 {
			t.Errorf("got %+v", again)
		}
		check("complete", q.complete(ctx, held, counts{records: 3, unreadable: 1}))
		check("release", q.release(ctx, again, 0))
		for range 8 {
			_, err := q.claim(ctx)
			check("claim", err)
		}
		check("open", q.open(ctx, 4, 16, 1000))
		check("remove", q.remove(ctx))
	})
}
