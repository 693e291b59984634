package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/rotation"
)

// epochAuditCommand is kith epoch audit.
type epochAuditCommand struct {
	keyringFlags
	ID          uint32 `arg:"" help:"The epoch that registrations were moved to."`
	Server      string `placeholder:"URL" help:"Take the key log from this server. By default it is that of the store."`
	VerifierKey string `env:"KITH_VERIFIER_KEY" placeholder:"KEY" help:"The log's key. By default it is that of the store, which whoever altered the store could have altered."`
	Plaintext   bool   `help:"Allow http:// to another host than this one."`
	JSON        bool   `help:"Print one JSON object."`
}

// Help is shown below the flags.
func (*epochAuditCommand) Help() string {
	return `For every bucket of the epoch before it checks the proofs that were kept when its registrations were copied: that one
factor, which takes the old public key to the new one, took each of them to the new epoch, by the keys as they are in the
key log. Then it compares the registrations of both epochs.

It can not see whether a registration belongs to the number that it was made for; the keys of registrations that were
made in both epochs after the copy, beyond comparing them; what was removed from both epochs, or added to either by
whoever has the keys.`
}

// Run checks every proof of the move. What is wrong is printed, and an error.
func (cmd *epochAuditCommand) Run(ctx context.Context, t *terminal) error {
	rdb, masters, err := cmd.open(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	keys, err := keyring.Open(ctx, rdb, masters...)
	if err != nil {
		return keyringError(err)
	}
	snapshot, err := keys.Current()
	if err != nil {
		return keyringError(err)
	}
	view, err := cmd.view(ctx, snapshot)
	if err != nil {
		return err
	}
	report, err := rotation.Audit(ctx, directory.New(rdb, directory.Config{}), snapshot, cmd.ID, view)
	if err != nil {
		return auditError(err)
	}
	if cmd.JSON {
		err = writeJSON(t.stdout, report)
	} else {
		err = printAudit(t.stdout, report)
	}
	if err == nil && !report.OK() {
		err = withHint(fmt.Errorf("not everything of epoch %d is as it should be", cmd.ID),
			"while a rotation is under way, and while registrations are being made, some can be counted as lost or older: audit again")
	}
	return err
}

// printAudit writes what an audit has found.
func printAudit(w io.Writer, r rotation.AuditReport) error {
	fmt.Fprintf(w, "epoch %d, from epoch %d: %d proofs hold, over %d registrations in %d buckets\n", r.Epoch, r.From, r.Proofs, r.Records, r.Buckets)
	for _, count := range []struct {
		n    int64
		what string
	}{
		{r.MissingProofs, "buckets have no proof"}, {r.MalformedProofs, "buckets have something else in its place"},
		{r.FailedProofs, "proofs do not hold"}, {r.Lost, "registrations are in one of the epochs alone"},
		{r.Unreadable, "registrations can not be read"}, {r.Older, "registrations are older in the new epoch"},
		{r.OtherLabels, "registrations have different labels"},
	} {
		if count.n > 0 {
			fmt.Fprintf(w, "WRONG: %d %s\n", count.n, count.what)
		}
	}
	if r.Unproven > 0 {
		fmt.Fprintf(w, "%d registrations were made in both epochs after their bucket was copied: compared, without a proof\n", r.Unproven)
	}
	if r.Forgotten > 0 {
		fmt.Fprintf(w, "%d deletions were purged from both since: %d proofs can not be checked without them\n", r.Forgotten, r.Unchecked)
	}
	_, err := fmt.Fprintln(w, "This is a check of the operator's own, with the keys of both epochs; what it can not see is in kith epoch audit --help.")
	return err
}

// auditError adds hints to the errors of an audit.
func auditError(err error) error {
	switch {
	case errors.Is(err, rotation.ErrNoMove):
		return withHint(err, "an epoch can be audited from its copy until the epoch before it is retired")
	case errors.Is(err, rotation.ErrNotLogged):
		return withHint(err, "the store and the log do not belong together, or one of them was altered")
	default:
		return keyringError(err)
	}
}

// view returns the key log, checked.
func (cmd *epochAuditCommand) view(ctx context.Context, snapshot *keyring.Snapshot) (*keylog.View, error) {
	check := keylogCheckFlags{keylogFlags: keylogFlags{Server: cmd.Server, Plaintext: cmd.Plaintext}, VerifierKey: cmd.VerifierKey}
	if check.VerifierKey == "" {
		check.VerifierKey = snapshot.VerifierKey()
	}
	if cmd.Server != "" {
		_, view, err := check.verify(ctx, "", keylog.Options{})
		return view, err
	}
	verifier, err := check.verifier()
	if err != nil {
		return nil, err
	}
	view, err := keylog.Verify(snapshot.Log, verifier, keylog.Options{})
	return view, keylogError(err)
}
