package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server/directory"
)

// at makes a call that began and ended at times in ms.
func at(began, ended int, c call, o outcome) *done {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return &done{call: c, began: ms(began), ended: ms(ended), outcome: o, applied: o == acknowledged, process: &process{killed: never}}
}

// late is at for a write that was acknowledged when a later one was stored.
func late(began, ended int, c call) *done {
	d := at(began, ended, c, acknowledged)
	d.applied = false
	return d
}

// killedAt is at for a call without an answer, of a server that was killed at a time in ms.
func killedAt(began, ended, killed int, c call) *done {
	d := at(began, ended, c, unanswered)
	d.process.killed = time.Duration(killed) * time.Millisecond
	return d
}

// shown is at for a lookup that found a label, or nothing if it is empty.
func shown(began, ended int, label string) *done {
	d := at(began, ended, call{verb: look}, acknowledged)
	if label != "" {
		d.found = state{format: directory.Visible, label: label}
	}
	return d
}

var (
	nothing = state{}
	deleted = state{format: directory.Deleted}
	hidden  = state{format: directory.Hidden}
)

func visible(label string) state { return state{format: directory.Visible, label: label} }

func (s state) v(version uint64) state {
	s.version = version
	return s
}

// TestModelOfTheEnd has the model say which states may be stored after calls about one number, with and without versions.
func TestModelOfTheEnd(t *testing.T) {
	registerA, registerB := call{verb: register, label: "a"}, call{verb: register, label: "b"}
	a1, a3 := call{verb: register, label: "a", version: 1}, call{verb: register, label: "a", version: 3}
	hide2, delete2, delete3 := call{verb: hide, version: 2}, call{verb: remove, version: 2}, call{verb: remove, version: 3}
	tests := []struct {
		name  string
		calls []*done
		may   []state
		not   []state
	}{
		{"nothing was done", nil, []state{nothing}, []state{deleted, visible("a")}},
		{"versions: an acknowledged write is not lost", []*done{at(0, 1, a1, acknowledged)},
			[]state{visible("a").v(1)}, []state{nothing, deleted.v(1), visible("b").v(1), visible("a").v(2)}},
		{"versions: a deletion is not undone", []*done{at(0, 1, a1, acknowledged), at(2, 3, delete2, acknowledged)},
			[]state{deleted.v(2)}, []state{visible("a").v(1), nothing}},
		{"versions: a write that comes late", []*done{at(0, 1, delete2, acknowledged), late(2, 3, a1)},
			[]state{deleted.v(2)}, []state{visible("a").v(1)}},
		{"versions: at the same one deletion wins", []*done{at(0, 1, delete3, acknowledged), late(2, 3, a3)},
			[]state{deleted.v(3)}, []state{visible("a").v(3)}},
		{"versions: a later one that failed may be there", []*done{at(0, 1, a1, acknowledged), at(2, 3, delete2, failed)},
			[]state{visible("a").v(1), deleted.v(2)}, []state{nothing, hidden.v(2)}},
		{"versions: an earlier one that failed is not", []*done{at(0, 1, delete2, acknowledged), at(2, 3, a1, failed)},
			[]state{deleted.v(2)}, []state{visible("a").v(1), nothing}},
		{"versions: only failed ones", []*done{at(0, 1, a1, failed), at(2, 3, hide2, failed)},
			[]state{nothing, visible("a").v(1), hidden.v(2)}, []state{deleted.v(2)}},
		{"versions: not reached", []*done{at(0, 1, a1, unreached)}, []state{nothing}, []state{visible("a").v(1)}},
		{"no versions: the last one", []*done{at(0, 1, registerA, acknowledged), at(2, 3, registerB, acknowledged)},
			[]state{visible("b")}, []state{visible("a"), nothing, deleted}},
		{"no versions: a deletion is not undone", []*done{at(0, 1, registerA, acknowledged), at(2, 3, call{verb: remove}, acknowledged)},
			[]state{deleted}, []state{visible("a"), nothing}},
		{"no versions: either of two at once", []*done{at(0, 3, registerA, acknowledged), at(2, 5, registerB, acknowledged)},
			[]state{visible("a"), visible("b")}, []state{nothing}},
		{"no versions: a later one refused", []*done{at(0, 1, registerA, acknowledged), at(2, 3, call{verb: removeIf, label: "b"}, refused)},
			[]state{visible("a")}, []state{deleted}},
		{"no versions: a failed one does not come back", []*done{at(0, 1, registerA, failed), at(2, 3, registerB, acknowledged)},
			[]state{visible("b")}, []state{visible("a"), nothing}},
		{"no versions: an unanswered one may come late", []*done{at(0, 1, registerA, unanswered), at(2, 3, registerB, acknowledged)},
			[]state{visible("a"), visible("b")}, []state{nothing}},
		{"no versions: an unanswered one does not outlive its server", []*done{
			killedAt(0, 1, 2, registerA), at(3, 4, call{number: 1, verb: hide}, acknowledged), at(5, 6, registerB, acknowledged),
		}, []state{visible("b")}, []state{visible("a"), nothing}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(strings.HasPrefix(tt.name, "versions"), tt.calls)
			for _, s := range tt.may {
				if _, ok := m.allows(0, s); !ok {
					t.Errorf("%v is not allowed, want it to be: %s", s, m.explain(0))
				}
			}
			for _, s := range tt.not {
				if _, ok := m.allows(0, s); ok {
					t.Errorf("%v is allowed, want it not to be: %s", s, m.explain(0))
				}
			}
			if wrong := m.problems(); len(wrong) > 0 {
				t.Errorf("the answers are called wrong: %q", wrong)
			}
		})
	}
}

