package client

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
)

// Defaults of Options.
const (
	DefaultMaxWait        = 60 * time.Second
	DefaultRequestTimeout = 30 * time.Second
	DefaultBudget         = 2_000_000 // bytes in 24 hours
	DefaultMeteredBudget  = 500_000   // bytes in 24 hours
	DefaultLookupDelay    = 2 * time.Second
)

// TokenSource returns a bearer token with the scope to evaluate. It is called for each attempt of each metered request,
// never for lookups, so it should cache the token and renew it in time.
type TokenSource func(ctx context.Context) (string, error)

// StaticToken returns a source of one token that is never renewed.
func StaticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// Options are the settings of a Client. They can not be changed after New.
type Options struct {
	// Server is the base URL of the server, such as "https://kith.example.org"; required. A path is kept as prefix.
	Server string
	// Token authorises evaluations; required.
	Token TokenSource
	// State keeps what was paid for from one Sync to the next; required. See FileState and MemoryState.
	State StateStore

	// Region is the ISO 3166-1 alpha-2 region by which numbers without a country code are read. If empty, it is that
	// of OwnNumber; one of the two is required.
	Region string
	// OwnNumber is the user's own number in E.164. It is never sent.
	OwnNumber string

	// Mode is the kind of lookup. If empty, ModeAuto. A mode that is given by name is used whatever it costs, and does all
	// its work in each Sync.
	Mode Mode
	// MinPrivacy is the least private mode that ModeAuto may use. If empty, ModeBucket: rather than below it, ModeAuto
	// spreads its lookups over days. ModeExact allows all modes. It has no use with another Mode, and one that is less
	// private than it is refused.
	MinPrivacy Mode
	// Budget is how many bytes lookups may cost in 24 hours in ModeAuto, request and answer bodies together. If zero,
	// DefaultBudget, or DefaultMeteredBudget if Metered is set; if negative, there is no budget.
	Budget int64
	// Metered says that the network is paid for by volume.
	Metered bool
	// Labels says how the labels of hits are fetched. If empty, LabelsByBucket.
	Labels LabelPolicy
	// LookupDelay is the longest time to wait, at random, between evaluations and the first lookup after them, so that
	// their closeness tells less of which belong together. If zero, DefaultLookupDelay; if negative, there is none.
	LookupDelay time.Duration
	// Cache keeps the snapshot. If nil, a MemoryCache of this Client. See FileCache.
	Cache Cache

	// PublicKey pins the public key of the active epoch, 32 bytes. If nil, the key that was seen first is remembered
	// in the state. A pin is for tests and for servers that never rotate their key: after a rotation every Sync returns
	// ErrKeyChanged.
	PublicKey []byte
	// KeyLog says which log of public keys the server must keep to. Apps for users should set it: a remembered key shows that
	// it has not changed, not that it is the key that others are given.
	KeyLog KeyLog

	// Progress, if set, is called from the goroutine of Sync. It must not call Sync.
	Progress func(Progress)

	// HTTP sends the directory and evaluation requests. If nil, a transport with the settings of
	// http.DefaultTransport and TLS 1.3 at least is made.
	HTTP http.RoundTripper
	// LookupHTTP sends the lookups, which must not be linked to the account: it should share neither connections, TLS
	// sessions nor cookies with HTTP. It is also the place for an Oblivious HTTP relay (RFC 9458): a RoundTripper of the
	// app that encapsulates the request for the gateway and sends it to a relay hides the address of the device. The
	// requests it gets have no credential and no cookies. If nil, it is a clone of HTTP, without its TLS session cache, if that is an
	// *http.Transport or nil, and HTTP itself otherwise, whose business the separation then is.
	LookupHTTP http.RoundTripper
	// MaxWait is the longest Retry-After that Sync waits for. A longer one is for the app to schedule: it is in
	// Result.Waiting, or in a *ProblemError if there is no Result. If zero, DefaultMaxWait.
	MaxWait time.Duration
	// RequestTimeout bounds each attempt of each request, token source and answer included. If zero,
	// DefaultRequestTimeout.
	RequestTimeout time.Duration
	// AllowPlaintext allows http to hosts other than loopback, for a test network or a tunnel that encrypts. Tokens and
	// tags are readable on the way.
	AllowPlaintext bool

	// Rand is the source of blinds, keys, padding and the order of tags. If nil, crypto/rand.Reader, and nothing else outside of
	// tests: whoever can predict it reads the address book. The same Rand, state and address book give the same
	// requests byte for byte.
	Rand io.Reader
}

