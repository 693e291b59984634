package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/schollz/progressbar/v3"

	"github.com/kith-project/kith/bench/load"
	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/bench/rig"
	"github.com/kith-project/kith/server/token"
)

// benchLoadCommand is kith bench load.
type benchLoadCommand struct {
	Profile  string        `default:"steady" enum:"steady,ramp,spike" group:"Load" help:"How the rate goes: steady, ramp from nothing up to --rate, or spike to --spike times it in the middle fifth."`
	Rate     float64       `default:"200" placeholder:"N" group:"Load" help:"Devices and registrations that arrive a second (default ${default}), whatever becomes of those before them."`
	Duration time.Duration `default:"30s" group:"Load" help:"How long they arrive (default ${default})."`
	Spike    float64       `default:"5" placeholder:"N" group:"Load" help:"What --profile spike multiplies the rate by (default ${default})."`

	First         string  `default:"5%" placeholder:"SHARE" group:"Who arrives" help:"Devices that sync for the first time, with a whole address book (default ${default}). The others are daily syncs."`
	Registrations string  `default:"5%" placeholder:"SHARE" group:"Who arrives" help:"Registrations, a fifth of which are removals (default ${default})."`
	Modes         string  `default:"exact=0.1,bucket=0.6,snapshot=0.3" placeholder:"WEIGHTS" group:"Who arrives" help:"How many devices use which mode (default ${default})."`
	Contacts      float64 `default:"308" placeholder:"N" group:"Who arrives" help:"Mean number of contacts in an address book (default ${default}), log-normal."`
	Users         int     `default:"20000" placeholder:"N" group:"Who arrives" help:"Users who are registered before (default ${default})."`
	Pool          int     `default:"8000" placeholder:"N" group:"Who arrives" help:"How many numbers there are to be in address books (default ${default}), half of them of users; each is evaluated once before."`
	Seed          uint64  `default:"1" placeholder:"N" group:"Who arrives" help:"Decides all that is drawn: the same seed offers the same load."`

	Verify      string `default:"5%" placeholder:"SHARE" group:"Generator" help:"Devices all of whose answers are checked: proofs, labels, and who is found against who is registered (default ${default})."`
	Compute     bool   `group:"Generator" help:"Let each device blind, verify and unblind for itself, as real ones do. By default what was computed before is sent again, so that the generator's cores do not bound the load."`
	Fresh       bool   `group:"Generator" help:"Give each sync connections of its own, as devices have."`
	MaxUnderWay int    `default:"2000" placeholder:"N" group:"Generator" help:"How many syncs may be under way (default ${default}); arrivals beyond are counted as failed."`

	Server     string `placeholder:"URL" group:"Server" help:"Load this server, of your own, in place of one that is started for it with its own Redis. It needs --signing-key."`
	Accounts   string `placeholder:"URL" group:"Server" help:"Where it takes registrations, if elsewhere."`
	Admin      string `placeholder:"URL" group:"Server" help:"Its admin address, for the processor time and memory that it takes."`
	Redis      string `env:"KITH_REDIS" placeholder:"URL" group:"Server" help:"Its Redis, for the same."`
	SigningKey string `placeholder:"FILE" group:"Server" help:"Key of an issuer that it trusts, for tokens of devices and of the account service. Use one for tests alone."`
	Remote     bool   `group:"Server" help:"Allow a server on another machine. It is loaded, and numbers of the exchange 555 are registered there and removed at the end."`
	serverCAFlags

	SLO  string `name:"slo" placeholder:"LIST" group:"Result" help:"Objectives, such as 'p99<50ms,errors<0.1%,first-sync:p90<2s,throughput>20'. Where one is missed the exit status is 1."`
	HTML string `name:"html" placeholder:"FILE" group:"Result" help:"Write a report with plots."`
	JSON bool   `name:"json" group:"Result" help:"Print one JSON object."`
}

// Help is shown below the flags.
func (*benchLoadCommand) Help() string {
	return `Arrivals follow a schedule that waits for no answer, and times count from when a request was to be sent, so that a server that
stalls is measured by all who would have come meanwhile. Wrong answers make the exit status 1. docs/load.md says what is simulated,
and by which published figures.`
}

