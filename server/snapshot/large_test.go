//go:build large

package snapshot

import (
	"cmp"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// largeUsers may name another number of users for TestBuildTenMillion.
const largeUsers = "KITH_SNAPSHOT_USERS"

// TestBuildTenMillion loads records into a real Redis and builds a set of them, and says what that took:
//
//	make snapshot-10m
//
// At 10 million it needs about 3 GB, nearly all of it for Redis.
func TestBuildTenMillion(t *testing.T) {
	users, err := strconv.Atoi(cmp.Or(os.Getenv(largeUsers), "10000000"))
	if err != nil {
		t.Fatalf("%s: %v", largeUsers, err)
	}
	ctx := context.Background()
	server := redistest.Start(t, redistest.Config("appendonly", "no"), redistest.Config("save", ""),
		redistest.Config("maxmemory", "8gb"))
	rdb := server.Client()
	dir := directory.New(rdb, directory.Config{})
	layout := directory.Layout{Epoch: 1, PartitionBits: 8, BucketBits: 8}
	for users>>layout.BucketBits > 50 {
		layout.BucketBits++
	}
	if err := dir.Prepare(ctx, layout, generation); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	load(t, dir, layout, users)
	t.Logf("loaded %d users in %v; Redis: %s", users, time.Since(started).Round(time.Second),
		infoLine(rdb.Info(ctx, "memory").Val(), "used_memory_human"))

	runtime.GC()
	peak := watchHeap()
	var last time.Duration
	started = time.Now()
	b, err := NewBuilder(rdb, dir, layout, Config{OnProgress: func(p Progress) { last = time.Since(started) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := turn(ctx, b); err != nil {
		t.Fatal(err)
	}
	took := time.Since(started)
	heap := peak()

	m, _, err := NewStore(rdb, layout.Epoch, -1).Manifest(ctx)
	if err != nil || m.Keys != int64(users) {
		t.Fatalf("got a set of %d, %v, want %d", m.Keys, err, users)
	}
	t.Logf("built %d shards of %d bytes in %v (%.2f µs a user), shards alone %v", len(m.Shards), m.Bytes,
		took.Round(10*time.Millisecond), took.Seconds()*1e6/float64(users), last.Round(10*time.Millisecond))
	t.Logf("%.2f bytes a user in the set; heap up to %d MB while building; peak RSS of the process %s", float64(m.Bytes)/float64(users),
		heap>>20, peakRSS())
	t.Logf("Redis: %s", infoLine(rdb.Info(ctx, "memory").Val(), "used_memory_human"))
}

// load registers users of random tags, in calls that Redis answers in some ms.
func load(t *testing.T, dir *directory.Store, layout directory.Layout, users int) {
	random := rand.New(rand.NewPCG(1, 2))
	writes := make([]directory.Write, 0, 16_384)
	for users > 0 {
		writes = writes[:0]
		for range min(users, cap(writes)) {
			w := directory.Write{Format: directory.Visible, Version: 1}
			binary.BigEndian.PutUint64(w.Tag[:8], random.Uint64())
			binary.BigEndian.PutUint64(w.Tag[8:], random.Uint64())
			writes = append(writes, w)
		}
		if _, err := dir.Apply(context.Background(), layout, generation, writes); err != nil {
			t.Fatal(err)
		}
		users -= len(writes)
	}
}

// watchHeap looks at the heap every 10 ms until the function that it returns is called, which returns the most bytes that
// were in use.
func watchHeap() func() uint64 {
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		var stats runtime.MemStats
		most := uint64(0)
		for {
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-ticker.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-peak }
}

// peakRSS returns what Linux says was the most memory of this process, the loading of the directory included.
func peakRSS() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	return infoLine(string(status), "VmHWM")
}

// infoLine returns the value of one line "name:value".
func infoLine(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
