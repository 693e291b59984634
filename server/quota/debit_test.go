package quota_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/quota"
	"github.com/kith-project/kith/server/redistest"
)

func TestDebit(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ledger := newLedger(t, rdb, quota.Limits{Burst: 100})
		steps := []struct {
			name    string
			request quota.Request
			charged bool
			err     error
			total   int64 // of account a in epoch 1 afterwards
		}{
			{"first request", request("a", "k1", "x"), true, nil, 10},
			{"the same again", request("a", "k1", "x"), false, nil, 10},
			{"another under the same key", request("a", "k1", "y"), false, quota.ErrKeyReused, 10},
			{"another account under the same key", request("b", "k1", "y"), true, nil, 10},
			{"another key", request("a", "k2", "x"), true, nil, 20},
			{"no key", request("a", "", "x"), true, nil, 30},
			{"no key again", request("a", "", "x"), true, nil, 40},
			{"the same elements in another epoch", inEpoch(request("a", "k1", "x"), 2), false, quota.ErrKeyReused, 40},
			{"more than a full bucket has", elements(101), false, quota.ErrTooLarge, 40},
			{"no elements", elements(0), true, nil, 41},
			{"fewer than no elements", elements(-5), true, nil, 42},
		}
		for _, step := range steps {
			charge, err := ledger.Debit(context.Background(), step.request)
			if charge.Now != step.charged || !errors.Is(err, step.err) {
				t.Errorf("%s: got charged %t, %v, want %t, %v", step.name, charge.Now, err, step.charged, step.err)
			}
			if total, err := ledger.Charged(context.Background(), accountKey, "a", 1); err != nil || total != step.total {
				t.Errorf("%s: account has been charged %d, %v, want %d", step.name, total, err, step.total)
			}
		}
	})
}

// TestBucket goes through the life of a bucket: what callers are told, and that a request passes when it was said to pass
// and not a ms earlier.
func TestBucket(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		// 7 a day: 12,342,857 + 1/7 ms a unit, which divides nothing.
		ledger, clock := withClock(t, rdb, quota.Limits{Burst: 100, RefillPerDay: 7})
		const unit = 24 * time.Hour / 7 // rounded down by less than a ns

		charge := debit(t, ledger, elements(60))
		want := quota.State{Limit: 100, RefillPerDay: 7, Remaining: 40, Reset: (60*unit + time.Millisecond).Truncate(time.Millisecond)}
		if charge.State != want || !charge.Now || charge.Elements != 60 || charge.FromCredit != 0 {
			t.Errorf("first charge: got %+v, want %+v, charged 60", charge, want)
		}
		exceeded := wantExceeded(t, ledger, elements(41))
		if after := (unit + time.Millisecond).Truncate(time.Millisecond); exceeded.State != want || exceeded.RetryAfter != after {
			t.Errorf("one more than there are: got %+v, want %+v after %v", exceeded, want, after)
		}

		clock.move(t, exceeded.RetryAfter-time.Millisecond)
		if again := wantExceeded(t, ledger, elements(41)); again.RetryAfter != time.Millisecond || again.Remaining != 40 {
			t.Errorf("a ms too early: got %+v, want 40 remaining, 1ms", again)
		}
		clock.move(t, time.Millisecond)
		if charge := debit(t, ledger, elements(41)); charge.Remaining != 0 || charge.Limit != 100 {
			t.Errorf("in time: got %+v, want nothing left", charge)
		}
		if s := status(t, ledger, 1); s.Level != 100 || s.Remaining != 0 || s.Charged != 101 {
			t.Errorf("empty: got %+v, want level 100, 101 charged", s)
		}

		clock.move(t, charge.Reset+40*unit)
		if s := status(t, ledger, 1); s.Level != 0 || s.Remaining != 100 || s.Reset != 0 {
			t.Errorf("full again: got %+v", s)
		}
	})
}

