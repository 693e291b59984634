package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/normalize"
)

// discoverCommand is kith discover.
type discoverCommand struct {
	File       string `arg:"" help:"Address book: vCard (.vcf), CSV, or one number a line; - reads standard input."`
	Server     string `env:"KITH_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Server (default ${default})."`
	TokenFile  string `env:"KITH_DISCOVER_TOKEN_FILE" required:"" placeholder:"F" help:"File with a token of scope discover: DIR/discover.token of kith serve, for one."`
	Region     string `placeholder:"CC" help:"Region of numbers without country code, such as US."`
	OwnNumber  string `placeholder:"NUMBER" help:"Your own number, in place of --region: its region is taken. It is not sent."`
	Mode       string `default:"auto" enum:"auto,exact,bucket,snapshot" help:"How much a lookup reveals: auto, exact, bucket or snapshot (default ${default}: the most private that the server offers)."`
	MinPrivacy string `default:"bucket" enum:"exact,bucket,snapshot" help:"The least private mode that auto may take: exact, bucket or snapshot (default ${default})."`
	Budget     int64  `placeholder:"BYTES" help:"What lookups may cost in 24 hours in mode auto; what does not fit is left for later runs with the same --state. By default there is no limit."`
	Labels     string `default:"bucket" enum:"bucket,tag,none" help:"How the labels of hits are fetched: bucket, by whole buckets among others; tag, which tells the server the hits; or none (default ${default})."`
	Cache      string `placeholder:"DIR" help:"Where to keep the downloaded snapshot, which is public. The default is the --state file's name with .cache; without either it is not kept."`
	State      string `placeholder:"FILE" help:"Where to keep what was evaluated, so that the next time only new numbers count and an interrupted run goes on. It holds your contacts' numbers. Without it nothing is kept."`
	JSON       bool   `help:"Print one JSON object."`

	VerifierKey string   `env:"KITH_VERIFIER_KEY" placeholder:"KEY" help:"Key of the server's log of public keys, from somebody you trust and not from the server: kith serve prints it. The log is then checked before anything is sent, and with --state it has to extend the one of the last run."`
	Witness     []string `placeholder:"KEY" help:"Key of a witness whose cosignature of the log counts; may be repeated." sep:"none"`
	Quorum      int      `placeholder:"N" help:"How many of the witnesses must have cosigned the log (default 0)."`

	Plaintext     bool `help:"Allow http:// to another host than this one: tokens and tags can be read on the way."`
	serverCAFlags      // and no client certificate, which would tie lookups to each other
}

// Run discovers and prints what was found.
func (cmd *discoverCommand) Run(ctx context.Context, t *terminal) error {
	if cmd.Budget < 0 {
		return errors.New("--budget: a number of bytes")
	}
	if cmd.Region == "" && cmd.OwnNumber == "" {
		return withHint(errors.New("the region of numbers without country code is not known"), "--region US, say, or --own-number +1...")
	}
	if err := checkEngine(); err != nil {
		return err
	}
	keyLog, err := cmd.keyLog()
	if err != nil {
		return err
	}
	token, err := readToken(cmd.TokenFile)
	if err != nil {
		return err
	}
	via, err := cmd.via()
	if err != nil {
		return err
	}
	progress := newProgress(t)
	c, err := client.New(client.Options{
		Server: cmd.Server, Token: client.StaticToken(token), State: cmd.state(), Region: cmd.Region, OwnNumber: cmd.OwnNumber,
		Mode: client.Mode(cmd.Mode), MinPrivacy: cmd.minPrivacy(), Budget: unlessZero(cmd.Budget), Labels: client.LabelPolicy(cmd.Labels),
		Cache: cmd.cache(), KeyLog: keyLog, LookupDelay: noDelay, Progress: progress.report, AllowPlaintext: cmd.Plaintext, HTTP: via,
	})
	if err != nil {
		return clientError(err)
	}
	file, err := cmd.open(t)
	if err != nil {
		return fileError("address book", err)
	}
	defer func() { _ = file.Close() }()
	result, err := c.Sync(ctx, normalize.ReadContacts(file))
	progress.done()
	if err != nil {
		return clientError(err)
	}
	if cmd.JSON {
		return printJSON(t.stdout, result)
	}
	return printResult(t.stdout, result)
}

// via returns what speaks to the server, or nil for what the client makes for itself.
func (cmd *discoverCommand) via() (http.RoundTripper, error) {
	if cmd.ServerCA == "" {
		return nil, nil
	}
	transport, err := cmd.transport()
	if err != nil {
		return nil, err
	}
	transport.DisableCompression = true // elements and sealed labels are random
	return transport, nil
}

// noDelay leaves out the client's random wait before lookups: at a shell somebody is waiting.
const noDelay = -1

// minPrivacy is for auto alone: a mode that was asked for by name is meant.
func (cmd *discoverCommand) minPrivacy() client.Mode {
	if client.Mode(cmd.Mode) != client.ModeAuto {
		return ""
	}
	return client.Mode(cmd.MinPrivacy)
}

// unlessZero returns a budget as the client takes it, without a limit for 0.
func unlessZero(budget int64) int64 {
	if budget == 0 {
		return -1
	}
	return budget
}