const (
	// loadBurst is what an account of a server that is started here may have evaluated.
	loadBurst = 50_000_000
	// loadStaleness is how long a server's memory may take to see a write.
	loadStaleness = 2 * time.Second
	// loadDrain is how long syncs may go on after the last arrival.
	loadDrain = 30 * time.Second
	// loadTokens is how long tokens are valid.
	loadTokens = 24 * time.Hour
	// snapshotPatience is how long a snapshot with all users may take: one is built each minute.
	snapshotPatience = 3 * time.Minute
)

// Run loads a server and says how it did.
func (cmd *benchLoadCommand) Run(ctx context.Context, t *terminal) error {
	slo, err := load.ParseSLO(cmd.SLO)
	if err != nil {
		return withHint(fmt.Errorf("--slo: %w", err), "as in 'p99<50ms,errors<0.1%%', with a kind before a measure if wanted: first-sync:p90<2s")
	}
	config, err := cmd.config()
	if err != nil {
		return err
	}
	if err := checkEngine(); err != nil {
		return err
	}
	l := &loading{cmd: cmd, t: t, config: config}
	defer l.stop()
	if err := l.connect(ctx); err != nil {
		return err
	}
	result, err := load.Run(ctx, l.config)
	l.endBar()
	if err != nil {
		return loadError(err)
	}
	result.Target = l.target
	result.Judge(slo)
	if err := cmd.write(t, result); err != nil {
		return err
	}
	switch {
	case result.Checks.Wrong > 0:
		return fmt.Errorf("%d answers were wrong", result.Checks.Wrong)
	case !result.Met():
		return fmt.Errorf("missed: %s", missed(result))
	default:
		return nil
	}
}

// loadError adds hints.
func loadError(err error) error {
	if errors.Is(err, load.ErrConfig) {
		return withHint(err, "kith bench load --help")
	}
	return err
}

// missed lists the objectives that were not met.
func missed(r *load.Result) string {
	var names []string
	for _, v := range r.SLO {
		if !v.Met {
			names = append(names, fmt.Sprintf("%s (%s)", v.Objective, v.Measured))
		}
	}
	return strings.Join(names, ", ")
}

// write writes the result in the forms that are asked for.
func (cmd *benchLoadCommand) write(t *terminal, r *load.Result) error {
	if cmd.HTML != "" {
		page, err := r.HTML()
		if err != nil {
			return err
		}
		if err := os.WriteFile(cmd.HTML, page, 0o644); err != nil {
			return fileError("--html", err)
		}
	}
	if cmd.JSON {
		e := json.NewEncoder(t.stdout)
		e.SetEscapeHTML(false) // of objectives
		return e.Encode(r)
	}
	_, err := fmt.Fprint(t.stdout, r.Report())
	return err
}

// config returns what follows from the flags alone.
func (cmd *benchLoadCommand) config() (load.Config, error) {
	books := load.DefaultBooks
	books.Mean = cmd.Contacts
	c := load.Config{
		Shape: load.Shape{Profile: load.Profile(cmd.Profile), Rate: cmd.Rate, Duration: cmd.Duration, Factor: cmd.Spike}, Books: books,
		Users: cmd.Users, Pool: cmd.Pool, Precompute: !cmd.Compute, Staleness: loadStaleness, FreshConnections: cmd.Fresh,
		MaxUnderWay: cmd.MaxUnderWay, Drain: loadDrain, Seed: cmd.Seed, Mix: load.DefaultMix,
	}
	for flag, share := range map[string]struct {
		text string
		to   *float64
	}{"--first": {cmd.First, &c.Mix.First}, "--registrations": {cmd.Registrations, &c.Mix.Registrations}, "--verify": {cmd.Verify, &c.Verify}} {
		var err error
		if *share.to, err = load.ParseShare(share.text); err != nil {
			return c, fmt.Errorf("%s: %w", flag, err)
		}
	}
	var err error
	if c.Modes, err = parseModes(cmd.Modes); err != nil {
		return c, withHint(err, "as in exact=0.1,bucket=0.6,snapshot=0.3")
	}
	if cmd.Server == "" && (cmd.Accounts != "" || cmd.Admin != "" || cmd.SigningKey != "" || cmd.Remote) {
		return c, withHint(errors.New("--accounts, --admin, --signing-key and --remote are about a server of your own"), "--server names it")
	}
	return c, nil
}

