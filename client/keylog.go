package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
)

const (
	// maxKeyLog bounds the answer to a request for the key log, in bytes.
	maxKeyLog = 16 << 20
	// keyLogPause is how long to wait before a log that is behind is asked for again. A server follows the others within a
	// second.
	keyLogPause = 2 * time.Second
	// keyLogTries is how often it is asked for.
	keyLogTries = 3
)

// KeyLog is what a Sync demands of the log of the server's public keys (GET /v1/keylog; package crypto/keylog). With a
// VerifierKey each Sync fetches the log before it uses an epoch, and returns ErrKeyLog unless the log extends the one of the
// last Sync, which is remembered in the state, and has the public key of every epoch that the server shows.
type KeyLog struct {
	// VerifierKey is the key of the log as its operator publishes it, such as "example.org+1a2b3c4d+AbC…" (C2SP signed-note);
	// it should come with the app. If empty, there is no key log, and a public key that was seen first is remembered. With
	// another VerifierKey than that of the last Sync the log is another one, of which nothing is remembered.
	VerifierKey string
	// Witnesses are the keys of those whose cosignatures count (C2SP tlog-cosignature).
	Witnesses []string
	// Quorum is how many of them must have cosigned the log. With 0, the default, an operator can show one device a log of its
	// own, if it does so from that device's first Sync on, and forever. Entries that were added since the last Sync may lack
	// the cosignatures for a while: until then no key of theirs is used.
	Quorum int
}

// keyLogCheck is a KeyLog after parsing.
type keyLogCheck struct {
	name      string // the text of the verifier key
	verifier  *keylog.Verifier
	witnesses []*keylog.Witness
	quorum    int
}

// parse returns nil if there is no key log, or ErrOptions.
func (k KeyLog) parse() (*keyLogCheck, error) {
	switch {
	case k.VerifierKey == "" && (len(k.Witnesses) > 0 || k.Quorum != 0):
		return nil, fmt.Errorf("%w: KeyLog has witnesses or a quorum without VerifierKey", ErrOptions)
	case k.VerifierKey == "":
		return nil, nil
	case k.Quorum < 0 || k.Quorum > len(k.Witnesses):
		return nil, fmt.Errorf("%w: KeyLog.Quorum is not between 0 and the number of Witnesses", ErrOptions)
	}
	c := &keyLogCheck{name: k.VerifierKey, quorum: k.Quorum}
	var err error
	if c.verifier, err = keylog.ParseVerifierKey(k.VerifierKey); err != nil {
		return nil, fmt.Errorf("%w: KeyLog.VerifierKey: %w", ErrOptions, err)
	}
	for i, text := range k.Witnesses {
		w, err := keylog.ParseWitnessKey(text)
		if err != nil {
			return nil, fmt.Errorf("%w: KeyLog.Witnesses: %w", ErrOptions, err)
		}
		if slices.Contains(k.Witnesses[:i], text) {
			return nil, fmt.Errorf("%w: KeyLog.Witnesses has one twice", ErrOptions)
		}
		c.witnesses = append(c.witnesses, w)
	}
	return c, nil
}

// seenLog is the key log as it was seen last.
type seenLog struct {
	verifier   string // the text of its verifier key
	quorum     int    // that was demanded then
	checkpoint keylog.Checkpoint
}

// checkKeyLog verifies the key log and the keys of the epochs in the directory by it, and remembers it. It is saved before
// an epoch is used: a server that shows another log later must be found out even if this Sync ends now. A log that seems to
// be behind is asked for again, since a server may not have heard yet what another has said.
func (r *run) checkKeyLog(ctx context.Context) error {
	check := r.keyLog
	if check == nil {
		return nil
	}
	for try := 1; ; try++ {
		seen, err := r.verifyKeyLog(ctx, check)
		switch {
		case err == nil:
			if r.state.log == nil || *r.state.log != *seen {
				r.state.log, r.state.dirty = seen, true
			}
			return r.save(ctx)
		case try == keyLogTries || !errors.Is(err, keylog.ErrRollback) && !errors.Is(err, ErrKeyNotLogged):
			return err
		}
		if err := r.retry.sleep(ctx, keyLogPause); err != nil {
			return err
		}
	}
}

// verifyKeyLog fetches the key log and returns what is to be remembered of it, or ErrKeyLog.
func (r *run) verifyKeyLog(ctx context.Context, check *keyLogCheck) (*seenLog, error) {
	m, err := r.fetchKeyLog(ctx)
	if err != nil {
		return nil, err
	}
	o := keylog.Options{Witnesses: check.witnesses, Quorum: check.quorum}
	last := r.state.log
	if last != nil && last.verifier != check.name {
		last = nil
	}
	if last != nil {
		o.Last = &last.checkpoint
	}
	view, err := keylog.Verify(m, check.verifier, o)
	if errors.Is(err, keylog.ErrQuorum) && last != nil && last.quorum >= check.quorum {
		return r.verifyKnownPart(m, check, last)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyLog, err)
	}
	if !r.directory.keysIn(view) {
		return nil, ErrKeyNotLogged
	}
	return &seenLog{check.name, check.quorum, view.Checkpoint}, nil
}

// verifyKnownPart is for a log that lacks the quorum. A new entry takes the cosignatures away until the witnesses have seen
// it, which is no reason to refuse keys that they saw before. It returns last, or ErrKeyLog.
func (r *run) verifyKnownPart(m keylog.Message, check *keyLogCheck, last *seenLog) (*seenLog, error) {
	view, err := keylog.Verify(m, check.verifier, keylog.Options{Witnesses: check.witnesses, Last: &last.checkpoint})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyLog, err)
	}
	seen := &keylog.View{Entries: view.Entries[:last.checkpoint.Size]}
	if !r.directory.keysIn(view) || !r.directory.keysIn(seen) {
		return nil, fmt.Errorf("%w: %w", ErrKeyLog, keylog.ErrQuorum)
	}
	return last, nil
}

// keysIn reports whether the log has the key of each epoch that is served.
func (d *directory) keysIn(log *keylog.View) bool {
	return !slices.ContainsFunc(d.epochs, func(e directoryEpoch) bool {
		key, logged := log.Key(e.id)
		return e.isServed() && (!logged || key != e.key)
	})
}

// fetchKeyLog asks for the key log, without the token, over the metered connection, as for the directory. Errors are those
// of call; ErrKeyLog too where the server has none.
func (c *Client) fetchKeyLog(ctx context.Context) (keylog.Message, error) {
	var m keylog.Message
	body, err := c.call(ctx, request{
		name:   "keylog",
		via:    c.metered,
		method: http.MethodGet,
		path:   "/v1/keylog",
		accept: typeJSON,
		limit:  maxKeyLog,
	})
	var problem *ProblemError
	if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
		return m, fmt.Errorf("%w: the server has none: %w", ErrKeyLog, err)
	}
	if err != nil {
		return m, err
	}
	if json.Unmarshal(body, &m) != nil {
		return m, fmt.Errorf("%w: key log of a wrong form", ErrAnswer)
	}
	return m, nil
}