// complete checks o and fills in the defaults. It returns ErrOptions, ErrInsecure or ErrMode.
func (o Options) complete() (Options, error) {
	if o.Token == nil {
		return o, fmt.Errorf("%w: Token is required", ErrOptions)
	}
	if o.State == nil {
		return o, fmt.Errorf("%w: State is required", ErrOptions)
	}
	if o.MaxWait < 0 || o.RequestTimeout < 0 {
		return o, fmt.Errorf("%w: MaxWait and RequestTimeout can not be negative", ErrOptions)
	}
	var err error
	if o.Server, err = CheckServer(o.Server, o.AllowPlaintext); err != nil {
		return o, err
	}
	if o.Region, err = checkRegion(o.Region, o.OwnNumber); err != nil {
		return o, err
	}
	if err := o.checkModes(); err != nil {
		return o, err
	}
	if o.PublicKey != nil {
		if _, err := voprf.UnmarshalPublicKey(o.PublicKey); err != nil {
			return o, fmt.Errorf("%w: PublicKey: %w", ErrOptions, err)
		}
	}
	o.setDefaults()
	return o, nil
}

// checkModes fills in the modes and the policy of labels. It returns ErrMode or ErrOptions.
func (o *Options) checkModes() error {
	var err error
	if o.Mode, err = ParseMode(string(o.Mode)); err != nil {
		return err
	}
	switch {
	case o.MinPrivacy == "":
		o.MinPrivacy = ModeBucket
	case !slices.Contains(byPrivacy, o.MinPrivacy):
		return fmt.Errorf("%w: MinPrivacy is none of exact, bucket and snapshot", ErrOptions)
	case o.Mode != ModeAuto && !o.Mode.atLeast(o.MinPrivacy):
		return fmt.Errorf("%w: Mode is less private than MinPrivacy", ErrOptions)
	}
	o.Labels, err = checkLabels(o.Labels)
	return err
}

func (o *Options) setDefaults() {
	if o.Budget == 0 {
		o.Budget = DefaultBudget
		if o.Metered {
			o.Budget = DefaultMeteredBudget
		}
	}
	if o.Budget < 0 || o.Mode != ModeAuto {
		o.Budget = unlimited
	}
	if o.LookupDelay == 0 {
		o.LookupDelay = DefaultLookupDelay
	}
	if o.Cache == nil {
		o.Cache = MemoryCache()
	}
	if o.MaxWait == 0 {
		o.MaxWait = DefaultMaxWait
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
}

// CheckServer returns the base URL of a server in one spelling, without a slash at its end, which is also its name in the
// state. It returns ErrOptions for what is no such URL, and ErrInsecure for plain http to another host than this one
// unless that is allowed. Its errors do not quote the URL, which may hold a password.
func CheckServer(raw string, allowPlaintext bool) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "", fmt.Errorf("%w: Server is required", ErrOptions)
	case err != nil:
		return "", fmt.Errorf("%w: Server is not a URL", ErrOptions)
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("%w: Server must begin with https://", ErrOptions)
	case u.Hostname() == "":
		return "", fmt.Errorf("%w: Server has no host", ErrOptions)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("%w: Server must have no user, query or fragment", ErrOptions)
	case u.Scheme == "http" && !allowPlaintext && !isLoopback(u.Hostname()):
		return "", ErrInsecure
	}
	host := strings.ToLower(u.Host)
	if defaultPort := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; strings.HasSuffix(host, defaultPort) {
		host = strings.TrimSuffix(host, defaultPort)
	}
	return u.Scheme + "://" + host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// checkRegion returns the region by which numbers are read.
func checkRegion(region, ownNumber string) (string, error) {
	switch {
	case region != "":
		if !normalize.ValidRegion(region) {
			return "", fmt.Errorf("%w: Region is not a known ISO 3166-1 region", ErrOptions)
		}
		return strings.ToUpper(region), nil
	case ownNumber != "":
		region, err := normalize.RegionOf(ownNumber)
		if err != nil {
			return "", fmt.Errorf("%w: OwnNumber: %w", ErrOptions, err)
		}
		return region, nil
	default:
		return "", fmt.Errorf("%w: Region or OwnNumber is required", ErrOptions)
	}
}
