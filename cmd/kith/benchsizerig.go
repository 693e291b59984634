package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/bench/rig"
	"github.com/kith-project/kith/bench/size"
)

// sizeConfig is Redis as deploy/redis.conf has it where that matters here. What an append-only file costs while it is rewritten is
// left out.
var sizeConfig = []string{
	"appendonly yes", "appendfsync everysec", "auto-aof-rewrite-percentage 0", "maxmemory-policy noeviction", "maxmemory 16gb",
	"hash-max-listpack-value 128", "hash-max-listpack-entries 512",
}

// sizeRig is a Redis with users, and servers on it.
type sizeRig struct {
	client   *http.Client
	redis    *rig.Redis
	rdb      *redis.Client
	dir      string
	expected int64 // users that the directory is laid out for
	server   *rig.Process

	m        *size.Measured
	asks     []sizeAsk
	imported usedBoth // by all parts of the import
	first    usedBoth // by the first start of a server with all users, up to when it has settled
	other    usedBoth // by the cheapest of the others
	reading  usedBoth // by a server while it read the directory once
}

// newSizeRig starts a Redis for a directory that is laid out for so many users, and will have so many, without a server on it. The caller
// ends it.
func newSizeRig(ctx context.Context, expected, users int64) (*sizeRig, error) {
	dir, err := os.MkdirTemp("", "kith-size-")
	if err != nil {
		return nil, fileError("temporary folder", err)
	}
	r := &sizeRig{
		dir: dir, expected: expected, m: &size.Measured{Users: users, Layout: sizeLayout(expected)},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * sizeSenders}},
	}
	if r.redis, err = rig.StartRedis(ctx, sizeConfig...); err != nil {
		r.end()
		if errors.Is(err, rig.ErrNoRedis) {
			err = withHint(errors.New("there is no redis-server on this machine"), "apt-get install redis-server, or brew install redis")
		}
		return nil, err
	}
	options, err := redis.ParseURL(r.redis.URL)
	if err != nil {
		r.end()
		return nil, err
	}
	r.rdb = redis.NewClient(options)
	return r, nil
}

// end stops what was started.
func (r *sizeRig) end() {
	r.stop()
	if r.rdb != nil {
		_ = r.rdb.Close()
	}
	if r.redis != nil {
		r.redis.Stop()
	}
	_ = os.RemoveAll(r.dir)
}

// usedBoth is what kith and Redis have used.
type usedBoth struct{ kith, redis time.Duration }

// least returns the smaller of each.
func (u usedBoth) least(other usedBoth) usedBoth {
	return usedBoth{min(u.kith, other.kith), min(u.redis, other.redis)}
}

// stop stops the server, if there is one.
func (r *sizeRig) stop() {
	if r.server != nil {
		r.server.Stop()
		r.server = nil
	}
}

// start starts a server that reads the whole directory anew in that time.
func (r *sizeRig) start(ctx context.Context, rescan time.Duration) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	r.server, err = rig.Program(ctx, program, []string{"KITH_REDIS=" + r.redis.URL}, "keys",
		"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--dir", filepath.Join(r.dir, "keys"), "--expected-users", strconv.FormatInt(r.expected, 10),
		"--burst", strconv.Itoa(comparedBurst), "--refill-per-day", strconv.Itoa(comparedBurst), "--lookups-per-source=-1",
		"--rescan-interval", rescan.String())
	return err
}

// used reads what the server and Redis have used, and the server's memory.
func (r *sizeRig) used(ctx context.Context) (u usedBoth, rss int64, err error) {
	s, err := meter.ReadServer(ctx, r.client, r.server.Said["admin"])
	if err != nil {
		return u, 0, err
	}
	if u.kith, err = meter.Process(r.server.PID()); err != nil {
		u.kith = s.CPU // to 10 ms
	}
	store, err := meter.ReadRedis(ctx, r.rdb)
	u.redis = store.CPU
	return u, s.RSS, err
}

// begin starts a server, waits until it has settled, and returns what that took, and its memory.
func (r *sizeRig) begin(ctx context.Context) (u usedBoth, rss int64, err error) {
	store, err := meter.ReadRedis(ctx, r.rdb)
	if err != nil {
		return u, 0, err
	}
	if err := r.start(ctx, time.Hour); err != nil {
		return u, 0, err
	}
	if err := r.settle(ctx, sizeSettled); err != nil {
		return u, 0, err
	}
	u, rss, err = r.used(ctx)
	u.redis -= store.CPU
	return u, rss, err
}

// during returns what the server and Redis use in that time.
func (r *sizeRig) during(ctx context.Context, d time.Duration) (usedBoth, error) {
	before, _, err := r.used(ctx)
	if err != nil {
		return usedBoth{}, err
	}
	if err := pause(ctx, d); err != nil {
		return usedBoth{}, err
	}
	after, _, err := r.used(ctx)
	return usedBoth{after.kith - before.kith, after.redis - before.redis}, err
}

// settle waits until there is a snapshot, and the server uses less than that share of a core.
func (r *sizeRig) settle(ctx context.Context, share float64) error {
	last, calm := usedBoth{}, 0
	for deadline := time.Now().Add(sizeSettle); time.Now().Before(deadline); {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		now, _, err := r.used(ctx)
		if err != nil {
			return err
		}
		calm++
		if now.kith-last.kith > time.Duration(share*float64(time.Second)) || r.get(ctx, "/v1/epochs/1/snapshot", nil) != nil {
			calm = 0
		}
		if last = now; calm == 2 {
			return nil
		}
	}
	return errors.New("the server had not settled after " + sizeSettle.String())
}

// get asks the server for JSON.
func (r *sizeRig) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.Said["serving"]+path, nil)
	if err != nil {
		return err
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, answer.StatusCode)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}
