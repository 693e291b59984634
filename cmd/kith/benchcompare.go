package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/schollz/progressbar/v3"

	"github.com/kith-project/kith/bench/compare"
	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/bench/rig"
	"github.com/kith-project/kith/crypto/voprf"
)

// benchCompareCommand is kith bench compare.
type benchCompareCommand struct {
	Rounds int           `default:"10" placeholder:"N" help:"In how many rounds everything has its turn (default ${default})."`
	Turn   time.Duration `default:"500ms" help:"How long each turn takes (default ${default}). There are 15 in a round."`
	JSON   bool          `name:"json" help:"Print one JSON object."`
}

// comparedContacts are the contacts of a request.
var comparedContacts = []int{1024, 16, 1}

// comparedBurst is as many evaluations as one account can be allowed.
const comparedBurst = 50_000_000

// Run starts all servers on one core each, compares, and prints medians and ratios.
func (cmd *benchCompareCommand) Run(ctx context.Context, t *terminal) error {
	switch {
	case cmd.Rounds < 1 || cmd.Rounds > 1000:
		return errors.New("--rounds: from 1 to 1000")
	case cmd.Turn < 10*time.Millisecond || cmd.Turn > time.Minute:
		return errors.New("--turn: from 10ms to 1m")
	}
	if err := checkEngine(); err != nil {
		return err
	}
	c := &comparison{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	defer c.stop()
	if err := c.start(ctx); err != nil {
		return err
	}
	works, err := c.works()
	if err != nil {
		return err
	}
	bar := progressbar.NewOptions(cmd.Rounds*len(works), progressbar.OptionSetWriter(t.stderr), progressbar.OptionSetWidth(30),
		progressbar.OptionSetDescription("comparing"), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetVisibility(t.interactive()))
	result, err := compare.Run(ctx, works, cmd.Rounds, cmd.Turn, func(done, _ int) { _ = bar.Set(done) })
	_ = bar.Finish()
	if err != nil {
		return err
	}
	if cmd.JSON {
		return json.NewEncoder(t.stdout).Encode(result)
	}
	_, err = fmt.Fprint(t.stdout, result.Report())
	return err
}

// comparison is the servers that are compared.
type comparison struct {
	client    *http.Client
	redis     *rig.Redis
	rdb       *redis.Client
	kith      compare.Target
	opponents map[string]compare.Target
	processes []*rig.Process
}

// oneCore has a process compute on one core, as all do.
var oneCore = []string{"GOMAXPROCS=1"}

func (c *comparison) stop() {
	for _, p := range c.processes {
		p.Stop()
	}
	if c.rdb != nil {
		_ = c.rdb.Close()
	}
	if c.redis != nil {
		c.redis.Stop()
	}
}

// start starts the servers.
func (c *comparison) start(ctx context.Context) error {
	var err error
	if c.redis, err = startBenchRedis(ctx); err != nil {
		return err
	}
	options, err := redis.ParseURL(c.redis.URL)
	if err != nil {
		return err
	}
	c.rdb = redis.NewClient(options)
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if err := c.startKith(ctx, program); err != nil {
		return err
	}
	c.opponents = make(map[string]compare.Target)
	for _, name := range []string{compare.Circl, compare.Edwards25519, compare.Hashed} {
		p, err := rig.Program(ctx, program, append([]string{"KITH_BENCH_REDIS=" + c.redis.URL}, oneCore...), "serving", "bench", "opponent", name)
		if err != nil {
			return err
		}
		c.processes = append(c.processes, p)
		url := p.Said["serving"]
		c.opponents[name] = compare.Target{Client: c.client, URL: url + compare.PathContacts, Server: c.used(url + compare.PathCPU)}
	}
	hashed := c.opponents[compare.Hashed]
	hashed.Store = c.redisUsed
	c.opponents[compare.Hashed] = hashed
	return nil
}

// startBenchRedis starts a redis-server that keeps what it is told as a deployment's does.
func startBenchRedis(ctx context.Context) (*rig.Redis, error) {
	r, err := rig.StartRedis(ctx, "appendonly yes", "appendfsync everysec")
	if errors.Is(err, rig.ErrNoRedis) {
		return nil, withHint(errors.New("there is no redis-server on this machine"), "apt-get install redis-server, or brew install redis")
	}
	return r, err
}

// startKith starts kith serve with limits that nobody reaches.
func (c *comparison) startKith(ctx context.Context, program string) error {
	p, err := rig.Program(ctx, program, append([]string{"KITH_REDIS=" + c.redis.URL}, oneCore...), "keys",
		"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--dir", "DIR/keys",
		"--burst", strconv.Itoa(comparedBurst), "--refill-per-day", strconv.Itoa(comparedBurst))
	if err != nil {
		return err
	}
	c.processes = append(c.processes, p)
	bearer, err := os.ReadFile(filepath.Join(p.Dir, "keys", fileDiscover))
	if err != nil {
		return err
	}
	admin := p.Said["admin"]
	c.kith = compare.Target{
		Client: c.client, URL: p.Said["serving"] + "/v1/epochs/1/evaluations",
		Header: http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(bearer))}, "Content-Type": {"application/octet-stream"}},
		Server: func(ctx context.Context) (time.Duration, error) {
			used, err := meter.ReadServer(ctx, c.client, admin)
			return used.CPU, err
		},
		Store: c.redisUsed,
	}
	return nil
}

