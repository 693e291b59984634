package main

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/kith-project/kith/server/redistest"
)

// TestOnRedisCluster runs the whole server on a real cluster of three masters and three replicas: no script reaches over a
// slot, and everything that was registered is found.
func TestOnRedisCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 1)
	first := cluster.Masters[0]
	address := url.URL{Scheme: "redis", User: url.UserPassword("", first.Password()), Host: first.Addr()}
	s := serve(t, t.TempDir(), "--redis", address.String(), "--cluster", "--expected-users", "20000")
	numbers := fictional(0, 60)
	s.putMany(t, numbers[:30], func(string) string { return "here" })
	r := decodeResult(t, output(t, "discover", writeCSV(t, numbers), "--server", s.url, "--token-file", s.token("discover"),
		"--region", "US", "--json"))
	if len(r.Matches) != 30 {
		t.Errorf("found %d, want 30 (%s)", len(r.Matches), fmt.Sprint(r.Mode))
	}
}