// parseModes reads weights of modes.
func parseModes(text string) (load.Modes, error) {
	var m load.Modes
	weights := map[string]*float64{"exact": &m.Exact, "bucket": &m.Bucket, "snapshot": &m.Snapshot}
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		weight, err := strconv.ParseFloat(number, 64)
		if to := weights[strings.TrimSpace(name)]; to != nil && err == nil && weight >= 0 {
			*to = weight
			continue
		}
		return m, fmt.Errorf("--modes: %q is no mode with a weight", part)
	}
	return m, nil
}

// loading is a load with what was started for it.
type loading struct {
	cmd    *benchLoadCommand
	t      *terminal
	config load.Config
	target string

	redis  *rig.Redis
	server *rig.Process
	rdb    *redis.Client
	bar    *progressbar.ProgressBar
	stage  load.Stage
	mu     sync.Mutex // guards bar and stage
}

func (l *loading) stop() {
	if l.server != nil {
		l.server.Stop()
	}
	if l.rdb != nil {
		_ = l.rdb.Close()
	}
	if l.redis != nil {
		l.redis.Stop()
	}
}

// connect starts what is to be loaded, or finds it, and fills in the rest of the config.
func (l *loading) connect(ctx context.Context) error {
	connect := l.find
	if l.cmd.Server == "" {
		connect = l.start
	}
	admin, signer, err := connect(ctx)
	if err != nil {
		return err
	}
	c := &l.config
	transport, err := l.cmd.transport()
	if err != nil {
		return err
	}
	c.Devices, c.Lookups, c.AccountService = l.connections(transport), l.connections(transport), l.connections(transport)
	c.Token = mintedTokens(signer)
	if c.RegisterToken, err = signer.Mint("kith-bench-load", token.ScopeRegister, token.DefaultAudience, time.Now(), loadTokens); err != nil {
		return err
	}
	if admin != "" {
		via := &http.Client{Transport: transport.Clone(), Timeout: 5 * time.Second}
		c.ReadServer = func() (meter.Server, error) { return meter.ReadServer(ctx, via, admin) }
	}
	if l.rdb != nil {
		c.ReadRedis = func() (meter.Redis, error) { return meter.ReadRedis(ctx, l.rdb) }
	}
	c.Registered, c.Progress, c.Live = func() error { return l.waitForSnapshot(ctx) }, l.progress, l.live
	return nil
}

// connections returns a transport with room for all syncs that are under way.
func (l *loading) connections(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.MaxIdleConnsPerHost, t.MaxIdleConns, t.DisableCompression = l.cmd.MaxUnderWay, 0, true
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	return t
}

// mintedTokens returns tokens of accounts, each made once.
func mintedTokens(signer *token.Signer) func(account string) (string, error) {
	var mu sync.Mutex
	minted := make(map[string]string)
	return func(account string) (string, error) {
		mu.Lock()
		text, ok := minted[account]
		mu.Unlock()
		if ok {
			return text, nil
		}
		text, err := signer.Mint(account, token.ScopeDiscover, token.DefaultAudience, time.Now(), loadTokens)
		if err == nil {
			mu.Lock()
			minted[account] = text
			mu.Unlock()
		}
		return text, err
	}
}

// start starts a Redis and a server with limits that nobody reaches.
func (l *loading) start(ctx context.Context) (admin string, signer *token.Signer, err error) {
	if l.redis, err = startBenchRedis(ctx); err != nil {
		return "", nil, err
	}
	options, err := redis.ParseURL(l.redis.URL)
	if err != nil {
		return "", nil, err
	}
	l.rdb = redis.NewClient(options)
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	l.server, err = rig.Program(ctx, program, []string{"KITH_REDIS=" + l.redis.URL}, "keys",
		"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--dir", "DIR/keys", "--log-format", "json",
		"--burst", strconv.Itoa(loadBurst), "--refill-per-day", strconv.Itoa(loadBurst), "--expected-users", strconv.Itoa(max(l.cmd.Users, 100_000)),
		"--snapshot-interval", "1m", "--max-connections", "16384", "--connections-per-source=-1", "--lookups-per-source=-1")
	if err != nil {
		return "", nil, err
	}
	l.config.Server = l.server.Said["serving"]
	l.config.Accounts = l.config.Server
	l.target = "A server and a Redis of its own on this machine, which the generator shares"
	signer, err = readSigner(filepath.Join(l.server.Dir, "keys", fileTokenKey))
	return l.server.Said["admin"], signer, err
}

