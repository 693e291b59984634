package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto/keylog"
)

// keylogCommand reads and checks the log of public keys, and is its witness.
type keylogCommand struct {
	Show   keylogShowCommand   `cmd:"" help:"Print the log, unchecked."`
	Verify keylogVerifyCommand `cmd:"" help:"Check the log against its verifier key, what was seen before, and witnesses."`
	Cosign keylogCosignCommand `cmd:"" help:"As a witness, check the log and sign its checkpoint."`
	Submit keylogSubmitCommand `cmd:"" help:"Add a witness's signature to the log, as an operator."`
}

// keylogFlags say whose log.
type keylogFlags struct {
	Server    string `env:"KITH_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Server (default ${default})."`
	Plaintext bool   `help:"Allow http:// to another host than this one: what is read can be altered on the way, which the signature shows."`
	clientTLSFlags
}

// maxKeyLog bounds the log of a server, bytes: as many and as long entries as there can be, in JSON.
const maxKeyLog = 2*keylog.MaxEntries*keylog.MaxEntry + 2*keylog.MaxCheckpoint

// get reads a public route.
func (f *keylogFlags) get(ctx context.Context, path string, limit int64, v any) error {
	server, err := client.CheckServer(f.Server, f.Plaintext)
	if err != nil {
		return clientError(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+path, nil)
	if err != nil {
		return err
	}
	data, err := f.fetch(request, limit)
	if err != nil {
		return err
	}
	return decodeAnswer(data, v)
}

// log reads the log.
func (f *keylogFlags) log(ctx context.Context) (m keylog.Message, err error) {
	return m, f.get(ctx, "/v1/keylog", maxKeyLog, &m)
}

// keylogShowCommand is kith keylog show.
type keylogShowCommand struct {
	keylogFlags
	JSON bool `help:"Print one JSON object, as GET /v1/keylog has it."`
}

// Run prints the log.
func (cmd *keylogShowCommand) Run(ctx context.Context, t *terminal) error {
	m, err := cmd.log(ctx)
	if err != nil {
		return err
	}
	if cmd.JSON {
		return writeJSON(t.stdout, m)
	}
	var entries []keylog.Entry
	for _, text := range m.Entries {
		e, err := keylog.ParseEntry(text)
		if err != nil {
			return keylogError(err)
		}
		entries = append(entries, e)
	}
	if err := printEntries(t.stdout, entries); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "\n%s", printableLines(m.Checkpoint))
	t.say("nothing of this was checked: kith keylog verify does")
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printEntries writes a table of entries.
func printEntries(w io.Writer, entries []keylog.Entry) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "EPOCH\tEVENT\tTIME\tPUBLIC KEY")
	for _, e := range entries {
		key := "-"
		if e.Event == keylog.EventEpoch {
			key = base64.RawURLEncoding.EncodeToString(e.PublicKey[:])
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", e.Epoch, e.Event, timeText(e.Time), key)
	}
	return table.Flush()
}

// printableLines is printable for text of several lines, whatever their lengths.
func printableLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || isPrintable(r) {
			return r
		}
		return '�'
	}, s)
}

// keylogCheckFlags say what a log is checked against.
type keylogCheckFlags struct {
	keylogFlags
	VerifierKey string `env:"KITH_VERIFIER_KEY" required:"" placeholder:"KEY" help:"The log's key, from somebody you trust and not from the server: kith serve prints it."`
}

// keylogVerifyCommand is kith keylog verify.
type keylogVerifyCommand struct {
	keylogCheckFlags
	Checkpoint string   `placeholder:"FILE" help:"Where to remember the checkpoint, which the log has to extend the next time. Without it only the log as it is now is checked."`
	Witness    []string `placeholder:"KEY" help:"Key of a witness whose cosignature counts; may be repeated." sep:"none"`
	Quorum     int      `placeholder:"N" help:"How many of the witnesses must have cosigned (default ${default})." default:"0"`
}

