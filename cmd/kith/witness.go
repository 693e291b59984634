package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
)

// keylogCosignCommand is kith keylog cosign.
type keylogCosignCommand struct {
	keylogCheckFlags
	Key        string `required:"" placeholder:"FILE" help:"The witness's signing key (mode 0600). If the file does not exist, a key is made, with --name."`
	Name       string `placeholder:"NAME" help:"Name of the witness, for a new key: a host and path of its own, such as witness.example.org/kith."`
	Checkpoint string `required:"" placeholder:"FILE" help:"Where the witness remembers the checkpoint that it signed last. A log that does not extend it is not signed."`
	First      bool   `help:"This witness has never signed this log: there is no checkpoint yet, and the log is signed as it is now."`
}

// Run checks the log, remembers its checkpoint, and prints the signature line.
func (cmd *keylogCosignCommand) Run(ctx context.Context, t *terminal) error {
	seen := checkpointFile(cmd.Checkpoint)
	unlock, err := seen.lock(ctx, lockPatience)
	if err != nil {
		return err
	}
	defer unlock()
	if err := cmd.checkFirst(seen); err != nil {
		return err
	}
	m, view, err := cmd.verify(ctx, seen, keylog.Options{})
	if err != nil {
		return err
	}
	cosigner, err := cmd.cosigner(t)
	if err != nil {
		return err
	}
	line, err := cosigner.Cosign(m.Checkpoint, time.Now())
	if err != nil {
		return err
	}
	// Before the line is given away: a witness never signs two logs.
	if err := seen.save(ctx, m); err != nil {
		return err
	}
	t.say("%d entries of %s; the key of this witness is %s", view.Checkpoint.Size, view.Checkpoint.Origin, cosigner.WitnessKey())
	_, err = fmt.Fprintln(t.stdout, line)
	return err
}

// checkFirst holds --first against the checkpoint. Any log extends a checkpoint that was lost, so that a witness which did
// not notice would sign what it was there to refuse.
func (cmd *keylogCosignCommand) checkFirst(seen checkpointFile) error {
	last, err := seen.load()
	switch {
	case err != nil:
		return err
	case last == nil && !cmd.First:
		return withHint(fmt.Errorf("%s does not exist, so that the log can not be compared with what this witness signed last", cmd.Checkpoint),
			"--first signs the log as it is now, for a witness that has never signed it; one that has needs its checkpoint back, or another name and key")
	case last != nil && cmd.First:
		return withHint(fmt.Errorf("--first: %s exists, so that this witness has signed the log before", cmd.Checkpoint), "leave --first out")
	default:
		return nil
	}
}

// cosigner reads the witness's key, or makes one.
func (cmd *keylogCosignCommand) cosigner(t *terminal) (*keylog.Cosigner, error) {
	text, err := os.ReadFile(cmd.Key)
	switch {
	case err == nil:
		warnIfShared(t, cmd.Key)
		cosigner, err := parseCosigner(string(text))
		if err != nil {
			return nil, withHint(fmt.Errorf("%s: %w", cmd.Key, err), "kith keylog cosign makes the file itself if it does not exist")
		}
		return cosigner, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fileError("key of the witness", err)
	case cmd.Name == "":
		return nil, withHint(fmt.Errorf("%s does not exist, and --name is not given", cmd.Key), "--name NAME makes a key for a witness of that name")
	}
	var seed secret.Value
	defer seed.Wipe()
	if _, err := io.ReadFull(rand.Reader, seed[:]); err != nil {
		return nil, err
	}
	cosigner, err := keylog.NewCosigner(cmd.Name, seed)
	if err != nil {
		return nil, withHint(fmt.Errorf("--name: %w", err), "a host and path of your own, such as witness.example.org/kith")
	}
	return cosigner, writeNew(cmd.Key, []byte(cosignerText(cosigner)+"\n"))
}

const (
	// cosignerPrefix begins the text of a signing key in golang.org/x/mod/sumdb/note; name, hash and key follow.
	cosignerPrefix = "PRIVATE+KEY+"
	// cosignerType is the signature type of C2SP tlog-cosignature, the first byte of the key.
	cosignerType = 0x04
)

var errCosigner = errors.New("not the signing key of a witness")

// cosignerText returns the signing key as text: PRIVATE+KEY+<name>+<hash>+<base64 of type and seed>.
func cosignerText(c *keylog.Cosigner) string {
	name, hash := nameAndHash(c)
	seed := c.Bytes()
	defer clear(seed)
	return cosignerPrefix + name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{cosignerType}, seed...))
}

// nameAndHash returns the first two parts of the witness's public key.
func nameAndHash(c *keylog.Cosigner) (name, hash string) {
	parts := strings.SplitN(c.WitnessKey(), "+", 3)
	return parts[0], parts[1]
}

// parseCosigner is the inverse of cosignerText. Its error does not quote the text.
func parseCosigner(text string) (*keylog.Cosigner, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), cosignerPrefix)
	parts := strings.SplitN(rest, "+", 3)
	if !ok || len(parts) != 3 {
		return nil, errCosigner
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	defer clear(raw)
	if err != nil || len(raw) != 1+secret.Size || raw[0] != cosignerType {
		return nil, errCosigner
	}
	var seed secret.Value
	defer seed.Wipe()
	copy(seed[:], raw[1:])
	c, err := keylog.NewCosigner(parts[0], seed)
	if err != nil {
		return nil, errCosigner
	}
	if _, hash := nameAndHash(c); hash != parts[1] {
		return nil, errCosigner
	}
	return c, nil
}

// keylogSubmitCommand is kith keylog submit.
type keylogSubmitCommand struct {
	adminFlags
	WitnessKey string `required:"" placeholder:"KEY" help:"The witness's key, as kith keylog cosign prints it."`
	Signature  string `required:"" placeholder:"LINE" help:"The line that kith keylog cosign printed."`
}

// Run adds the signature to the log.
func (cmd *keylogSubmitCommand) Run(ctx context.Context, t *terminal) error {
	if _, err := keylog.ParseWitnessKey(cmd.WitnessKey); err != nil {
		return withHint(fmt.Errorf("--witness-key: %w", err), "kith keylog cosign prints the key of a witness")
	}
	_, err := cmd.call(ctx, http.MethodPost, "/v1/keylog/cosignatures", map[string]string{
		"witness_key": cmd.WitnessKey, "signature": cmd.Signature,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.stdout, "cosignature added")
	return err
}