// redisUsed returns what Redis has used.
func (c *comparison) redisUsed(ctx context.Context) (time.Duration, error) {
	used, err := meter.ReadRedis(ctx, c.rdb)
	return used.CPU, err
}

// used asks an opponent what it has used.
func (c *comparison) used(url string) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) { return compare.ReadCPU(ctx, c.client, url) }
}

// works returns what takes turns.
func (c *comparison) works() ([]compare.Work, error) {
	most := comparedContacts[0]
	numbers, inputs := make([]string, most), make([][]byte, most)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1415555%04d", i)
		inputs[i] = []byte("tel:" + numbers[i])
	}
	blinds, err := voprf.RandomBlinds(rand.Reader, most)
	if err != nil {
		return nil, err
	}
	blinded, err := voprf.Blind(inputs, blinds)
	if err != nil {
		return nil, err
	}
	if err := compare.Register(context.Background(), c.rdb, numbers[:most/2]); err != nil {
		return nil, err
	}
	key, err := voprf.GenerateKeyPair(rand.Reader)
	if err != nil {
		return nil, err
	}
	var works []compare.Work
	for _, n := range comparedContacts {
		packed := blinded[:n*voprf.ElementSize]
		hashes := make([]byte, 0, len(packed))
		for _, number := range numbers[most/2-n/2:][:n] { // half of them are registered
			hash := compare.Hash(number)
			hashes = append(hashes, hash[:]...)
		}
		inJSON := c.kith
		inJSON.Header = inJSON.Header.Clone()
		inJSON.Header.Set("Content-Type", "application/json")
		works = append(works,
			compare.Alone(compare.Engine, n, func() error { _, _, err := key.BlindEvaluate(rand.Reader, packed); return err }),
			compare.Requests(compare.Kith, n, c.kith, packed, len(packed)+voprf.ProofSize),
			compare.Requests(compare.KithJSON, n, inJSON, elementsJSON(packed), 0),
			compare.Requests(compare.Circl, n, c.opponents[compare.Circl], packed, len(packed)+voprf.ProofSize),
			compare.Requests(compare.Edwards25519, n, c.opponents[compare.Edwards25519], packed, len(packed)),
			compare.Requests(compare.Hashed, n, c.opponents[compare.Hashed], hashes, n),
		)
	}
	return works, nil
}

// elementsJSON returns packed elements as the body of an evaluation in JSON.
func elementsJSON(packed []byte) []byte {
	body := []byte(`{"elements":[`)
	for i := 0; i < len(packed); i += voprf.ElementSize {
		if i > 0 {
			body = append(body, ',')
		}
		body = strconv.AppendQuote(body, base64.RawURLEncoding.EncodeToString(packed[i:i+voprf.ElementSize]))
	}
	return append(body, "]}"...)
}
