package main

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/redistest"
)

// shardUse is what one master has done for some lookups.
type shardUse struct {
	reads int64         // HGET for each tag, and EXISTS for each partition of a lookup
	cpu   time.Duration // of all that it did
}

// reads returns how often a master has read for lookups.
func reads(t testing.TB, rdb *redis.Client) int64 {
	t.Helper()
	return redisCalls(t, rdb, "hget") + redisCalls(t, rdb, "exists")
}

// scaleOf imports users into a cluster of so many masters, looks up tags of the users by HTTP, and returns what that took of each
// master.
func scaleOf(t *testing.T, masters, users, lookups, tagsEach int) []shardUse {
	t.Helper()
	cluster := redistest.StartCluster(t, masters, 0, redistest.AppendFsync("no"))
	s, address := onCluster(t, cluster, max(users, 100_000))
	output(t, importArgs(writeImport(t, users), s.dir, address, "--cluster")...)
	r := newReader(t, cluster.Client(), s.dir)
	snapshot, err := r.keys.Current()
	if err != nil {
		t.Fatal(err)
	}
	l := &clusterLoad{t: t, s: s, epoch: snapshot.Active(), client: &http.Client{Timeout: time.Minute}, right: make(map[string]int)}
	l.known = l.tags(0, users)
	before := make([]shardUse, masters)
	for i, node := range cluster.Masters {
		before[i] = shardUse{reads(t, node.Client()), redisCPU(t, node.Client())}
	}
	var wg sync.WaitGroup
	const askers = 4
	for a := range askers {
		wg.Go(func() {
			for i := a; i < lookups; i += askers {
				tags := make([]crypto.Tag, tagsEach)
				for j := range tags {
					tags[j] = l.known[(i*tagsEach+j)%users]
				}
				if found := l.found("matches", tags); len(found) != tagsEach {
					t.Errorf("%d found, want %d", len(found), tagsEach)
				}
			}
		})
	}
	wg.Wait()
	used := make([]shardUse, masters)
	for i, node := range cluster.Masters {
		used[i] = shardUse{reads(t, node.Client()) - before[i].reads, redisCPU(t, node.Client()) - before[i].cpu}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range l.wrong {
		t.Error(text)
	}
	s.kill()
	for _, node := range cluster.Masters {
		node.Kill() // so that it takes nothing from the next
	}
	return used
}

// TestClusterShares looks up the same users on one, two and three masters: each does its share, and together they do no more.
// make cluster-scale does so with more users, and prints the processor time too.
func TestClusterShares(t *testing.T) {
	t.Parallel()
	const users, lookups, tags, partitions = 2_000, 50, 200, 256
	for masters := 1; masters <= 3; masters++ {
		used := scaleOf(t, masters, users, lookups, tags)
		all := int64(0)
		for _, use := range used {
			all += use.reads
		}
		// Each lookup reads every tag, and asks for each of their partitions, wherever they are.
		if all < lookups*tags || all > lookups*(tags+partitions) {
			t.Errorf("%d masters have read %d times, want %d and at most %d for partitions", masters, all, lookups*tags, lookups*partitions)
		}
		for i, use := range used {
			if share := float64(use.reads) * float64(masters) / float64(all); share < 0.7 || share > 1.3 {
				t.Errorf("master %d of %d has read %d times, %.2f of an equal share", i+1, masters, use.reads, share)
			}
		}
	}
}