// Run checks the log, and that the epochs which the server offers are in it.
func (cmd *keylogVerifyCommand) Run(ctx context.Context, t *terminal) error {
	o := keylog.Options{Quorum: cmd.Quorum}
	for _, text := range cmd.Witness {
		w, err := keylog.ParseWitnessKey(text)
		if err != nil {
			return withHint(fmt.Errorf("--witness: %w", err), "kith keylog cosign prints the key of a witness")
		}
		o.Witnesses = append(o.Witnesses, w)
	}
	if cmd.Quorum < 0 || cmd.Quorum > len(o.Witnesses) {
		return quorumError()
	}
	// The directory first: the log has what it has then.
	var offered struct {
		Epochs []struct {
			ID        uint32 `json:"id"`
			PublicKey string `json:"public_key"`
		} `json:"epochs"`
	}
	if err := cmd.get(ctx, "/v1/directory", maxAnswer, &offered); err != nil {
		return err
	}
	seen := checkpointFile(cmd.Checkpoint)
	unlock, err := seen.lock(ctx, lockPatience)
	if err != nil {
		return err
	}
	defer unlock()
	m, view, err := cmd.verify(ctx, seen, o)
	if err != nil {
		return err
	}
	for _, e := range offered.Epochs {
		key, logged := view.Key(e.ID)
		if !logged || base64.RawURLEncoding.EncodeToString(key[:]) != e.PublicKey {
			return withHint(fmt.Errorf("the server offers epoch %d with a key that is not in the log", e.ID), "do not use it: it may be telling its users apart")
		}
	}
	if err := seen.save(ctx, m); err != nil {
		return err
	}
	if err := printEntries(t.stdout, view.Entries); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "\nverified: %d entries of %s, which have every key that the server offers\n", view.Checkpoint.Size, view.Checkpoint.Origin)
	for _, c := range view.Cosignatures {
		fmt.Fprintf(t.stdout, "cosigned by %s at %s\n", c.Witness.Name(), timeText(c.Time))
	}
	return nil
}

// quorumError says that more witnesses are asked for than there are.
func quorumError() error {
	return withHint(errors.New("--quorum: at most as many as there are witnesses"), "--witness KEY names one, and may be repeated")
}

// verifier returns the log's key.
func (f *keylogCheckFlags) verifier() (*keylog.Verifier, error) {
	v, err := keylog.ParseVerifierKey(f.VerifierKey)
	if err != nil {
		return nil, withHint(fmt.Errorf("--verifier-key: %w", err), "kith serve prints it, and keeps it in DIR/%s", fileVerifierKey)
	}
	return v, nil
}

// verify reads the log and checks it.
func (f *keylogCheckFlags) verify(ctx context.Context, seen checkpointFile, o keylog.Options) (keylog.Message, *keylog.View, error) {
	verifier, err := f.verifier()
	if err != nil {
		return keylog.Message{}, nil, err
	}
	if o.Last, err = seen.load(); err != nil {
		return keylog.Message{}, nil, err
	}
	m, err := f.log(ctx)
	if err != nil {
		return keylog.Message{}, nil, err
	}
	view, err := keylog.Verify(m, verifier, o)
	if errors.Is(err, keylog.ErrFork) || errors.Is(err, keylog.ErrRollback) {
		if failed := seen.keepEvidence(m); failed != nil {
			return m, nil, failed
		}
		return m, nil, withHint(err, "this log is not the one that was seen before: do not trust it. Both are kept, %s and %s: the two signatures prove it to others", string(seen), seen.evidence())
	}
	return m, view, keylogError(err)
}

// keylogError adds hints to the errors of checking a log.
func keylogError(err error) error {
	switch {
	case errors.Is(err, keylog.ErrSignature), errors.Is(err, keylog.ErrOrigin):
		return withHint(err, "is the verifier key that of this deployment? If so, do not trust the server")
	case errors.Is(err, keylog.ErrQuorum):
		return withHint(err, "the witnesses may not have seen the last change yet; until they have, do not trust the log more than the server")
	case errors.Is(err, keylog.ErrRoot), errors.Is(err, keylog.ErrEntry), errors.Is(err, keylog.ErrCheckpoint), errors.Is(err, keylog.ErrTooLarge):
		return withHint(err, "do not trust the server, or whatever is between")
	default:
		return err
	}
}
