package chaos

import (
	"fmt"
	"time"
)

// outcome is how a call ended.
type outcome int

const (
	acknowledged outcome = iota // 204, or the answer of a lookup
	refused                     // 412: another label is registered, nothing was done
	failed                      // another answer: it may have been done, or in part
	unanswered                  // the same, and it may still be done
	unreached                   // nobody was listening: it was not done
)

// done is a call that was made.
type done struct {
	call
	began, ended time.Duration // when it was made, and when the client knew or gave up
	outcome      outcome
	detail       string // more about how it ended, for the reader

	applied bool  // of an acknowledged write, whether the server says that it is the one that is stored
	found   state // of an acknowledged lookup: visible or nothing

	process *process // that it was sent to
}

func (d *done) String() string {
	text := [...]string{"acknowledged", "refused", "failed", "no answer", "not reached"}[d.outcome]
	if d.outcome == acknowledged {
		switch {
		case d.verb == look:
			text = fmt.Sprintf("found %v", d.found)
		case d.applied:
			text = "applied"
		default:
			text = "acknowledged, a later one is stored"
		}
	}
	if d.detail != "" {
		text += ", " + d.detail
	}
	return text
}

// write reports whether the call may have changed what is stored.
func (d *done) write() bool {
	return d.verb != look && d.outcome != refused && d.outcome != unreached
}

// known reports whether the call is known to have been done.
func (d *done) known() bool { return d.outcome == acknowledged }

// released returns from when on no server is at work on the call.
func (d *done) released() time.Duration {
	if d.outcome == unanswered {
		return d.process.endedAt()
	}
	return d.ended
}
