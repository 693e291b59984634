package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/redistest"
)

// TestOnRedisCluster runs the whole server on a real cluster of three masters and three replicas: no script reaches over a
// slot, and everything that was registered is found, before and after a rotation.
func TestOnRedisCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 1)
	first := cluster.Masters[0]
	address := url.URL{Scheme: "redis", User: url.UserPassword("", first.Password()), Host: first.Addr()}
	s := serve(t, t.TempDir(), "--redis", address.String(), "--cluster", "--expected-users", "20000", "--admin", "127.0.0.1:0")
	numbers := fictional(0, 60)
	s.putMany(t, numbers[:30], func(string) string { return "here" })
	if epoch, found := s.find(t, numbers); epoch != 1 || len(found) != 30 {
		t.Errorf("found %d in epoch %d, want 30 in epoch 1", len(found), epoch)
	}
	if got := s.operate(t, "epoch", "rotate", "--wait"); got != "epoch 2 is active\n" {
		t.Errorf("rotate: got %q", got)
	}
	if epoch, found := s.find(t, numbers); epoch != 2 || len(found) != 30 {
		t.Errorf("found %d in epoch %d, want 30 in epoch 2", len(found), epoch)
	}
	r := runKith(t, "epoch", "audit", "2", "--redis", address.String(), "--cluster", "--master-key-file", keyDir(s.dir).path(fileMasterKey))
	if r.status != 0 || !strings.HasPrefix(r.stdout, "epoch 2, from epoch 1: ") {
		t.Errorf("audit: got status %d, %q and %q on standard error", r.status, r.stdout, r.stderr)
	}
}
