package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server/redistest"
)

// TestOnRedisCluster runs everything on a real cluster of three masters and three replicas: no script reaches over a slot, and
// everyone who was registered is found in each mode, before and after a rotation.
func TestOnRedisCluster(t *testing.T) {
	t.Parallel()
	const users = 3_000
	cluster := redistest.StartCluster(t, 3, 1, redistest.AppendFsync("no"))
	s, address := onCluster(t, cluster, 20_000)
	path := writeImport(t, users)
	for range 2 {
		if got, want := output(t, importArgs(path, s.dir, address, "--cluster")...), fmt.Sprintf("%d lines: %d registered\n", users, users); got != want {
			t.Errorf("import: got %q, want %q", got, want)
		}
	}
	r := newReader(t, cluster.Client(), s.dir)
	r.wantImported(t, users)

	numbers := fictional(0, 30)
	s.putMany(t, numbers, func(string) string { return "here" })
	s.register(t, http.MethodPut, map[string]any{"number": numbers[0], "label": "", "discoverable": false})
	s.register(t, http.MethodDelete, map[string]any{"number": numbers[1]})
	numbers = append(numbers, importNumber(0), importNumber(users-1), importNumber(users))
	inEachMode := func(epoch uint32) {
		t.Helper()
		s.until(t, "a snapshot", func() bool {
			answer, err := http.Get(fmt.Sprintf("%s/v1/epochs/%d/snapshot", s.url, epoch))
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		})
		for _, mode := range []string{"exact", "bucket", "snapshot"} {
			if in, found := s.find(t, numbers, "--mode", mode); in != epoch || len(found) != 30 {
				t.Errorf("mode %s: found %d in epoch %d, want 30 in epoch %d", mode, len(found), in, epoch)
			}
		}
	}
	inEachMode(1)
	if got := s.operate(t, "epoch", "rotate", "--wait", "--window", "0s", "--drain", "1h"); got != "epoch 2 is active\n" {
		t.Errorf("rotate: got %q", got)
	}
	inEachMode(2)
	s.until(t, "settled", func() bool { return !strings.Contains(s.operate(t, "epoch", "status"), "settl") })
	master := []string{"--redis", address, "--cluster", "--master-key-file", keyDir(s.dir).path(fileMasterKey)}
	if r := runKith(t, append([]string{"epoch", "audit", "2"}, master...)...); r.status != 0 || !strings.HasPrefix(r.stdout, "epoch 2, from epoch 1: ") {
		t.Errorf("audit: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	if got := output(t, append([]string{"keyring", "backup", "--out", backup}, master...)...); got != "backed up to "+backup+"\n" {
		t.Errorf("backup: got %q", got)
	}
	if info, err := os.Stat(backup); err != nil || info.Size() == 0 {
		t.Errorf("backup: %v", err)
	}
	if got := s.operate(t, "quota", "show", "trial-discover"); !strings.Contains(got, "of 10000") {
		t.Errorf("quota: got %q", got)
	}
	for i, node := range cluster.Masters {
		for kind, n := range redisErrors(t, node.Client()) {
			// ERR is what go-redis gets for what Redis 7.0 does not know of its greeting.
			if kind != "NOSCRIPT" && kind != "MOVED" && kind != "NOAUTH" && kind != "ERR" {
				t.Errorf("master %d has answered %d times with %s", i, n, kind)
			}
		}
	}
}

// TestReshardUnderLoad moves slots between masters while every kind of request is under way, and holds each move in the middle for a
// while. No request fails, none is refused and none is answered wrongly.
func TestReshardUnderLoad(t *testing.T) {
	t.Parallel()
	const users = 1_000
	cluster := redistest.StartCluster(t, 3, 0, redistest.AppendFsync("no"))
	s, address := onCluster(t, cluster, 2_000)
	output(t, importArgs(writeImport(t, users), s.dir, address, "--cluster")...)
	r := newReader(t, cluster.Client(), s.dir)
	_ = pause(t.Context(), 1500*time.Millisecond) // until the server's memory has those who were imported
	l := startClusterLoad(t, s, r, users, users)
	_ = pause(t.Context(), 300*time.Millisecond)
	keys := []string{"kith:keyring", "kith:usage"}
	for p := range 8 {
		keys = append(keys, fmt.Sprintf("kith:{e1.p%d}:meta", 4*p))
	}
	accounts, err := clusterKeys(t, cluster, "kith:{a*}:account")
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range append(keys, accounts...) {
		slot := cluster.Slot(key)
		to := cluster.Masters[i%3]
		if to == cluster.Master(slot) {
			to = cluster.Masters[(i+1)%3]
		}
		move := cluster.BeginMove(slot, to)
		_ = pause(t.Context(), 50*time.Millisecond)
		move.Step(1)
		_ = pause(t.Context(), 150*time.Millisecond)
		move.End()
	}
	_ = pause(t.Context(), 300*time.Millisecond)
	l.stop()
	t.Logf("answered rightly: %v", l.right)
	l.check(0)
	if t.Failed() {
		t.Log(s.log)
	}
	answers := make(map[string]int64)
	for _, node := range cluster.Masters {
		for kind, n := range redisErrors(t, node.Client()) {
			answers[kind] += n
		}
	}
	for _, kind := range []string{"MOVED", "ASK", "TRYAGAIN"} {
		if answers[kind] == 0 {
			t.Errorf("no master has answered with %s: the moves were not met", kind)
		}
	}
	if answers["CROSSSLOT"] != 0 {
		t.Errorf("%d scripts had keys of several slots", answers["CROSSSLOT"])
	}
	l.wantWritten(t, r)
	r.wantImported(t, users)
}

// TestPromotionUnderLoad kills a master. Until its replica has taken its place what lies there is refused, with a time to try
// again, and nobody is said not to be registered. Then everything works, and so does the old master as a replica.
func TestPromotionUnderLoad(t *testing.T) {
	t.Parallel()
	const users = 1_000
	cluster := redistest.StartCluster(t, 3, 1, redistest.AppendFsync("no"), redistest.Config("cluster-node-timeout", "1000"))
	s, address := onCluster(t, cluster, 2_000)
	output(t, importArgs(writeImport(t, users), s.dir, address, "--cluster")...)
	r := newReader(t, cluster.Client(), s.dir)
	cluster.WaitForReplicas()
	_ = pause(t.Context(), 1500*time.Millisecond) // until the server's memory has those who were imported
	l := startClusterLoad(t, s, r, users, users)
	_ = pause(t.Context(), 500*time.Millisecond)
	victim := 0
	for i, node := range cluster.Masters {
		if node == cluster.Master(cluster.Slot("kith:{e1.p0}:meta")) {
			victim = i
		}
	}
	killed := time.Now()
	cluster.Masters[victim].Kill()
	cluster.WaitForMaster(cluster.Replicas[victim])
	promoted := time.Since(killed)
	s.until(t, "every request answered again", func() bool {
		before := l.refusals()
		_ = pause(t.Context(), 400*time.Millisecond)
		return l.refusals() == before
	})
	t.Logf("promoted after %v, answering everything after %v", promoted, time.Since(killed))
	cluster.Masters[victim].Restart()
	cluster.WaitForReplicas()
	_ = pause(t.Context(), 300*time.Millisecond)
	l.stop()
	t.Logf("answered rightly: %v; refused: %d", l.right, l.refused)
	if l.refused == 0 {
		t.Error("no request was refused: the load did not meet the dead master")
	}
	right := 0
	for _, n := range l.right {
		right += n
	}
	if l.refused > right {
		t.Errorf("%d requests were refused, more than answered: the server went on asking the dead master", l.refused)
	}
	l.check(l.refused)
	// What was acknowledged in the last moment may not have reached the replica.
	r = newReader(t, cluster.Client(), s.dir)
	l.wantWritten(t, r, killed.Add(-time.Second), killed)
	r.wantImported(t, users)
	inserted := fictional(0, 5)
	s.putMany(t, inserted, func(string) string { return "after" })
	if _, found := s.find(t, inserted, "--mode", "exact"); len(found) != len(inserted) {
		t.Errorf("found %d who were registered after the promotion, want %d", len(found), len(inserted))
	}
}