// find checks what is said of a server of one's own.
func (l *loading) find(context.Context) (admin string, signer *token.Signer, err error) {
	cmd := l.cmd
	for _, address := range []string{cmd.Server, cmd.Accounts, cmd.Admin} {
		u, err := url.Parse(address)
		if address != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return "", nil, withHint(errors.New("--server, --accounts and --admin are URLs"), "as in http://127.0.0.1:8080")
		}
		if address != "" && !cmd.Remote && !isLoopback(u.Hostname()) {
			return "", nil, withHint(errors.New("that server is on another machine"), "--remote, if it is yours and may be loaded")
		}
	}
	if cmd.SigningKey == "" {
		return "", nil, withHint(errors.New("--server goes with --signing-key"), "DIR/token.key of kith serve --dir DIR, or the key of an issuer for tests")
	}
	if cmd.Redis != "" {
		options, err := redis.ParseURL(cmd.Redis)
		if err != nil {
			return "", nil, withHint(errors.New("--redis: not an address"), "as in redis://127.0.0.1:6379/0")
		}
		l.rdb = redis.NewClient(options)
	}
	l.config.Server = strings.TrimRight(cmd.Server, "/")
	l.config.Accounts = l.config.Server
	if cmd.Accounts != "" {
		l.config.Accounts = strings.TrimRight(cmd.Accounts, "/")
	}
	l.config.Cleanup, l.target = true, l.config.Server
	signer, err = readSigner(cmd.SigningKey)
	return strings.TrimRight(cmd.Admin, "/"), signer, err
}

// isLoopback reports whether a host is this machine by its name.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// waitForSnapshot waits for a snapshot that has all users, where devices are to use one and the server is ours. Another server has
// one of some hours ago, as for all its devices.
func (l *loading) waitForSnapshot(ctx context.Context) error {
	if l.server == nil || l.config.Modes.Snapshot == 0 {
		return nil
	}
	l.endBar()
	registered := time.Now()
	if l.t.interactive() {
		l.t.say("waiting for a snapshot with all users, a minute at most")
	}
	for time.Since(registered) < snapshotPatience {
		if made, err := snapshotTime(ctx, l.config.Server); err == nil && made.After(registered) {
			return nil
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("there is no snapshot with all users")
}

// snapshotTime returns when the snapshot of the first epoch was made.
func snapshotTime(ctx context.Context, server string) (time.Time, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/v1/epochs/1/snapshot", nil)
	if err != nil {
		return time.Time{}, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	var manifest struct {
		Created int64 `json:"created_ms"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&manifest); err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(manifest.Created), nil
}

// progress draws how far a stage is.
func (l *loading) progress(stage load.Stage, done, of int) {
	if !l.t.interactive() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stage != stage || l.bar == nil {
		if l.bar != nil {
			_ = l.bar.Finish()
		}
		l.stage = stage
		l.bar = progressbar.NewOptions(of, progressbar.OptionSetWriter(l.t.stderr), progressbar.OptionSetWidth(30),
			progressbar.OptionSetDescription(string(stage)), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	}
	_ = l.bar.Set(done)
}

// live draws how the load goes, on a line that is written over.
func (l *loading) live(now load.Live) {
	if !l.t.interactive() {
		return
	}
	l.endBar()
	fmt.Fprintf(l.t.stderr, "\r\x1b[K%3.0f s of %.0f: %d arrived, %d under way, %d requests, %d failed, %d wrong, p99 %v",
		now.Elapsed.Seconds(), l.cmd.Duration.Seconds(), now.Offered, now.UnderWay, now.Requests, now.Errors, now.Wrong, now.P99.Round(time.Millisecond))
}

// endBar removes what is drawn.
func (l *loading) endBar() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bar != nil {
		_ = l.bar.Finish()
		l.bar = nil
	}
	if l.t.interactive() {
		fmt.Fprint(l.t.stderr, "\r\x1b[K")
	}
}
