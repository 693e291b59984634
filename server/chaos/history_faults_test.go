package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// faultKind is what happens to a process.
type faultKind int

const (
	killed  faultKind = iota // kill -9, and started again
	stopped                  // SIGSTOP, and SIGCONT after longer than a lease
	absent                   // stopped until another epoch is active
	zombie                   // stopped until an epoch has ended without it
	ended                    // told to stop, and started again
)

// moment is something that a fault waits for.
type moment int

const (
	anytime    moment = iota // nothing
	isStaged                 // an epoch is staged: a rotation begins
	isCopied                 // its registrations are copied, and are being verified
	isVerified               // it is about to become active, or waits for being told to
)

// fault is something that happens to a server, or to Redis, when the server is only waited for.
type fault struct {
	moment moment        // before the pause, wait until it has come
	after  time.Duration // pause before it
	midway time.Duration // after the pause, wait until so long after a write was sent to the server; 0 for no waiting
	kind   faultKind
	server int
	lasts  time.Duration // how long it is away; at most, for absent and zombie
}

func (f fault) String() string {
	names := [...]string{"kill -9", "stop", "stop until another epoch is active", "stop until an epoch has ended", "terminate"}
	return fmt.Sprintf("%s, %v", names[f.kind], f.lasts)
}

// planFaults plans what happens to processes. Half of it happens while a rotation is under way, and more than half in the
// middle of a write, which may then have reached one epoch and not the other.
func (h *history) planFaults(rng *rand.Rand) {
	for range 1 + rng.IntN(3) {
		f := fault{server: rng.IntN(servers)}
		f.when(rng, 700*time.Millisecond)
		switch p := rng.Float64(); {
		case p < 0.45:
			f.kind, f.lasts = killed, between(rng, 10*time.Millisecond, 500*time.Millisecond)
		case p < 0.6:
			f.kind, f.lasts = stopped, between(rng, lease/3, secondSweep)
		case p < 0.75:
			f.kind, f.lasts = absent, 1500*time.Millisecond
		case p < 0.9:
			f.kind, f.lasts = zombie, 2500*time.Millisecond
		default:
			f.kind, f.lasts = ended, between(rng, 10*time.Millisecond, 300*time.Millisecond)
		}
		h.servers = append(h.servers, f)
	}
	for range pick(rng, 0, 0, 1, 1, 2) {
		f := fault{server: rng.IntN(servers), lasts: between(rng, 10*time.Millisecond, 300*time.Millisecond)}
		if chance(rng, 0.25) {
			f.kind, f.lasts = stopped, between(rng, lease/3, 3*lease/2)
		}
		f.when(rng, 1500*time.Millisecond)
		h.redis = append(h.redis, f)
	}
}

// when decides when a fault happens.
func (f *fault) when(rng *rand.Rand, latest time.Duration) {
	f.moment = pick(rng, anytime, anytime, anytime, isStaged, isCopied, isVerified)
	switch f.moment {
	case anytime:
		f.after = between(rng, 0, latest)
	case isStaged:
		f.after = between(rng, 0, 400*time.Millisecond)
	default:
		f.after = between(rng, 0, 50*time.Millisecond)
	}
	if chance(rng, 0.6) {
		f.midway = time.Microsecond * time.Duration(1+rng.Int64N(6000))
	}
}
