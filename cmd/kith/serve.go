package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	Redis     string `group:"Store" env:"KITH_REDIS" placeholder:"URL" xor:"store" help:"Redis, such as redis://:password@127.0.0.1:6379/0. A password is better given by the environment than on the command line."`
	Cluster   bool   `group:"Store" help:"The Redis URL is of a cluster; further nodes as ?addr=host:port."`
	Ephemeral bool   `group:"Store" xor:"store" help:"Use an embedded store: nothing to install, and nothing survives."`

	Dir            string `group:"Keys" placeholder:"DIR" help:"Folder for what the server makes for itself if it is not configured: master key, token signing key, and tokens for trying things out. With --ephemeral the default is a new temporary folder, removed at the end."`
	masterKeyFlags `group:"Keys"`
	KeyCeiling     int64  `group:"Keys" default:"1099511627776" placeholder:"N" help:"How many elements may be evaluated under one key before it is to be rotated (default ${default}, 2^40). Nothing is refused: from three quarters on there are warnings."`
	KeylogOrigin   string `group:"Keys" placeholder:"NAME" help:"Name of the key log when it is made, for devices and witnesses: a host and path of your own, such as kith.example.org/keylog. By default a random one."`

	issuerFlags `group:"Tokens"`

	transportFlags `group:"Transport"`

	limitsFlags      `group:"Limits"`
	LookupsPerSource int `group:"Limits" default:"32" placeholder:"N" help:"How many lookups of one address may be under way at once (default ${default}); -1 for no limit."`

	ExpectedUsers    int           `group:"Directory" default:"1000000" placeholder:"N" help:"How many users the first epoch is laid out for (default ${default}); later starts do not change it."`
	MinAnonymity     int           `group:"Directory" default:"1000" placeholder:"N" help:"How many possible numbers a prefix must stand for at least, of 10^10 (default ${default}): the floor under what a lookup by bucket tells."`
	RescanInterval   time.Duration `group:"Directory" default:"1h" help:"In what time a server reads the whole directory anew into its memory (default ${default}), a part at a time: what heals it when a failover of Redis has rolled back changes unseen."`
	SnapshotInterval time.Duration `group:"Directory" default:"6h" help:"How often the snapshot is built (default ${default}). Someone hidden is out of every snapshot after twice as long."`
	KeepChanges      time.Duration `group:"Directory" default:"168h" help:"How long changes are kept for devices that have an older snapshot (default ${default})."`
	KeepTombstones   time.Duration `group:"Directory" default:"720h" help:"How long a deletion is remembered, so that a late write does not undo it (default ${default})."`
	RotationShare    float64       `group:"Directory" default:"0.25" placeholder:"SHARE" help:"How much of the machine's cores the work of a rotation may take (default ${default}), above 0 and at most 1: more is faster, and slows lookups down."`
	rotationTimes

	LogFormat string `default:"text" enum:"text,json" help:"Form of the log on standard error: text or json."`
}

// rotationTimes are those of rotations. What is right is no matter of taste, so that help does not show them; tests that
// stop servers for longer than a lease have less time.
type rotationTimes struct {
	RotationLease time.Duration `hidden:"" default:"15s" help:"How long a server that has stopped silently keeps others from its part of a rotation."`
	SweepAfter    time.Duration `hidden:"" default:"10s" help:"How long after an epoch has ended its registrations are removed."`
	SecondSweep   time.Duration `hidden:"" default:"10m" help:"How long after that they are removed once more."`
}

// Help is shown with the flags.
func (*serveCommand) Help() string {
	return `Elements are computed by AVX-512 IFMA where the processor has it, and otherwise by the portable engine, which
KITH_ENGINE=portable in the environment asks for everywhere. The log and the metric kith_engine_info tell which one runs.`
}

// Run builds a server from the flags and answers until the process is told to stop.
func (cmd *serveCommand) Run(ctx context.Context, t *terminal) error {
	if err := cmd.check(); err != nil {
		return err
	}
	if err := checkEngine(); err != nil {
		return err
	}
	if err := withholdMemory(); err != nil {
		t.say("warning: the system may write keys to a core dump: %v", err)
	}
	hangup := hangups() // from before anyone is told that there is a server
	logger, metrics := cmd.logger(t), server.NewMetrics()
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
	addresses, err := cmd.listen(logger, metrics)
	if err != nil {
		return err
	}
	defer addresses.close()
	masters, err := cmd.masterKeys(ctx, t, rdb, dir)
	if err != nil {
		return err
	}
	verifier, signer, err := cmd.tokens(ctx, dir, logger, metrics)
	if err != nil {
		return err
	}
	s, err := buildStack(ctx, stackConfig{
		rdb: rdb, masters: masters, verifier: verifier, expectedUsers: cmd.ExpectedUsers, minAnonymity: cmd.MinAnonymity,
		keylogOrigin: cmd.KeylogOrigin, rotationShare: cmd.RotationShare, rotationTimes: cmd.rotationTimes, keyCeiling: cmd.KeyCeiling,
		snapshots: snapshot.Config{Interval: cmd.SnapshotInterval, KeepChanges: cmd.KeepChanges}, rescanInterval: cmd.RescanInterval, keepTombstones: cmd.KeepTombstones,
		logger: logger, metrics: metrics, limits: cmd.limitsFlags, lookupsPerSource: cmd.LookupsPerSource, behindProxy: cmd.BehindProxy,
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
	addresses.announce(t.stdout)
	fmt.Fprintf(t.stdout, "keylog   %s\n", verifierKey)
	if dir != "" {
		fmt.Fprintf(t.stdout, "keys     %s\n", string(dir))
	}
	if cmd.Admin != "" && cmd.AdminCert == "" && exposed(cmd.Admin) {
		t.say("warning: --admin is reached from other machines and speaks no TLS: tokens of operators can be read on the way")
	}

	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go s.follow(follow)
	go verifier.Run(follow)
	go addresses.follow(follow, hangup)
	if err := s.server.Run(ctx, shutdownGrace, addresses.serving(s.server, &cmd.transportFlags)...); err != nil {
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
	case cmd.transportFlags.check() != nil:
		return cmd.transportFlags.check()
	case cmd.issuerFlags.check() != nil:
		return cmd.issuerFlags.check()
	case cmd.ExpectedUsers < 1:
		return errors.New("--expected-users: at least 1")
	case cmd.MinAnonymity < 1:
		return errors.New("--min-anonymity: at least 1")
	case cmd.RescanInterval < time.Second:
		return errors.New("--rescan-interval: at least 1s")
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
	case !cmd.issuerFlags.given():
		return withHint(errors.New("nobody's tokens would be accepted"), "--token-keys FILE with public keys, --issuer, or --dir DIR to have a key and tokens made")
	case !cmd.masterKeyFlags.given():
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
	if cmd.masterKeyFlags.given() {
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

// tokens returns who may issue tokens: those of the flags, or the key of the folder, which is the second result then.
func (cmd *serveCommand) tokens(ctx context.Context, dir keyDir, logger *slog.Logger, metrics *server.Metrics) (*token.Verifier, *token.Signer, error) {
	if cmd.issuerFlags.given() {
		v, err := cmd.verifier(ctx, logger, metrics)
		return v, nil, err
	}
	signer, err := dir.signer()
	if err != nil {
		return nil, nil, err
	}
	v, err := cmd.own(signer)
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

func (cmd *serveCommand) logger(t *terminal) *slog.Logger {
	if cmd.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(t.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(t.stderr, nil))
}
