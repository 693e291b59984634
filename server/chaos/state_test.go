package chaos

import (
	"fmt"
	"time"

	"github.com/kith-project/kith/server/directory"
)

// state is what is registered for a number. The zero state is nothing, not even a tombstone.
type state struct {
	format  directory.Format
	label   string // of a visible one
	version uint64 // 0 if the server assigned it and it does not matter
}

func (s state) String() string {
	text := "nothing"
	switch s.format {
	case directory.Visible:
		text = fmt.Sprintf("visible %q", s.label)
	case directory.Hidden:
		text = "hidden"
	case directory.Deleted:
		text = "deleted"
	}
	if s.version != 0 {
		text += fmt.Sprintf(" v%d", s.version)
	}
	return text
}

// same reports whether two states differ in nothing but a version that one of them does not give.
func (s state) same(o state) bool {
	if s.version == 0 || o.version == 0 {
		s.version, o.version = 0, 0
	}
	return s == o
}

// over reports whether s wins over o, both with versions: by these, and at the same one by format.
func (s state) over(o state) bool {
	return s.version > o.version || s.version == o.version && s.format > o.format
}

// number returns the i-th phone number of a history.
func number(i int) string { return fmt.Sprintf("+1415555%04d", 100+i) }

// never is later than anything in a history.
const never = time.Duration(1<<63 - 1)
