package load

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kith-project/kith/bench/meter"
	"github.com/kith-project/kith/client"
)

// ErrConfig means a Config that can not be used; the text says why.
var ErrConfig = errors.New("load: settings")

// Mix says in which shares devices arrive; what is left of 1 are daily syncs of known devices.
type Mix struct {
	First         float64 `json:"first"`         // first syncs of new devices
	Registrations float64 `json:"registrations"` // by the account service
	Leaves        float64 `json:"leaves"`        // share of registrations that remove a number instead
}

// DefaultMix is that of a service that grows quickly; an assumption, as docs/load.md says.
var DefaultMix = Mix{First: 0.05, Registrations: 0.05, Leaves: 0.2}

// Modes says in which shares devices use each mode of lookup; they are weights, whose sum is not 0.
type Modes struct {
	Exact    float64 `json:"exact"`
	Bucket   float64 `json:"bucket"`
	Snapshot float64 `json:"snapshot"`
}

// DefaultModes lets every mode be measured; an assumption.
var DefaultModes = Modes{Exact: 0.1, Bucket: 0.6, Snapshot: 0.3}

// Config says what is run against which server.
type Config struct {
	// Server is the base URL for devices, and Accounts that for registrations.
	Server, Accounts string
	// Devices sends metered requests, Lookups those without a credential, and AccountService registrations.
	Devices, Lookups, AccountService http.RoundTripper
	// Token returns a bearer token with scope discover for the account of a device. It is called concurrently.
	Token func(account string) (string, error)
	// RegisterToken is a bearer token with scope register.
	RegisterToken string

	Shape Shape
	Mix   Mix
	Modes Modes
	Books Books
	// Users is how many numbers are registered before, and Pool how many may be in address books, half of them registered.
	Users, Pool int
	// Precompute lets devices send elements that were blinded before.
	Precompute bool
	// Verify is the share of devices all of whose answers are checked.
	Verify float64
	// Staleness is how long a server's memory may take to see a write that another server acknowledged.
	Staleness time.Duration
	// FreshConnections gives each sync connections of its own, as devices have.
	FreshConnections bool
	// MaxUnderWay bounds the syncs that are under way; arrivals beyond are not begun, and count as errors.
	MaxUnderWay int
	// Drain is how long syncs may go on after the last arrival.
	Drain time.Duration
	// Seed decides everything that is drawn, but for blinds and keys.
	Seed uint64
	// Cleanup removes all registrations at the end.
	Cleanup bool

	// ReadServer and ReadRedis, if set, say what the server's process and its Redis have used.
	ReadServer func() (meter.Server, error)
	ReadRedis  func() (meter.Redis, error)
	// Registered, if set, is called once the users are registered.
	Registered func() error
	// Progress, if set, is told how far a stage is, by several goroutines.
	Progress func(Stage, int, int)
	// Live, if set, is told twice a second how the run goes.
	Live func(Live)
}

// Stage is a part of a Run before and after the load.
type Stage string

// The stages in their order.
const (
	StageRegister Stage = "registering users"
	StagePrepare  Stage = "evaluating contacts"
	StageRemove   Stage = "removing users"
)

// Live is how a run goes.
type Live struct {
	Elapsed  time.Duration
	Offered  int // arrivals so far
	UnderWay int // syncs
	Requests int // answered so far
	Errors   int // of them
	Wrong    int // answers
	P99      time.Duration
}

// check returns ErrConfig for settings that can not be, and fills in what is missing.
func (c *Config) check() error {
	if err := errors.Join(c.Shape.check(), c.Books.check()); err != nil {
		return err
	}
	share := func(x float64) bool { return x >= 0 && x <= 1 }
	m := c.Modes
	switch {
	case !share(c.Mix.First) || !share(c.Mix.Registrations) || !share(c.Mix.Leaves) || c.Mix.First+c.Mix.Registrations > 1:
		return fmt.Errorf("%w: first syncs and registrations are shares, together 1 at most", ErrConfig)
	case !(min(m.Exact, m.Bucket, m.Snapshot) >= 0 && m.Exact+m.Bucket+m.Snapshot > 0):
		return fmt.Errorf("%w: modes are shares, one of them above 0", ErrConfig)
	case !share(c.Verify):
		return fmt.Errorf("%w: what is verified is a share", ErrConfig)
	case c.Users < 0 || c.Pool < 2 || c.MaxUnderWay < 1 || c.Drain <= 0 || c.Staleness < 0:
		return fmt.Errorf("%w: users and times can not be negative, and a pool has two contacts at least", ErrConfig)
	case c.Users+c.joiners()+c.Pool > Numbers:
		return fmt.Errorf("%w: users, registrations and contacts together are more than %d numbers", ErrConfig, Numbers)
	}
	if c.Progress == nil {
		c.Progress = func(Stage, int, int) {}
	}
	if c.Live == nil {
		c.Live = func(Live) {}
	}
	if c.Registered == nil {
		c.Registered = func() error { return nil }
	}
	return nil
}

// joiners is how many numbers are kept for registrations in the run: hardly ever are there more.
func (c *Config) joiners() int {
	expected := c.Shape.Expected() * c.Mix.Registrations
	return int(expected*1.2) + 50
}

// mode draws the mode of a device.
func (m Modes) mode(x float64) client.Mode {
	x *= m.Exact + m.Bucket + m.Snapshot
	switch {
	case x < m.Exact:
		return client.ModeExact
	case x < m.Exact+m.Bucket:
		return client.ModeBucket
	default:
		return client.ModeSnapshot
	}
}
