package token

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// DefaultRefresh is how often keys are read again where nothing else is said.
	DefaultRefresh = 5 * time.Minute
	// minReread is the shortest time between two reads on behalf of tokens, which anyone can cause, and the first after a
	// read that failed.
	minReread = 30 * time.Second
	// maxWait is how long a token that names an unknown key waits for a read.
	maxWait = time.Second
)

// Keys are the public keys of one issuer. Its methods may be called concurrently.
type Keys struct {
	read    reader // nil for keys that stay as they are
	refresh time.Duration
	report  func(error)
	current atomic.Pointer[keySet]
	asked   chan struct{} // to Run: read now

	mu       sync.Mutex // guards what follows
	running  bool
	reading  bool
	round    chan struct{} // closed when the read that is under way or comes next has ended
	tried    time.Time     // when the last read began
	good     time.Time     // when the last one that succeeded began
	failures int           // since then
}

// KeysOptions are where an issuer's keys are and how they are read.
type KeysOptions struct {
	// Location is the path of a file, or an https URL; http is for loopback addresses alone. There is a JSON Web Key Set
	// (RFC 7517) or PEM as ParsePublicKeys reads it, of at most 256 KiB. Redirects are not followed.
	Location string
	// Refresh is how often Run reads it again; DefaultRefresh if zero.
	Refresh time.Duration
	// Report is called by Run after each read, with nil or why it failed. It may be nil.
	Report func(error)
	// Transport is for the requests to a URL, which end after five seconds. By default one that trusts the system's
	// certificates.
	Transport http.RoundTripper
}

// KeysState is what is known of an issuer's keys.
type KeysState struct {
	Usable   int       // keys that tokens may be signed with
	Ignored  int       // keys of the set that are of other types, for other uses or malformed
	Read     time.Time // when they were last read; zero for keys that stay as they are
	Failures int       // reads since then, which all failed
}

// FixedKeys returns keys that stay as they are: each an ed25519.PublicKey or an *ecdsa.PublicKey over P-256, as
// ParsePublicKeys returns them. It returns ErrKey for others or for none, and ErrKeySet for more than 32.
func FixedKeys(keys ...any) (*Keys, error) {
	set, err := publicKeySet(keys)
	if err != nil {
		return nil, err
	}
	k := &Keys{}
	k.current.Store(set)
	return k, nil
}

// OpenKeys reads keys from their location. It returns ErrLocation, ErrUnreadable, ErrKeySet, ErrNoKey or, for PEM, ErrKey.
// While Run runs they are read again.
func OpenKeys(ctx context.Context, o KeysOptions) (*Keys, error) {
	read, err := readerOf(o.Location, o.Transport)
	if err != nil {
		return nil, err
	}
	k := &Keys{
		read: read, refresh: o.Refresh, report: o.Report,
		asked: make(chan struct{}, 1), round: make(chan struct{}),
	}
	if k.refresh <= 0 {
		k.refresh = DefaultRefresh
	}
	if k.report == nil {
		k.report = func(error) {}
	}
	if err := k.reread(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// State tells how the keys are.
func (k *Keys) State() KeysState {
	set := k.current.Load()
	k.mu.Lock()
	defer k.mu.Unlock()
	return KeysState{set.usable, set.ignored, k.good, k.failures}
}

// keyFor returns the key or keys that a token may have been signed with. One that names a key which is not known causes a read,
// since issuers may have begun to use a new key; it waits for that for a second.
func (k *Keys) keyFor(t *jwt.Token) (any, error) {
	key, err := k.current.Load().keyFor(t)
	if err == nil || !k.await() {
		return key, err
	}
	return k.current.Load().keyFor(t)
}