// TestMeteringIsExact has 64 clients of several servers hammer one account until each is refused a single element. A
// refused request changes nothing, so what passed is the bucket to the element.
func TestMeteringIsExact(t *testing.T) {
	const burst, clients = 5_000, 64
	server := startRedis(t)
	var ledgers []*quota.Ledger
	for range 4 {
		ledgers = append(ledgers, newLedger(t, server.Client(), quota.Limits{Burst: burst, RefillPerDay: burst/365 + 1}))
	}
	began := time.Now()
	var charged atomic.Int64
	var running sync.WaitGroup
	for client := range clients {
		running.Go(func() {
			ledger := ledgers[client%len(ledgers)]
			for n := 1 + client%17; n > 0; {
				_, err := ledger.Debit(context.Background(), elements(n))
				if err == nil {
					charged.Add(int64(n))
					continue
				}
				if _, exceeded := errors.AsType[*quota.ExceededError](err); !exceeded {
					t.Error(err)
					return
				}
				n /= 2
			}
		})
	}
	running.Wait()
	// A unit flows back in an hour and 43 minutes.
	if got := charged.Load(); got != burst {
		t.Errorf("%d clients were charged %d within %v, want %d exactly", clients, got, time.Since(began), burst)
	}
	if s := status(t, ledgers[0], 1); s.Charged != burst || s.Remaining != 0 {
		t.Errorf("the store says %d charged and %d left, want %d and none", s.Charged, s.Remaining, burst)
	}
}

// TestMeteringIsExactWhileRefilled does the same while 500 units a second flow back: at no moment is more charged than
// the bucket and what flowed back by the store's own clock.
func TestMeteringIsExactWhileRefilled(t *testing.T) {
	const burst, perSecond = 5_000, 500
	rdb := startRedis(t).Client()
	ledger := newLedger(t, rdb, quota.Limits{Burst: burst, RefillPerDay: perSecond * 24 * 3600})
	ctx := context.Background()
	began, err := rdb.Time(ctx).Result()
	must(t, err)
	var charged atomic.Int64
	var running sync.WaitGroup
	for client := range 64 {
		running.Go(func() {
			for range 40 {
				n := 1 + client%17
				if _, err := ledger.Debit(ctx, elements(n)); err == nil {
					charged.Add(int64(n))
				}
			}
		})
	}
	running.Wait()
	ended, err := rdb.Time(ctx).Result()
	must(t, err)
	// The scripts know ms, TIME knows µs.
	most := burst + perSecond*(ended.UnixMilli()-began.UnixMilli())/1000
	if got := charged.Load(); got < burst || got > most {
		t.Errorf("charged %d within %v, want from %d to %d", got, ended.Sub(began), burst, most)
	}
}

func TestConcurrentRetriesAreChargedOnce(t *testing.T) {
	ctx := context.Background()
	ledger := newLedger(t, startRedis(t).Client(), quota.Limits{ReplayCap: 63})
	var now atomic.Int32
	var running sync.WaitGroup
	for range 64 {
		running.Go(func() {
			charge, err := ledger.Debit(ctx, request("a", "k", "x"))
			if err != nil {
				t.Error(err)
			}
			if charge.Now {
				now.Add(1)
			}
		})
	}
	running.Wait()
	if total, err := ledger.Charged(ctx, accountKey, "a", 1); err != nil || total != 10 || now.Load() != 1 {
		t.Errorf("charged %d by %d calls, %v, want 10 by one", total, now.Load(), err)
	}
}

func TestReplaysAreCapped(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		ledger := newLedger(t, rdb, quota.Limits{ReplayCap: 3})
		for i := range 4 {
			if charge := debit(t, ledger, request("a", "k", "x")); charge.Now != (i == 0) {
				t.Errorf("call %d: got charged %t", i, charge.Now)
			}
		}
		for range 2 {
			if _, err := ledger.Debit(ctx, request("a", "k", "x")); err != quota.ErrReplays {
				t.Errorf("past the cap: got %v, want ErrReplays", err)
			}
		}
		// Once the key is forgotten, the request is charged anew.
		must(t, rdb.Del(ctx, oneKey(t, rdb, "kith:{a*}:r*")).Err())
		if charge := debit(t, ledger, request("a", "k", "x")); !charge.Now {
			t.Error("after the key was forgotten: not charged")
		}
	})
}

// TestRefusalsChangeNothing compares the whole store before and after each refusal.
func TestRefusalsChangeNothing(t *testing.T) {
	ctx := context.Background()
	rdb := startRedis(t).Client()
	ledger := newLedger(t, rdb, quota.Limits{Burst: 20, RefillPerDay: 1, ReplayCap: 1})
	debit(t, ledger, request("a", "k", "x"))
	debit(t, ledger, request("a", "k", "x"))
	before := dump(t, rdb)
	for _, tt := range []struct {
		name    string
		request quota.Request
	}{
		{"exceeded", elements(11)},
		{"exceeded in a new epoch", inEpoch(elements(20), 3)},
		{"too large", elements(21)},
		{"key reused", request("a", "k", "y")},
		{"replays", request("a", "k", "x")},
	} {
		if _, err := ledger.Debit(ctx, tt.request); err == nil {
			t.Errorf("%s: passed", tt.name)
		}
		if after := dump(t, rdb); after != before {
			t.Errorf("%s: the store was\n%s\nand is\n%s", tt.name, before, after)
		}
	}
}

