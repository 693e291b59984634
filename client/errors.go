package client

import (
	"errors"
	"fmt"

	"github.com/kith-project/kith/crypto/voprf"
)

var (
	// ErrOptions means that New was given something it can not work with; the text names the option.
	ErrOptions = errors.New("client: options")
	// ErrInsecure means a server address that would send tokens in the clear: http, to another host than this one.
	ErrInsecure = errors.New("client: plain http to a host that is not loopback")
	// ErrMode means a lookup mode that is unknown or that the server does not offer, or, in ModeAuto, that it offers none
	// that MinPrivacy allows.
	ErrMode = errors.New("client: lookup mode not available")
	// ErrBudget means that Options.Budget is smaller than the smallest step of every mode that MinPrivacy allows, so that
	// waiting would not help.
	ErrBudget = errors.New("client: budget too small for any allowed mode")
	// ErrNoEpoch means that the server has no active epoch.
	ErrNoEpoch = errors.New("client: server has no active epoch")
	// ErrKeyChanged means that the server names another public key for an epoch than it did before, or than is pinned.
	// It may be trying to tell users apart by their keys. Nothing derived from the address book was sent to it.
	ErrKeyChanged = errors.New("client: public key of the epoch changed")
	// ErrKeyLog means a key log that can not be trusted; it wraps the reason: keylog.ErrFork, ErrRollback, ErrSignature,
	// ErrQuorum and the others of crypto/keylog, or ErrKeyNotLogged. Nothing derived from the address book was sent, and what was
	// remembered of the log stays as it was.
	ErrKeyLog = errors.New("client: key log refused")
	// ErrKeyNotLogged means that the server shows an epoch whose public key is not in its key log, or another there, or one
	// that was given up. It wraps ErrKeyLog.
	ErrKeyNotLogged = fmt.Errorf("%w: public key of an epoch is not in it", ErrKeyLog)
	// ErrProof means evaluated elements that were not made with the epoch's private key. It wraps voprf.ErrProof.
	ErrProof = fmt.Errorf("client: evaluation refused: %w", voprf.ErrProof)
	// ErrAnswer means an answer that a Kith server does not give: a wrong length or type, tags that were not asked for,
	// duplicates, a shard that is not what its name says, a redirect. A captive portal is a common cause.
	ErrAnswer = errors.New("client: answer not understood")
	// ErrState means a saved state that this client can not read, or that is another server's. It was left as it is.
	ErrState = errors.New("client: state not usable")
	// ErrStateInUse means that another Sync, perhaps in another process, holds the lock of the state.
	ErrStateInUse = errors.New("client: state is in use by another Sync")
	// ErrToken means that the token source gave an empty token or one that does not fit into a header.
	ErrToken = errors.New("client: token source gave no usable token")
)

// IncompatibleError means a server of another protocol than this client's. Update the app, or correct the address.
type IncompatibleError struct {
	Member string // the member of the directory that differs: "suite", "mode" or "profile"
	Want   string // its value in this client
}

func (e *IncompatibleError) Error() string {
	return fmt.Sprintf("client: server's %s is not %q", e.Member, e.Want)
}
