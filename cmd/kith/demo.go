package main

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // sample/contacts.vcf
	"errors"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/ephemeral"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/rotation"
	"github.com/kith-project/kith/server/snapshot"
	"github.com/kith-project/kith/server/token"
	"github.com/kith-project/kith/server/usage"
)

// sampleContacts is the address book of the demo: fictional people, with numbers from ranges reserved for fiction.
//
//go:embed sample/contacts.vcf
var sampleContacts []byte

// demoCommand is kith demo.
type demoCommand struct {
	Contacts string `placeholder:"FILE" help:"Your own address book (vCard, CSV, or one number a line) in place of the sample. Every other number of it is registered, so that there is something to find."`
	Region   string `default:"US" placeholder:"CC" help:"Region of numbers without country code (default ${default})."`
	Users    int    `default:"1000" placeholder:"N" help:"How many more users to register (default ${default})."`
	Mode     string `default:"auto" enum:"auto,exact,bucket,snapshot" help:"How much a lookup reveals: auto, exact, bucket or snapshot (default ${default})."`
	JSON     bool   `help:"Print one JSON object."`
	Serve    bool   `help:"Keep the server running afterwards."`
}

// demo is a running demo: a server on an embedded store, with what a device needs to use it.
type demo struct {
	*stack
	tap      *tap
	listener net.Listener
	url      string
	signer   *token.Signer
}

// Run shows a discovery from end to end and tells what the server received.
func (cmd *demoCommand) Run(ctx context.Context, t *terminal) error {
	if cmd.Users < 0 {
		return errors.New("--users: at least 0")
	}
	if !normalize.ValidRegion(cmd.Region) {
		return withHint(errors.New("--region is not a region"), "two letters, such as US or DE")
	}
	if err := checkEngine(); err != nil {
		return err
	}
	book, err := cmd.addressBook()
	if err != nil {
		return err
	}
	store, err := ephemeral.Start()
	if err != nil {
		return err
	}
	defer store.Close()
	rdb := redis.NewClient(store.Options())
	defer func() { _ = rdb.Close() }()

	started := time.Now()
	d, err := startDemo(ctx, rdb)
	if err != nil {
		return err
	}
	// The keyring is followed from the start: registering a large address book takes longer than it may be left unread.
	serving, stop := context.WithCancel(ctx)
	defer stop()
	go d.keyring.Follow(serving)
	registered, err := cmd.register(ctx, t, d, book)
	if err != nil {
		return keyringError(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.serve(serving) }()
	defer func() { stop(); <-ended }()
	if err := d.ready(ctx); err != nil {
		return err
	}
	if !cmd.JSON {
		t.say("registered %d users with an embedded store in %s; discovering", registered, time.Since(started).Round(time.Millisecond))
	}
	d.tap.begin()
	began := time.Now()
	result, err := cmd.discover(ctx, t, d, book)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if err := cmd.print(t, d, result, book, took); err != nil {
		return err
	}
	if !cmd.Serve {
		return nil
	}
	return cmd.keepServing(ctx, t, d)
}

// addressBook returns the whole file: the demo reads it three times.
func (cmd *demoCommand) addressBook() ([]byte, error) {
	if cmd.Contacts == "" {
		return sampleContacts, nil
	}
	data, err := os.ReadFile(cmd.Contacts)
	if err != nil {
		return nil, fileError("address book", err)
	}
	return data, nil
}

// startDemo puts a server on an empty store.
func startDemo(ctx context.Context, rdb redis.UniversalClient) (*demo, error) {
	master, err := keyring.NewMasterKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := token.NewSigner()
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.DefaultAudience, signer.Public())
	if err != nil {
		return nil, err
	}
	const expectedUsers, minAnonymity = 10_000, 1000
	s, err := buildStack(ctx, stackConfig{
		rdb: rdb, masters: []keyring.MasterKey{master}, verifier: verifier, expectedUsers: expectedUsers, minAnonymity: minAnonymity,
		rotationShare: rotation.DefaultShare, keyCeiling: usage.DefaultCeiling, keepTombstones: defaultKeepTombstones, limits: defaultLimits,
		logger: slog.New(slog.DiscardHandler), metrics: server.NewMetrics(),
	})
	if err != nil {
		return nil, err
	}
	l, err := listenTCP("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &demo{stack: s, tap: newTap(s.server.Handler()), listener: l, url: "http://" + l.Addr().String(), signer: signer}, nil
}

// serve listens on a free loopback port until ctx ends.
func (d *demo) serve(ctx context.Context) error {
	go d.work(ctx)
	return d.server.Run(ctx, time.Second, server.Listener{Listener: d.listener, Handler: d.tap})
}

// ready waits until the first snapshot is published, so that every mode can be shown.
func (d *demo) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	keys, err := d.keyring.Current()
	if err != nil {
		return err
	}
	store, err := d.lookups.Snapshot(keys.Active())
	if err != nil {
		return err
	}
	for {
		if _, _, err = store.Manifest(ctx); !errors.Is(err, snapshot.ErrNone) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// discover is what a device does.
func (cmd *demoCommand) discover(ctx context.Context, t *terminal, d *demo, book []byte) (*client.Result, error) {
	token, err := d.signer.Mint("demo-device", token.ScopeDiscover, token.DefaultAudience, time.Now(), time.Hour)
	if err != nil {
		return nil, err
	}
	bars := newProgress(t)
	defer bars.done()
	c, err := client.New(client.Options{
		Server: d.url, Token: client.StaticToken(token), State: client.MemoryState(), Region: cmd.Region,
		Mode: client.Mode(cmd.Mode), Budget: unlessZero(0), LookupDelay: noDelay, Progress: bars.report,
	})
	if err != nil {
		return nil, clientError(err)
	}
	result, err := c.Sync(ctx, normalize.ReadContacts(bytes.NewReader(book)))
	if err != nil {
		return nil, clientError(err)
	}
	return result, nil
}
