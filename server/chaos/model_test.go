package chaos

import (
	"fmt"
	"strings"
	"time"

	"github.com/kith-project/kith/server/directory"
)

// model says what may be registered, given which calls were made and how they ended.
type model struct {
	versioned bool
	writes    map[int][]write // by number
	reads     []*done         // acknowledged lookups, and deletions that depended on a label
}

// write is a call that changed what is stored for a number, or may have.
type write struct {
	*done
	state state
	// spent is from when on it can not take effect any more: later writes come after it.
	spent time.Duration
}

// newModel makes a model of calls.
func newModel(versioned bool, calls []*done) *model {
	m := &model{versioned: versioned, writes: make(map[int][]write)}
	for _, d := range calls {
		if d.write() {
			m.writes[d.number] = append(m.writes[d.number], write{d, d.state(), spent(d, calls)})
		}
		if d.verb == look && d.known() || d.verb == removeIf && (d.known() || d.outcome == refused) {
			m.reads = append(m.reads, d)
		}
	}
	return m
}

// quick is how long a call may take at most for Redis to have answered the server, or to have gone: well below the time
// after which a server gives up waiting for Redis, and what it sent may still be read there.
const quick = 2 * time.Second

// spent returns from when on a call can not take effect any more. When nobody is at work on it any more, what was sent to
// Redis may still not have been read there. It has been when a later call was answered out of Redis.
func spent(d *done, calls []*done) time.Duration {
	if d.known() || d.outcome == failed && d.ended-d.began < quick {
		return d.ended
	}
	released, end := d.released(), never
	for _, other := range calls {
		if other.verb != look && (other.known() || other.outcome == refused) && other.began > released {
			end = min(end, other.ended)
		}
	}
	return end
}

// supersedes reports whether w is not what is stored once o has been done.
func (m *model) supersedes(o, w write) bool {
	if m.versioned {
		return o.state.over(w.state)
	}
	return o.began > w.spent
}

// replaced reports whether w is known not to be stored any more at a time: an acknowledged write that supersedes it had
// ended by then.
func (m *model) replaced(w write, at time.Duration) bool {
	for _, o := range m.writes[w.number] {
		if o.known() && o.ended < at && m.supersedes(o, w) {
			return true
		}
	}
	return false
}

// admissible returns the writes that may be the one stored in the end, and whether it may be that nothing is.
func (m *model) admissible(number int) (last []write, nothing bool) {
	nothing = true
	for _, w := range m.writes[number] {
		if w.known() {
			nothing = false
		}
		if !m.replaced(w, never) {
			last = append(last, w)
		}
	}
	return last, nothing
}

// explain returns what may be stored for a number in the end, for a reader.
func (m *model) explain(number int) string {
	last, nothing := m.admissible(number)
	var may []string
	if nothing {
		may = append(may, "nothing")
	}
	for _, w := range last {
		may = append(may, fmt.Sprintf("%v (%.3fs, %v)", w.state, w.began.Seconds(), w.done))
	}
	return strings.Join(may, ", or ")
}

// allows returns the writes that explain a state in the end; ok is false if none does, and it is not nothing either.
func (m *model) allows(number int, s state) (by []write, ok bool) {
	last, nothing := m.admissible(number)
	for _, w := range last {
		if w.state.same(s) {
			by = append(by, w)
		}
	}
	return by, len(by) > 0 || nothing && s == state{}
}

// during reports whether a number may have been in a state for which holds is true at some moment of a call.
func (m *model) during(d *done, holds func(s state) bool) bool {
	nothing := true
	for _, w := range m.writes[d.number] {
		if w.done == d {
			continue
		}
		if w.known() && w.ended < d.began {
			nothing = false
		}
		if holds(w.state) && w.began < d.ended && !m.replaced(w, d.began) {
			return true
		}
	}
	return nothing && holds(state{})
}

// problems returns what was answered on the way and should not have been.
func (m *model) problems() []string {
	var all []string
	wrong := func(d *done, text string) {
		all = append(all, fmt.Sprintf("%.3fs %v: %v: %s", d.began.Seconds(), &d.call, d, text))
	}
	for _, d := range m.reads {
		switch {
		case d.verb == look && !m.during(d, func(s state) bool { return seen(s).same(d.found) }):
			wrong(d, "what was found was not registered at the time")
		case d.verb == removeIf && d.outcome == refused && !m.during(d, func(s state) bool { return other(s, d.label) }):
			wrong(d, "no other label was registered at the time")
		case d.verb == removeIf && d.known() && !m.during(d, func(s state) bool { return !other(s, d.label) }):
			wrong(d, "another label was registered at the time")
		}
	}
	for _, writes := range m.writes {
		for _, w := range writes {
			if text := m.applied(w); text != "" {
				wrong(w.done, text)
			}
		}
	}
	return all
}

// seen returns what a lookup shows of a state.
func seen(s state) state {
	if s.format != directory.Visible {
		return state{}
	}
	return state{format: s.format, label: s.label}
}

// other reports whether a label is registered, and it is another than the one given.
func other(s state, label string) bool { return s.format == directory.Visible && s.label != label }

// applied returns what is wrong with the answer to a write, whether it is the one that is stored.
func (m *model) applied(w write) string {
	switch {
	case !w.known():
		return ""
	case !m.versioned && !w.applied:
		return "a write without a version is always the latest"
	case !m.versioned:
		return ""
	case w.applied && m.replaced(w, w.began):
		return "a later one was acknowledged before"
	case w.applied:
		return ""
	}
	for _, o := range m.writes[w.number] {
		if o.began < w.ended && o.state.over(w.state) {
			return ""
		}
	}
	return "no later one was made"
}
