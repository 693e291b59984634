package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/bench/rig"
	"github.com/kith-project/kith/bench/size"
	"github.com/kith-project/kith/crypto/voprf"
)

// sizeConfig is Redis as deploy/redis.conf has it where that matters here. What an append-only file costs while it is rewritten is
// left out.
var sizeConfig = []string{
	"appendonly yes", "appendfsync everysec", "auto-aof-rewrite-percentage 0", "maxmemory-policy noeviction", "maxmemory 16gb",
	"hash-max-listpack-value 128", "hash-max-listpack-entries 512",
}

const (
	// sizeSenders is how many requests are under way at once.
	sizeSenders = 4
	// sizeTurn is how long each kind of request is sent at a time, and sizeRounds how often each has its turn. The least of what its turns
	// took counts: what else the machine does can only add to it.
	sizeTurn, sizeRounds = 400 * time.Millisecond, 10
	// sizeStarts is how often a server is started.
	sizeStarts = 3
	// sizeSettled is below which share of a core a server counts as idle, and sizeSettle how long that is waited for. sizeRead is the
	// same for one that reads the directory again and again.
	sizeSettled, sizeRead, sizeSettle = 0.06, 0.5, 3 * time.Minute
	// sizeReading is how long a server is watched that does so, and sizeReadings how often.
	sizeReading, sizeReadings = 20 * time.Second, 2
)

// sizeRig is a Redis with users, and servers on it.
type sizeRig struct {
	client *http.Client
	redis  *rig.Redis
	rdb    *redis.Client
	dir    string
	users  int64
	server *rig.Process
}

// usedBoth is what kith and Redis have used.
type usedBoth struct{ kith, redis time.Duration }

// least returns the smaller of each.
func (u usedBoth) least(other usedBoth) usedBoth {
	return usedBoth{min(u.kith, other.kith), min(u.redis, other.redis)}
}

