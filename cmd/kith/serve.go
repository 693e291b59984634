package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/ephemeral"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/snapshot"
	"github.com/kith-project/kith/server/token"
)

// shutdownGrace is how long requests under way may take when the server is told to stop.
const shutdownGrace = 20 * time.Second

// serveCommand is kith serve.
type serveCommand struct {
	Redis     string `env:"KITH_REDIS" placeholder:"URL" xor:"store" help:"Redis, such as redis://:password@127.0.0.1:6379/0. A password is better given by the environment than on the command line."`
	Cluster   bool   `help:"The Redis URL is of a cluster; further nodes as ?addr=host:port."`
	Ephemeral bool   `xor:"store" help:"Use an embedded store: nothing to install, and nothing survives."`

	Listen  string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of the public routes (default ${default}); port 0 takes a free one."`
	Admin   string `placeholder:"ADDR" help:"Address of /healthz, /readyz, /metrics and of kith epoch, which are not for the public. Without it there are none."`
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"Certificate chain in PEM. Without one the server speaks plain HTTP, for a proxy on the same machine."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"Private key of the certificate in PEM."`

	Dir string `placeholder:"DIR" help:"Folder for what the server makes for itself if it is not configured: master key, token signing key, and tokens for trying things out. With --ephemeral the default is a new temporary folder, removed at the end."`
	masterKeyFlags
	TokenKeys     string `placeholder:"FILE" help:"Public keys of those who issue tokens, in PEM: Ed25519 or P-256. With it no tokens are written to DIR."`
	TokenAudience string `default:"kith" placeholder:"AUD" help:"Audience that tokens must name (default ${default})."`

	ExpectedUsers int `default:"1000000" placeholder:"N" help:"How many users the first epoch is laid out for (default ${default}); later starts do not change it."`
	MinAnonymity  int `default:"1000" placeholder:"N" help:"How many possible numbers a prefix must stand for at least, of 10^10 (default ${default}): the floor under what a lookup by bucket tells."`

	SnapshotInterval time.Duration `default:"6h" help:"How often the snapshot is built (default ${default}). Someone hidden is out of every snapshot after twice as long."`
	KeepChanges      time.Duration `default:"168h" help:"How long changes are kept for devices that have an older snapshot (default ${default})."`
	RotationShare    float64       `default:"0.25" placeholder:"SHARE" help:"How much of the machine's cores the work of a rotation may take (default ${default}), above 0 and at most 1: more is faster, and slows lookups down."`
	rotationTimes
	KeyCeiling       int64         `default:"1099511627776" placeholder:"N" help:"How many elements may be evaluated under one key before it is to be rotated (default ${default}, 2^40). Nothing is refused: from three quarters on there are warnings."`
	KeylogOrigin     string        `placeholder:"NAME" help:"Name of the key log when it is made, for devices and witnesses: a host and path of your own, such as kith.example.org/keylog. By default a random one."`
	KeepTombstones   time.Duration `default:"720h" help:"How long a deletion is remembered, so that a late write does not undo it (default ${default})."`
	LookupsPerSource int           `default:"32" placeholder:"N" help:"How many lookups of one address may be under way at once (default ${default}); -1 for no limit."`
	BehindProxy      bool          `help:"Take addresses from X-Forwarded-For, as a proxy on a private network sets it."`

	limitsFlags

	LogFormat string `default:"text" enum:"text,json" help:"Form of the log on standard error: text or json."`
}

// rotationTimes are those of rotations. What is right is no matter of taste, so that help does not show them; tests that
// stop servers for longer than a lease have less time.
type rotationTimes struct {
	RotationLease time.Duration `hidden:"" default:"15s" help:"How long a server that has stopped silently keeps others from its part of a rotation."`
	SweepAfter    time.Duration `hidden:"" default:"10s" help:"How long after an epoch has ended its registrations are removed."`
	SecondSweep   time.Duration `hidden:"" default:"10m" help:"How long after that they are removed once more."`
}

// Run builds a server from the flags and answers until the process is told to stop.
func (cmd *serveCommand) Run(ctx context.Context, t *terminal) error {
	if err := cmd.check(); err != nil {
		return err
	}
	rdb, closeStore, err := cmd.openStore(ctx, t)
	if err != nil {
		return err
	}
	defer closeStore()
	dir, removeDir, err := cmd.openDir()
	if err != nil {
		return err
	}
	defer removeDir()
	// The addresses first, and the tokens last: a start that fails leaves none behind.
	addresses, err := cmd.listen()
	if err != nil {
		return err
	}
	defer addresses.close()
	masters, err := cmd.masterKeys(ctx, t, rdb, dir)
	if err != nil {
		return err
	}
	verifier, signer, err := cmd.verifier(dir)
	if err != nil {
		return err
	}
	s, err := buildStack(ctx, stackConfig{
		rdb: rdb, masters: masters, verifier: verifier, expectedUsers: cmd.ExpectedUsers, minAnonymity: cmd.MinAnonymity,
		keylogOrigin: cmd.KeylogOrigin, rotationShare: cmd.RotationShare, rotationTimes: cmd.rotationTimes, keyCeiling: cmd.KeyCeiling,
		snapshots: snapshot.Config{Interval: cmd.SnapshotInterval, KeepChanges: cmd.KeepChanges}, keepTombstones: cmd.KeepTombstones,
		logger: cmd.logger(t), limits: cmd.limitsFlags, lookupsPerSource: cmd.LookupsPerSource, behindProxy: cmd.BehindProxy,
	})
	if err != nil {
		return err
	}
	if signer != nil {
		if err := dir.save(signer, cmd.TokenAudience); err != nil {
			return err
		}
	}
	verifierKey, err := s.verifierKey()
	if err != nil {
		return err
	}
	if dir != "" {
		if err := dir.saveVerifierKey(verifierKey); err != nil {
			return err
		}
	}
	listeners := addresses.serving(s.server)
	cmd.announce(t, listeners, dir, verifierKey)

	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go s.follow(follow)
	if err := s.server.Run(ctx, shutdownGrace, listeners...); err != nil {
		return err
	}
	t.say("stopped")
	return nil
}

// check refuses flags that do not go together.
func (cmd *serveCommand) check() error {
	switch {
	case cmd.Redis == "" && !cmd.Ephemeral:
		return withHint(errors.New("no store given"), "--redis URL for a server that lasts, --ephemeral to try things out")
	case (cmd.TLSCert == "") != (cmd.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case cmd.ExpectedUsers < 1:
		return errors.New("--expected-users: at least 1")
	case cmd.MinAnonymity < 1:
		return errors.New("--min-anonymity: at least 1")
	case cmd.SnapshotInterval < time.Minute || cmd.KeepChanges < time.Minute:
		return errors.New("--snapshot-interval and --keep-changes: at least 1m")
	case cmd.KeepTombstones < time.Hour:
		return errors.New("--keep-tombstones: at least 1h")
	case !(cmd.RotationShare > 0 && cmd.RotationShare <= 1):
		return errors.New("--rotation-share: above 0, and at most 1")
	case min(cmd.RotationLease, cmd.SweepAfter, cmd.SecondSweep) < 100*time.Millisecond || cmd.RotationLease > 5*time.Minute:
		return errors.New("--rotation-lease, --sweep-after and --second-sweep: at least 100ms, and a lease at most 5m")
	case cmd.KeyCeiling < 1:
		return errors.New("--key-ceiling: at least 1")
	case cmd.LookupsPerSource == 0:
		return errors.New("--lookups-per-source: at least 1, or -1 for no limit")
	case cmd.KeylogOrigin != "" && !validOrigin(cmd.KeylogOrigin):
		return withHint(fmt.Errorf("--keylog-origin: %w", keylog.ErrName), "a host and path of your own, such as kith.example.org/keylog")
	case cmd.limitsFlags.check() != nil:
		return cmd.limitsFlags.check()
	case cmd.Ephemeral || cmd.Dir != "":
		return nil
	case cmd.TokenKeys == "":
		return withHint(errors.New("nobody's tokens would be accepted"), "--token-keys FILE with public keys, or --dir DIR to have a key and tokens made")
	case !cmd.given():
		return withHint(errors.New("no master key given"), "--master-key-file FILE, --master-key-command CMD, the environment variable KITH_MASTER_KEY, or --dir DIR to have one made")
	default:
		return nil
	}
}

// validOrigin reports whether a key log may have this name.
func validOrigin(name string) bool {
	_, err := keylog.NewSigner(name, secret.Value{})
	return err == nil
}

// masterKeys returns the master keys to try, the present one first: as configured, or that of the folder.
func (cmd *serveCommand) masterKeys(ctx context.Context, t *terminal, rdb redis.UniversalClient, dir keyDir) ([]keyring.MasterKey, error) {
	if cmd.given() {
		return cmd.masters(ctx, t)
	}
	exists, err := keyring.Exists(ctx, rdb)
	if err != nil {
		return nil, keyringError(err)
	}
	master, err := dir.masterKey(t, exists)
	if err != nil {
		return nil, err
	}
	return cmd.withOld(t, master)
}

// verifier returns who may issue tokens: those of --token-keys, or the key of the folder, which is the second result then.
func (cmd *serveCommand) verifier(dir keyDir) (*token.Verifier, *token.Signer, error) {
	if cmd.TokenKeys != "" {
		text, err := os.ReadFile(cmd.TokenKeys)
		if err != nil {
			return nil, nil, fileError("token keys", err)
		}
		keys, err := token.ParsePublicKeys(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", cmd.TokenKeys, err)
		}
		v, err := token.NewVerifier(cmd.TokenAudience, keys...)
		return v, nil, err
	}
	signer, err := dir.signer()
	if err != nil {
		return nil, nil, err
	}
	v, err := token.NewVerifier(cmd.TokenAudience, signer.Public())
	return v, signer, err
}

// openDir makes the key directory, a temporary one for an ephemeral store. The second result removes that one.
func (cmd *serveCommand) openDir() (keyDir, func(), error) {
	if cmd.Dir != "" {
		return keyDir(cmd.Dir), func() {}, keyDir(cmd.Dir).create()
	}
	if !cmd.Ephemeral {
		return "", func() {}, nil
	}
	path, err := os.MkdirTemp("", "kith-")
	if err != nil {
		return "", nil, fileError("key directory", err)
	}
	return keyDir(path), func() { _ = os.RemoveAll(path) }, nil
}

// openStore connects to the store, and refuses one that could lose data without saying so.
func (cmd *serveCommand) openStore(ctx context.Context, t *terminal) (redis.UniversalClient, func(), error) {
	if cmd.Ephemeral {
		store, err := ephemeral.Start()
		if err != nil {
			return nil, nil, err
		}
		t.say("EPHEMERAL: the store is in memory, and everything in it is lost when this process ends")
		rdb := redis.NewClient(store.Options())
		return rdb, func() { _ = rdb.Close(); store.Close() }, nil
	}
	rdb, err := connectRedis(cmd.Redis, cmd.Cluster)
	if err != nil {
		return nil, nil, err
	}
	report, err := directory.CheckServer(ctx, rdb)
	if err != nil {
		_ = rdb.Close()
		return nil, nil, storeError(err)
	}
	for _, warning := range report.Warnings {
		t.say("warning: %s", warning)
	}
	return rdb, func() { _ = rdb.Close() }, nil
}

// addresses are the addresses of the flags, open.
type addresses struct {
	public, admin net.Listener // admin may be nil
	tls           *tls.Config
}

// close closes them; those that served are closed already.
func (a *addresses) close() {
	_ = a.public.Close()
	if a.admin != nil {
		_ = a.admin.Close()
	}
}

// serving puts a server behind the addresses.
func (a *addresses) serving(s *server.Server) []server.Listener {
	listeners := []server.Listener{{Listener: a.public, Handler: s.Handler(), TLS: a.tls}}
	if a.admin != nil {
		listeners = append(listeners, server.Listener{Listener: a.admin, Handler: s.AdminHandler()})
	}
	return listeners
}

// listen opens the addresses of the flags.
func (cmd *serveCommand) listen() (*addresses, error) {
	a := new(addresses)
	if cmd.TLSCert != "" {
		certificate, err := tls.LoadX509KeyPair(cmd.TLSCert, cmd.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		a.tls = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}}
	}
	var err error
	if a.public, err = listenTCP(cmd.Listen); err != nil {
		return nil, err
	}
	if cmd.Admin != "" {
		if a.admin, err = listenTCP(cmd.Admin); err != nil {
			a.close()
			return nil, err
		}
	}
	return a, nil
}

func listenTCP(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, withHint(err, "is another server running there? port 0 takes a free one")
	}
	return l, nil
}

// announce prints where the server answers and where its keys are.
func (cmd *serveCommand) announce(t *terminal, listeners []server.Listener, dir keyDir, verifierKey string) {
	scheme := "http"
	if cmd.TLSCert != "" {
		scheme = "https"
	}
	fmt.Fprintf(t.stdout, "serving  %s://%s\n", scheme, listeners[0].Addr())
	if len(listeners) > 1 {
		fmt.Fprintf(t.stdout, "admin    http://%s\n", listeners[1].Addr())
	}
	fmt.Fprintf(t.stdout, "keylog   %s\n", verifierKey)
	if dir != "" {
		fmt.Fprintf(t.stdout, "keys     %s\n", string(dir))
	}
}

func (cmd *serveCommand) logger(t *terminal) *slog.Logger {
	if cmd.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(t.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(t.stderr, nil))
}