// dump returns all keys of accounts with their hashes.
func dump(t testing.TB, rdb *redis.Client) string {
	t.Helper()
	keys, err := rdb.Keys(context.Background(), "*").Result()
	must(t, err)
	all := make(map[string]map[string]string)
	for _, key := range keys {
		all[key] = rdb.HGetAll(context.Background(), key).Val()
	}
	return fmt.Sprint(all)
}

// TestStoreShowsNoAccount holds the package comment to its word.
func TestStoreShowsNoAccount(t *testing.T) {
	ctx := context.Background()
	rdb := startRedis(t).Client()
	ledger := newLedger(t, rdb, quota.Limits{YoungPerDay: 1000})
	debit(t, ledger, request("account-of-alice", "key-of-alice", "elements"))
	debit(t, ledger, inEpoch(request("account-of-alice", "", "elements"), 2))
	keys, err := rdb.Keys(ctx, "*").Result()
	if err != nil || len(keys) != 4 {
		t.Fatalf("keys: got %q, %v, want 4", keys, err)
	}
	for _, key := range keys {
		text := key + fmt.Sprint(rdb.HGetAll(ctx, key).Val())
		for _, word := range []string{"alice", "elements"} {
			if strings.Contains(text, word) {
				t.Errorf("the store shows %q in %q", word, text)
			}
		}
		if ttl := rdb.PTTL(ctx, key).Val(); ttl <= 0 {
			t.Errorf("%q is kept for ever", key)
		}
	}
}

func TestRecordsAreKeptAsLongAsTheLimitsSay(t *testing.T) {
	ctx := context.Background()
	rdb := startRedis(t).Client()
	ledger := newLedger(t, rdb, quota.Limits{KeepKeys: 2 * time.Hour})
	debit(t, ledger, request("a", "k", "x"))
	record := oneKey(t, rdb, "kith:{a*}:r*")
	for _, tt := range []struct {
		key  string
		want time.Duration
	}{{record, 2 * time.Hour}, {accountOf(t, rdb), 400 * 24 * time.Hour}} {
		if ttl := rdb.PTTL(ctx, tt.key).Val(); ttl > tt.want || ttl < tt.want-time.Hour {
			t.Errorf("%s is kept for %v, want %v", tt.key, ttl, tt.want)
		}
	}
	must(t, rdb.Del(ctx, record).Err())
	debit(t, ledger, request("a", "", "x"))
	if ttl := rdb.PTTL(ctx, oneKey(t, rdb, "kith:{a*}:r*")).Val(); ttl > 10*time.Minute || ttl <= 0 {
		t.Errorf("a request without a key is kept for %v, want 10m", ttl)
	}
}

func TestLimits(t *testing.T) {
	defaults := quota.Limits{Burst: 10_000, RefillPerDay: 1_000, ReplayCap: 16, KeepKeys: 24 * time.Hour, YoungAge: 7 * 24 * time.Hour}
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = rdb.Close() })
	if got := newLedger(t, rdb, quota.Limits{}).Limits(); got != defaults {
		t.Errorf("limits of zeros: got %+v, want %+v", got, defaults)
	}
	for _, tt := range []struct {
		name   string
		limits quota.Limits
		says   string // "" for valid
	}{
		{"the least", quota.Limits{Burst: 1, RefillPerDay: 1, ReplayCap: 1, KeepKeys: time.Minute, YoungAge: time.Minute, YoungPerDay: 1}, ""},
		{"the most", quota.Limits{Burst: quota.MaxBurst, RefillPerDay: quota.MaxBurst, ReplayCap: 1000, KeepKeys: 720 * time.Hour,
			YoungAge: 365 * 24 * time.Hour, YoungPerDay: quota.MaxYoungPerDay}, ""},
		{"a year to fill", quota.Limits{Burst: 365, RefillPerDay: 1}, ""},
		{"longer to fill", quota.Limits{Burst: 366, RefillPerDay: 1}, "RefillPerDay"},
		{"negative burst", quota.Limits{Burst: -1}, "Burst"},
		{"large burst", quota.Limits{Burst: quota.MaxBurst + 1}, "Burst"},
		{"negative refill", quota.Limits{RefillPerDay: -1}, "RefillPerDay"},
		{"large refill", quota.Limits{RefillPerDay: quota.MaxBurst + 1}, "RefillPerDay"},
		{"negative replays", quota.Limits{ReplayCap: -1}, "ReplayCap"},
		{"many replays", quota.Limits{ReplayCap: 1001}, "ReplayCap"},
		{"keys kept for a second", quota.Limits{KeepKeys: time.Second}, "KeepKeys"},
		{"keys kept for long", quota.Limits{KeepKeys: 721 * time.Hour}, "KeepKeys"},
		{"young for a second", quota.Limits{YoungAge: time.Second}, "YoungAge"},
		{"young for long", quota.Limits{YoungAge: 366 * 24 * time.Hour}, "YoungAge"},
		{"negative budget", quota.Limits{YoungPerDay: -1}, "YoungPerDay"},
		{"large budget", quota.Limits{YoungPerDay: quota.MaxYoungPerDay + 1}, "YoungPerDay"},
	} {
		_, err := quota.New(rdb, tt.limits)
		if tt.says == "" && err != nil {
			t.Errorf("%s: got %v, want none", tt.name, err)
		}
		if tt.says != "" && (!errors.Is(err, quota.ErrLimits) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: got %v, want ErrLimits that names %s", tt.name, err, tt.says)
		}
	}
}