// measureSize imports users into a Redis of its own, and measures what the model predicts.
func measureSize(ctx context.Context, t *terminal, users int64) (*size.Measured, error) {
	dir, err := os.MkdirTemp("", "kith-size-")
	if err != nil {
		return nil, fileError("temporary folder", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := &sizeRig{dir: dir, users: users, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * sizeSenders}}}
	if r.redis, err = rig.StartRedis(ctx, sizeConfig...); errors.Is(err, rig.ErrNoRedis) {
		return nil, withHint(errors.New("there is no redis-server on this machine"), "apt-get install redis-server, or brew install redis")
	} else if err != nil {
		return nil, err
	}
	defer r.redis.Stop()
	options, err := redis.ParseURL(r.redis.URL)
	if err != nil {
		return nil, err
	}
	r.rdb = redis.NewClient(options)
	defer func() { _ = r.rdb.Close() }()
	m := &size.Measured{Users: users, Layout: sizeLayout(users)}
	for _, step := range []struct {
		what string
		do   func(context.Context, *size.Measured) error
	}{
		{"importing", r.fill}, {"building the snapshot", r.follow}, {"reading the directory", r.reread}, {"sending requests", r.ask},
	} {
		t.say("%s users: %s", strconv.FormatInt(users, 10), step.what)
		if err := step.do(ctx, m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// start starts a server that reads the whole directory anew in that time.
func (r *sizeRig) start(ctx context.Context, rescan time.Duration) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	r.server, err = rig.Program(ctx, program, []string{"KITH_REDIS=" + r.redis.URL}, "keys",
		"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--dir", filepath.Join(r.dir, "keys"), "--expected-users", strconv.FormatInt(r.users, 10),
		"--burst", strconv.Itoa(comparedBurst), "--refill-per-day", strconv.Itoa(comparedBurst), "--lookups-per-source=-1",
		"--rescan-interval", rescan.String())
	return err
}

// used reads what the server and Redis have used.
func (r *sizeRig) used(ctx context.Context) (u usedBoth, rss int64, err error) {
	s, err := meter.ReadServer(ctx, r.client, r.server.Said["admin"])
	if err != nil {
		return u, 0, err
	}
	store, err := meter.ReadRedis(ctx, r.rdb)
	return usedBoth{s.CPU, store.CPU}, s.RSS, err
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

// fill imports the users.
func (r *sizeRig) fill(ctx context.Context, m *size.Measured) error {
	if _, _, err := r.begin(ctx); err != nil { // which makes the directory
		return err
	}
	r.server.Stop()
	// It has published that there is nobody; the next is to publish the users, and not in six hours.
	published, err := r.rdb.Keys(ctx, "kith:{e1.snapshot}:*").Result()
	if err == nil && len(published) > 0 {
		err = r.rdb.Del(ctx, published...).Err()
	}
	if err != nil {
		return err
	}
	path := filepath.Join(r.dir, "users.csv")
	if err := writeSizeUsers(path, r.users); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	before, err := meter.ReadRedis(ctx, r.rdb)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "import", path, "--master-key-file", keyDir(filepath.Join(r.dir, "keys")).path(fileMasterKey))
	cmd.Env = append(os.Environ(), "KITH_REDIS="+r.redis.URL)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("import: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	after, err := meter.ReadRedis(ctx, r.rdb)
	if err != nil {
		return err
	}
	n := float64(r.users)
	m.RedisMemory = float64(after.Memory - before.Memory)
	m.ImportUser = float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()) / n
	m.ImportUserRedis = float64((after.CPU - before.CPU).Microseconds()) / n
	// What the changes take is measured apart, so that the constant for them can be made of it.
	keys, err := r.rdb.Keys(ctx, "kith:{e*}:changes").Result()
	if err != nil {
		return err
	}
	for _, key := range keys {
		bytes, err := r.rdb.MemoryUsage(ctx, key, 0).Result()
		if err != nil {
			return err
		}
		entries, err := r.rdb.XLen(ctx, key).Result()
		if err != nil {
			return err
		}
		m.ChangeBytes, m.Changes = m.ChangeBytes+float64(bytes), m.Changes+float64(entries)
	}
	return os.Remove(path)
}

// writeSizeUsers writes the lines that are imported. The numbers are valid, and belong to nobody here.
func writeSizeUsers(path string, users int64) error {
	f, err := os.Create(path)
	if err != nil {
		return fileError("users", err)
	}
	w := bufio.NewWriter(f)
	for i := range users {
		fmt.Fprintf(w, "+1212%07d,user-%07d\n", 2_000_000+i, i)
	}
	return errors.Join(w.Flush(), f.Close())
}

// follow measures what a server does by itself: its first one builds the snapshot and reads the directory, the others only read
// it, and the least of them counts.
func (r *sizeRig) follow(ctx context.Context, m *size.Measured) error {
	var first, other usedBoth
	for turn := range sizeStarts {
		took, rss, err := r.begin(ctx)
		if err != nil {
			return err
		}
		switch turn {
		case 0:
			first = took
		case 1:
			other = took
		default:
			other = other.least(took)
		}
		if turn < sizeStarts-1 {
			r.server.Stop()
		}
		m.ServerMemory = float64(rss)
	}
	n := float64(r.users)
	m.BuildRecord = max(0, float64((first.kith-other.kith).Microseconds())/n)
	m.BuildRecordRedis = max(0, float64((first.redis-other.redis).Microseconds())/n)
	var manifest struct {
		Bytes  int64 `json:"bytes"`
		Shards []struct {
			ID string `json:"id"`
		} `json:"shards"`
	}
	if err := r.get(ctx, "/v1/epochs/1/snapshot", &manifest); err != nil || len(manifest.Shards) == 0 {
		return errors.Join(errors.New("no snapshot"), err)
	}
	m.SnapshotBytes, m.Shard = float64(manifest.Bytes), manifest.Shards[0].ID
	const idle = 8 * time.Second
	u, err := r.during(ctx, idle)
	m.IdleServer, m.IdleServerRedis = float64(u.kith.Microseconds())/idle.Seconds(), float64(u.redis.Microseconds())/idle.Seconds()
	return err
}

// reread measures what it takes to read the directory, with a server that does so again and again instead of every hour, less what it
// does besides. One start tells little: it differs from another by a third.
func (r *sizeRig) reread(ctx context.Context, m *size.Measured) error {
	r.server.Stop()
	every := max(4*time.Second, time.Duration(r.users)*4*time.Microsecond)
	if err := r.start(ctx, every); err != nil {
		return err
	}
	if err := r.settle(ctx, sizeRead); err != nil {
		return err
	}
	var least usedBoth
	for turn := range sizeReadings {
		u, err := r.during(ctx, sizeReading)
		if err != nil {
			return err
		}
		if turn == 0 {
			least = u
		}
		least = least.least(u)
	}
	records := float64(r.users) * sizeReading.Seconds() / every.Seconds()
	of := func(used time.Duration, idle float64) float64 {
		return max(0, float64(used.Microseconds())-idle*sizeReading.Seconds()) / records
	}
	m.RescanRecord, m.RescanRecordRedis = of(least.kith, m.IdleServer), of(least.redis, m.IdleServerRedis)
	r.server.Stop()
	_, _, err := r.begin(ctx) // for the requests
	return err
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

// sizeAsk is a kind of request.
type sizeAsk struct {
	size.Asks
	path string
	body func(i int) []byte // nil for GET
}

// ask sends each kind of request in its turn.
func (r *sizeRig) ask(ctx context.Context, m *size.Measured) error {
	defer func() { r.server.Stop() }()
	kinds, err := r.kinds(m)
	if err != nil {
		return err
	}
	for round := range sizeRounds {
		for i := range kinds {
			one, err := r.turn(ctx, m, &kinds[i], round)
			if err != nil {
				return fmt.Errorf("%s: %w", kinds[i].Kind, err)
			}
			if round == 0 {
				kinds[i].Asks = one
				continue
			}
			kinds[i].Requests += one.Requests
			kinds[i].Server, kinds[i].Redis = min(kinds[i].Server, one.Server), min(kinds[i].Redis, one.Redis)
		}
	}
	for _, kind := range kinds {
		m.Asked = append(m.Asked, kind.Asks)
	}
	return nil
}

// kinds are the requests that are sent.
func (r *sizeRig) kinds(m *size.Measured) ([]sizeAsk, error) {
	var kinds []sizeAsk
	add := func(kind string, units int, path string, body func(i int) []byte) {
		kinds = append(kinds, sizeAsk{size.Asks{Kind: kind, Units: units}, path, body})
	}
	for _, units := range []int{16, 256, 1024} {
		body, err := blindedElements(units)
		if err != nil {
			return nil, err
		}
		add(size.KindEvaluate, units, "/v1/epochs/1/evaluations", func(int) []byte { return body })
	}
	for _, units := range []int{100, 1000} {
		add(size.KindMatch, units, "/v1/epochs/1/matches", func(int) []byte {
			body := make([]byte, 16*units)
			_, _ = rand.Read(body) // never fails
			return body
		})
		add(size.KindBucket, units, "/v1/epochs/1/buckets", r.prefixes(m, units))
	}
	for _, units := range []int{8, 64} {
		add(size.KindLabel, units, "/v1/epochs/1/buckets?labels=true", r.prefixes(m, units))
	}
	add(size.KindShard, 1, "/v1/epochs/1/snapshot/"+m.Shard, nil)
	add(size.KindRegister, 1, "/v1/registrations", func(i int) []byte {
		return fmt.Appendf(nil, `{"number":"+1213%07d","label":"later-%07d"}`, 2_000_000+i, i)
	})
	return kinds, nil
}

// blindedElements returns the body of a request for evaluations.
func blindedElements(n int) ([]byte, error) {
	inputs := make([][]byte, n)
	for i := range inputs {
		inputs[i] = fmt.Appendf(nil, "tel:+1415555%04d", i)
	}
	blinds, err := voprf.RandomBlinds(rand.Reader, n)
	if err != nil {
		return nil, err
	}
	return voprf.Blind(inputs, blinds)
}

// prefixes returns what makes the body of the i-th request: neighbouring prefixes, other ones each time.
func (r *sizeRig) prefixes(m *size.Measured, units int) func(i int) []byte {
	return func(i int) []byte {
		body := make([]byte, 0, 4*units)
		for j := range units {
			body = binary.BigEndian.AppendUint32(body, uint32((i*7919+j)%(1<<m.Layout.BucketBits)))
		}
		return body
	}
}

// turn sends requests for a while, and returns what kith and Redis used for each beyond what they use anyway.
func (r *sizeRig) turn(ctx context.Context, m *size.Measured, ask *sizeAsk, round int) (size.Asks, error) {
	a := ask.Asks
	before, _, err := r.used(ctx)
	if err != nil {
		return a, err
	}
	var sent, received atomic.Int64
	var failed sync.Once
	var wait sync.WaitGroup
	began := time.Now()
	for range sizeSenders {
		wait.Go(func() {
			for time.Since(began) < sizeTurn && ctx.Err() == nil {
				n, e := r.one(ctx, ask, round*1_000_000+int(sent.Add(1)))
				received.Add(n)
				if e != nil {
					failed.Do(func() { err = e })
					return
				}
			}
		})
	}
	wait.Wait()
	if err = errors.Join(ctx.Err(), err); err != nil {
		return a, err
	}
	took := time.Since(began).Seconds()
	after, _, err := r.used(ctx)
	n := float64(sent.Load())
	a.Requests, a.Bytes = n, float64(received.Load())/n
	a.Server = max(0, float64((after.kith-before.kith).Microseconds())-took*m.IdleServer) / n
	a.Redis = max(0, float64((after.redis-before.redis).Microseconds())-took*m.IdleServerRedis) / n
	return a, err
}

// one sends a request, and returns how long the answer is.
func (r *sizeRig) one(ctx context.Context, ask *sizeAsk, i int) (int64, error) {
	method, token, contentType := http.MethodPost, fileDiscover, "application/octet-stream"
	var reader io.Reader
	switch {
	case ask.body == nil:
		method = http.MethodGet
	case ask.Kind == size.KindRegister:
		method, token, contentType = http.MethodPut, fileRegister, "application/json"
		fallthrough
	default:
		reader = bytes.NewReader(ask.body(i))
	}
	request, err := http.NewRequestWithContext(ctx, method, r.server.Said["serving"]+ask.path, reader)
	if err != nil {
		return 0, err
	}
	if ask.Kind == size.KindEvaluate || ask.Kind == size.KindRegister {
		bearer, err := readToken(filepath.Join(r.dir, "keys", token))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	if ask.body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	return n, err
}