// keyLog checks the flags about the key log one by one, so that the error names the one to correct.
func (cmd *discoverCommand) keyLog() (client.KeyLog, error) {
	k := client.KeyLog{VerifierKey: cmd.VerifierKey, Witnesses: cmd.Witness, Quorum: cmd.Quorum}
	if cmd.VerifierKey == "" {
		if len(cmd.Witness) > 0 || cmd.Quorum != 0 {
			return k, withHint(errors.New("--witness and --quorum go with --verifier-key"), "--verifier-key KEY, which kith serve prints")
		}
		return k, nil
	}
	if _, err := keylog.ParseVerifierKey(cmd.VerifierKey); err != nil {
		return k, withHint(fmt.Errorf("--verifier-key: %w", err), "kith serve prints it")
	}
	for i, text := range cmd.Witness {
		if _, err := keylog.ParseWitnessKey(text); err != nil {
			return k, withHint(fmt.Errorf("--witness: %w", err), "kith keylog cosign prints the key of a witness")
		}
		if slices.Contains(cmd.Witness[:i], text) {
			return k, errors.New("--witness: one of them is given twice")
		}
	}
	if cmd.Quorum < 0 || cmd.Quorum > len(cmd.Witness) {
		return k, quorumError()
	}
	return k, nil
}

func (cmd *discoverCommand) cache() client.Cache {
	switch {
	case cmd.Cache != "":
		return client.FileCache(cmd.Cache)
	case cmd.State != "":
		return client.FileCache(cmd.State + ".cache")
	default:
		return client.MemoryCache()
	}
}

func (cmd *discoverCommand) state() client.StateStore {
	if cmd.State == "" {
		return client.MemoryState()
	}
	return client.FileState(cmd.State)
}

func (cmd *discoverCommand) open(t *terminal) (io.ReadCloser, error) {
	if cmd.File == "-" {
		return io.NopCloser(t.stdin), nil
	}
	return os.Open(cmd.File)
}

// clientError adds hints to the errors of a client.
func clientError(err error) error {
	switch {
	case errors.Is(err, normalize.ErrFormat):
		return withHint(err, "vCard (.vcf), CSV with a header, or one number a line")
	case errors.Is(err, client.ErrOptions):
		return withHint(err, "--server https://..., --region with two letters such as US, --own-number with + and country code")
	case errors.Is(err, client.ErrAnswer):
		return withHint(err, "is there a Kith server at that address?")
	case errors.Is(err, client.ErrKeyLog):
		return withHint(err, "%s", keyLogHint(err))
	case errors.Is(err, client.ErrKeyChanged):
		return withHint(err, "the server may be telling its users apart, or was set up anew: ask its operator. To begin again, delete the state file")
	case errors.Is(err, client.ErrState):
		return withHint(err, "it is another server's, or damaged: give another --state file, or delete it to begin again")
	case errors.Is(err, client.ErrStateInUse):
		return withHint(err, "wait for the other run to end")
	case errors.Is(err, client.ErrInsecure):
		return withHint(err, "use https://, or --plaintext if the way to the server is safe otherwise")
	case errors.Is(err, client.ErrBudget):
		return withHint(err, "give a larger --budget")
	case errors.Is(err, client.ErrMode):
		return withHint(err, "--mode auto takes the most private mode that is offered")
	}
	if hint := certificateHint(err); hint != "" {
		return withHint(err, "%s", hint)
	}
	if p, ok := errors.AsType[*client.ProblemError](err); ok {
		if p.Code == "" {
			return withHint(err, "is there a Kith server at that address?")
		}
		if p.Code == client.CodeQuotaExceeded || p.Code == client.CodeYoungAccounts {
			return withHint(err, "%s", refusalText(p, time.Now()))
		}
		return hintForCode(err, p.Code)
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return fileError("address book", err)
	}
	return err
}

// refusalText says why evaluations were put off, and when the numbers that are left can be evaluated.
func refusalText(p *client.ProblemError, now time.Time) string {
	var text string
	switch {
	case p.Code == client.CodeYoungAccounts:
		text = "new accounts together have had as many numbers evaluated as they may"
	case p.Code != client.CodeQuotaExceeded:
		text = "the server evaluates no more now"
	case p.Limit > 0:
		text = fmt.Sprintf("the account can have %d of %d numbers evaluated now", p.Remaining, p.Limit)
	default:
		text = "the account can have no more numbers evaluated now"
	}
	if p.RetryAfter > 0 {
		text += fmt.Sprintf("; go on at %s, in %v,", now.Add(p.RetryAfter).Format("2006-01-02 15:04:05"), p.RetryAfter)
	} else {
		text += "; go on later"
	}
	return text + " with the same --state, which keeps what was evaluated"
}

// keyLogHint says what to do about a key log that was refused.
func keyLogHint(err error) string {
	switch {
	case errors.Is(err, keylog.ErrFork), errors.Is(err, keylog.ErrRollback):
		return "this log is not the one that was seen before: do not trust the server. Keep the state file: it has what was seen"
	case errors.Is(err, client.ErrKeyNotLogged):
		return "do not use the server: it may be telling its users apart"
	case errors.Is(err, keylog.ErrQuorum):
		return "the witnesses may not have seen the last entry yet: try again later, or ask the operator"
	case errors.Is(err, keylog.ErrSignature), errors.Is(err, keylog.ErrOrigin):
		return "is --verifier-key that of this server? If so, do not trust the server"
	default:
		return "do not trust the server, or whatever is between"
	}
}