// TestLargestLimitsAreExact goes to the ends of what the scripts can count.
func TestLargestLimitsAreExact(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		const most = quota.MaxBurst
		ledger, clock := withClock(t, rdb, quota.Limits{Burst: most, RefillPerDay: most})
		if charge := debit(t, ledger, elements(most)); charge.Remaining != 0 || charge.Reset != 24*time.Hour {
			t.Errorf("all at once: got %+v, want none left, full in a day", charge)
		}
		if e := wantExceeded(t, ledger, elements(most)); e.RetryAfter != 24*time.Hour {
			t.Errorf("all again: got %v, want 24h", e.RetryAfter)
		}
		// A unit flows back in 1.728 ms.
		if e := wantExceeded(t, ledger, elements(1)); e.RetryAfter != 2*time.Millisecond {
			t.Errorf("one more: got %v, want 2ms", e.RetryAfter)
		}
		clock.move(t, 2*time.Millisecond)
		if charge := debit(t, ledger, elements(1)); charge.Remaining != 0 {
			t.Errorf("after 2 ms: got %+v, want none left", charge)
		}
		clock.move(t, 400*24*time.Hour)
		if s := status(t, ledger, 1); s.Remaining != most || s.Level != 0 {
			t.Errorf("after more than a year: got %+v, want a full bucket", s)
		}
	})
}

func TestStoreAwayIsAnError(t *testing.T) {
	ctx := context.Background()
	s := startRedis(t)
	options := s.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	ledger := newLedger(t, rdb, quota.Limits{YoungPerDay: 1000})
	charge := debit(t, ledger, request("a", "k", "x"))
	s.Kill()
	for _, tt := range []struct {
		name string
		call func() error
	}{
		{"Debit", func() error { _, err := ledger.Debit(ctx, request("a", "", "x")); return err }},
		{"Debit, repeated", func() error { _, err := ledger.Debit(ctx, request("a", "k", "x")); return err }},
		{"Refund", func() error { _, err := ledger.Refund(ctx, charge); return err }},
		{"Status", func() error { _, err := ledger.Status(ctx, accountKey, "a", 1, 0); return err }},
		{"Charged", func() error { _, err := ledger.Charged(ctx, accountKey, "a", 1); return err }},
		{"Raise", func() error { return ledger.Raise(ctx, accountKey, "a", 1, 1) }},
		{"Reset", func() error { return ledger.Reset(ctx, accountKey, "a") }},
		{"Block", func() error { return ledger.Block(ctx, accountKey, "a") }},
		{"Unblock", func() error { return ledger.Unblock(ctx, accountKey, "a") }},
		{"Forget", func() error { return ledger.Forget(ctx, accountKey, "a") }},
		{"YoungRemaining", func() error { _, err := ledger.YoungRemaining(ctx); return err }},
	} {
		if err := tt.call(); err != quota.ErrUnavailable {
			t.Errorf("%s: got %v, want ErrUnavailable alone", tt.name, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := ledger.Debit(ended, request("a", "k", "x")); !errors.Is(err, quota.ErrUnavailable) {
		t.Errorf("Debit of an ended context: got %v, want ErrUnavailable", err)
	}
}
