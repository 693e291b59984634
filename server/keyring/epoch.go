package keyring

import (
	"errors"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
)

// State is where an epoch stands in its life.
type State string

// The states of an epoch. It goes from staged to active to draining to retired, or from staged to aborted.
const (
	StateStaged   State = "staged"   // has a key and takes registrations, is not shown to devices
	StateActive   State = "active"   // what devices use
	StateDraining State = "draining" // still answers devices that have not moved on
	StateRetired  State = "retired"  // its keys are destroyed
	StateAborted  State = "aborted"  // was staged, never became active, and its keys are destroyed
)

// ErrRecord means an epoch in the store that can not be read: not JSON of this version, or keys that do not fit.
var ErrRecord = errors.New("keyring: an epoch's record can not be read")

// Epoch is one generation of the OPRF key, opened. Its fields are read-only. Its times are by Redis's clock, to the
// millisecond, and zero for what has not happened.
type Epoch struct {
	ID        uint32
	State     State
	PublicKey *voprf.PublicKey
	Key       *voprf.PrivateKey // nil once it is over
	Storage   crypto.StorageKey // zero once it is over
	Layout    directory.Layout
	// Slots is the number of short tags in the answer of every bucket. It only grows, by RaiseSlots.
	Slots   int
	Created time.Time

	// From is the epoch that its registrations are copied from, 0 for the first epoch.
	From uint32
	// Prepared says that its partitions are there. Registrations go to a staged epoch only then.
	Prepared bool
	Copied   time.Time // every registration of From is here
	Verified time.Time // and every one was checked
	// Activated is when devices were told to use it.
	Activated time.Time
	// Settled is when the registrations of From were compared once more after Activated, so that From is not needed any more.
	Settled time.Time
	// RetireAt is when a draining epoch is to be retired.
	RetireAt time.Time
	// Ended is when it was retired or aborted.
	Ended time.Time
	// Swept is how often its partitions were removed after that, and LastSwept when that was done last.
	Swept     int
	LastSwept time.Time

	// Auto says that a staged epoch becomes active as soon as it is verified, and that From is retired when its RetireAt
	// has come, both without being asked.
	Auto bool
	// Window is how long after Activated devices have to move here, and Drain how long From is served.
	Window, Drain time.Duration
	// Accepted is how many records of From that can not be read the operator accepts to lose.
	Accepted int
}

// known reports whether s is one of the states above. An epoch in another one was written by a later version of Kith,
// and leaving it out would make a directory that lacks its registrations.
func (s State) known() bool {
	switch s {
	case StateStaged, StateActive, StateDraining, StateRetired, StateAborted:
		return true
	default:
		return false
	}
}

// Over reports whether its keys are destroyed.
func (e *Epoch) Over() bool { return e.State == StateRetired || e.State == StateAborted }

// Written reports whether registrations go to this epoch.
func (e *Epoch) Written() bool { return e.State == StateStaged && e.Prepared || e.Served() }

// Served reports whether devices may use this epoch.
func (e *Epoch) Served() bool { return e.State == StateActive || e.State == StateDraining }

// Warm reports whether servers should be able to answer from this epoch without delay: it is served, or soon will be.
func (e *Epoch) Warm() bool { return e.Served() || e.State == StateStaged && !e.Copied.IsZero() }