// TestModelOfTheWay has the model judge what calls were answered.
func TestModelOfTheWay(t *testing.T) {
	registerA, removeB := call{verb: register, label: "a"}, call{verb: removeIf, label: "b"}
	a1, a3, delete2 := call{verb: register, label: "a", version: 1}, call{verb: register, label: "a", version: 3}, call{verb: remove, version: 2}
	tests := []struct {
		name  string
		calls []*done
		wrong string // a part of what the model says, or "" for nothing
	}{
		{"found", []*done{at(0, 1, registerA, acknowledged), shown(2, 3, "a")}, ""},
		{"not found before", []*done{shown(0, 1, ""), at(2, 3, registerA, acknowledged)}, ""},
		{"found or not found at the time", []*done{at(0, 3, registerA, acknowledged), shown(1, 2, ""), shown(1, 2, "a")}, ""},
		{"a failed one may be found", []*done{at(0, 1, registerA, failed), shown(2, 3, "a"), shown(4, 5, "")}, ""},
		{"an acknowledged one is not found", []*done{at(0, 1, registerA, acknowledged), shown(2, 3, "")}, "was not registered at the time"},
		{"a deleted one is found", []*done{
			at(0, 1, registerA, acknowledged), at(2, 3, call{verb: remove}, acknowledged), shown(4, 5, "a"),
		}, "was not registered at the time"},
		{"versions: a deleted one is found", []*done{
			at(0, 1, delete2, acknowledged), late(2, 3, a1), shown(4, 5, "a"),
		}, "was not registered at the time"},
		{"a hidden one is found", []*done{at(0, 1, call{verb: hide}, acknowledged), shown(2, 3, "a")}, "was not registered at the time"},
		{"found before it was registered", []*done{shown(0, 1, "a"), at(2, 3, registerA, acknowledged)}, "was not registered at the time"},
		{"another label, refused", []*done{at(0, 1, registerA, acknowledged), at(2, 3, removeB, refused)}, ""},
		{"nothing registered, deleted", []*done{at(0, 1, removeB, acknowledged)}, ""},
		{"another label, deleted", []*done{at(0, 1, registerA, acknowledged), at(2, 3, removeB, acknowledged)}, "another label was registered"},
		{"nothing registered, refused", []*done{at(0, 1, removeB, refused)}, "no other label was registered"},
		{"versions: applied over a later one", []*done{at(0, 1, a3, acknowledged), at(2, 3, delete2, acknowledged)}, "a later one was acknowledged before"},
		{"versions: late without a later one", []*done{late(0, 1, delete2), at(2, 3, a3, acknowledged)}, "no later one was made"},
		{"no versions: late", []*done{late(0, 1, registerA)}, "always the latest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wrong := newModel(strings.HasPrefix(tt.name, "versions"), tt.calls).problems()
			if tt.wrong == "" && len(wrong) > 0 || tt.wrong != "" && !slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, tt.wrong) }) {
				t.Errorf("got %q, want %q", wrong, tt.wrong)
			}
		})
	}
}
