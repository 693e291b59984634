package load

import (
	"sync/atomic"
	"time"
)

// registration is what the model knows of one number, which is registered once at most and removed once at most. Times are in
// nanoseconds since 1970; 0 for what has not happened. It may be used concurrently.
type registration struct {
	label                        string
	joinSent, joinAcknowledged   atomic.Int64
	leaveSent, leaveAcknowledged atomic.Int64
}

// expectation is what the model says of an answer about one number.
type expectation int

const (
	uncertain  expectation = iota // a registration or a removal was under way
	registered                    // it must be found
	absent                        // it must not be found
)

// expect returns what an answer must say that was asked for at from and came at to, if the server may take slack to see what
// was acknowledged. It is to be called after the answer has come.
func (r *registration) expect(from, to time.Time, slack time.Duration) expectation {
	since := from.Add(-slack).UnixNano()
	joinSent, joined := r.joinSent.Load(), r.joinAcknowledged.Load()
	leaveSent, left := r.leaveSent.Load(), r.leaveAcknowledged.Load()
	before := func(moment, limit int64) bool { return moment != 0 && moment <= limit }
	switch {
	case !before(joinSent, to.UnixNano()), before(left, since):
		return absent
	case before(joined, since) && !before(leaveSent, to.UnixNano()):
		return registered
	default:
		return uncertain
	}
}

// within reports whether the number may be taken for registered now, by a device that only wants a likely hit.
func (r *registration) within() bool {
	return r.joinAcknowledged.Load() != 0 && r.leaveSent.Load() == 0
}
