//go:build large

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/redistest"
)

const (
	// lookupUsers may name another number of users for TestLookupTenMillion.
	lookupUsers = "KITH_LOOKUP_USERS"
	// lookupTags is how many tags are in one lookup, half of them of users.
	lookupTags = 1000
	// lookupSample is of how many users tags are looked up, and of as many others.
	lookupSample = 200_000
	// lookupTime is how long each part of the measurement takes.
	lookupTime = 20 * time.Second
	// lookupShare is the part of the highest rate at which latency is measured.
	lookupShare = 0.7
)

// TestLookupTenMillion imports ten million users into one Redis, and looks up tags by HTTP: as fast as it goes, and then at seven
// tenths of that, at moments that wait for no answer. Every answer is checked:
//
//	make lookup-10m
func TestLookupTenMillion(t *testing.T) {
	users := 10_000_000
	if text := os.Getenv(lookupUsers); text != "" {
		var err error
		if users, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", lookupUsers, err)
		}
	}
	store := redistest.Start(t, redistest.Config("maxmemory", "16gb"), redistest.AppendFsync("everysec"))
	rdb := store.Client()
	dir := t.TempDir()
	serve(t, dir, "--redis", store.URL(), "--expected-users", strconv.Itoa(users)).kill() // makes the directory
	empty := infoNumber(t, rdb, "used_memory")
	began := time.Now()
	output(t, importArgs(writeImport(t, users), dir, store.URL())...)
	t.Logf("%d users imported in %.0f s", users, time.Since(began).Seconds())
	reportMemory(t, rdb, users, empty)

	s := serve(t, dir, "--redis", store.URL(), "--admin", "127.0.0.1:0", "--lookups-per-source=-1", "--connections-per-source=-1")
	snapshot, err := newReader(t, rdb, dir).keys.Current()
	if err != nil {
		t.Fatal(err)
	}
	l := &clusterLoad{t: t, s: s, epoch: snapshot.Active(), right: make(map[string]int), client: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 256},
	}}
	sample := min(lookupSample, users)
	l.known, l.others = l.tags(users-sample, users), l.tags(users, users+sample)
	s.settle(t)

	before, beforeServer := redisCPU(t, rdb), s.used(t)
	rate := l.lookUpAtOnce(lookupTime)
	tags := float64(lookupTags) * rate * lookupTime.Seconds()
	redisEach := (redisCPU(t, rdb) - before).Seconds() / tags
	serverEach := (s.used(t).CPU - beforeServer.CPU).Seconds() / tags
	t.Logf("as fast as it goes: %.0f tags a second; processor time a tag: Redis %.2f µs, kith %.2f µs; so %.0f lookups a second and core of Redis",
		rate*lookupTags, redisEach*1e6, serverEach*1e6, 1/redisEach)
	times := l.lookUpAt(lookupShare*rate, lookupTime)
	t.Logf("at %.0f %% of that, %.0f requests of %d tags a second: 50 %% within %.1f ms, 99 %% within %.1f ms, all within %.1f ms", 100*lookupShare,
		lookupShare*rate, lookupTags, float64(times.ValueAtQuantile(50))/1000, float64(times.ValueAtQuantile(99))/1000, float64(times.Max())/1000)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, wrong := range l.wrong {
		t.Error(wrong)
	}
	if l.refused > 0 {
		t.Errorf("%d requests were refused", l.refused)
	}
}

// reportMemory says what Redis holds for each user, and what of that.
func reportMemory(t *testing.T, rdb *redis.Client, users int, empty int64) {
	t.Helper()
	ctx := context.Background()
	stored := infoNumber(t, rdb, "used_memory") - empty
	sum := func(pattern string, sampled int) (bytes, keys int64) {
		for it := rdb.Scan(ctx, 0, pattern, 1000).Iterator(); it.Next(ctx); {
			if keys++; sampled == 0 || keys <= int64(sampled) {
				bytes += rdb.MemoryUsage(ctx, it.Val(), 0).Val()
			}
		}
		if sampled > 0 && keys > int64(sampled) {
			bytes = bytes * keys / int64(sampled)
		}
		return bytes, keys
	}
	changes, _ := sum("kith:{e*}:changes", 0)
	buckets, keys := sum("kith:{e*}:b*", 5000)
	overhead := infoNumber(t, rdb, "used_memory_overhead")
	each := func(n int64) float64 { return float64(n) / float64(users) }
	t.Logf("Redis holds %.1f bytes a user: %.1f in %d buckets, %.1f of changes that are kept for devices, %.1f in its tables of keys and the rest",
		each(stored), each(buckets), keys, each(changes), each(stored-buckets-changes))
	t.Logf("fragmentation %s, overhead %d MB, of the whole process %d MB", redisInfo(t, rdb)["mem_fragmentation_ratio"], overhead/1e6, infoNumber(t, rdb, "used_memory_rss")/1e6)
}

// used returns what the server has used so far.
func (s *serving) used(t *testing.T) meter.Server {
	t.Helper()
	used, err := meter.ReadServer(context.Background(), http.DefaultClient, s.admin)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// settle waits until the server has read what it keeps in memory, and does next to nothing.
func (s *serving) settle(t *testing.T) {
	t.Helper()
	for quiet, last := 0, s.used(t).CPU; quiet < 3; {
		time.Sleep(time.Second)
		now := s.used(t).CPU
		if quiet++; now-last > 100*time.Millisecond {
			quiet = 0
		}
		last = now
	}
}

// pick returns tags of a lookup, of users and others in turns, and those of users among them.
func (l *clusterLoad) pick() (tags, known []crypto.Tag) {
	from := rand.IntN(len(l.known) - lookupTags/2 + 1)
	known = l.known[from : from+lookupTags/2]
	for i, tag := range known {
		tags = append(tags, tag, l.others[from+i])
	}
	return tags, known
}

// lookUp sends one lookup and checks its answer.
func (l *clusterLoad) lookUp() {
	tags, known := l.pick()
	found := l.found("matches", tags)
	if found == nil {
		return // noted as refused or wrong
	}
	right := len(found) == len(known)
	for i := range min(len(found), len(known)) {
		right = right && bytes.Equal(found[i][:], known[i][:])
	}
	if !right {
		l.fail("%d were found of %d users", len(found), len(known))
	}
}

// lookUpAtOnce looks up as fast as the answers come, and returns how many requests a second.
func (l *clusterLoad) lookUpAtOnce(length time.Duration) float64 {
	var wg sync.WaitGroup
	var done atomic.Int64
	end := time.Now().Add(length)
	for range 8 {
		wg.Go(func() {
			for time.Now().Before(end) {
				l.lookUp()
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(done.Load()) / length.Seconds()
}

// lookUpAt looks up at random moments, so many requests a second on average, and returns how long each took from its moment on.
func (l *clusterLoad) lookUpAt(rate float64, length time.Duration) *hdr.Histogram {
	times := hdr.New(1, time.Minute.Microseconds(), 3)
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for at := time.Duration(0); at < length; at += time.Duration(rand.ExpFloat64() / rate * float64(time.Second)) {
		time.Sleep(time.Until(began.Add(at)))
		wg.Go(func() {
			l.lookUp()
			took := time.Since(began.Add(at)).Microseconds()
			mu.Lock()
			defer mu.Unlock()
			if err := times.RecordValue(took); err != nil {
				l.fail("%v", fmt.Errorf("%d µs: %w", took, err))
			}
		})
	}
	wg.Wait()
	return times
}
