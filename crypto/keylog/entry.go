package keylog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Event is what an entry says of its epoch.
type Event string

const (
	// EventEpoch enters the public key of a new epoch, before it is used.
	EventEpoch Event = "epoch"
	// EventAborted says that the epoch was given up before it was used, and never will be.
	EventAborted Event = "aborted"
)

// PublicKeySize is the length of the public key of an epoch in bytes.
const PublicKeySize = 32

const (
	entryHeader = "kith-keylog/1"
	timeLayout  = "2006-01-02T15:04:05.000Z"
	maxSuite    = 64
)

// Entry is one entry of the log.
type Entry struct {
	Event Event
	// Epoch is the number of the epoch, from 1.
	Epoch uint32
	// Suite names the ciphersuite of the key, such as "ristretto255-SHA512"; empty for EventAborted.
	Suite string
	// PublicKey is the public key of the epoch; zero for EventAborted.
	PublicKey [PublicKeySize]byte
	// Time is when the entry was made, in whole milliseconds, in the years 0 to 9999.
	Time time.Time
}

// String returns the text of the entry, which is the leaf of the tree: lines that end in newlines,
//
//	kith-keylog/1
//	event epoch
//	epoch 2
//	suite ristretto255-SHA512
//	public-key <44 characters of base64>
//	time 2026-11-25T01:02:03.004Z
//
// without suite and public-key for EventAborted. The time is in UTC and cut to milliseconds. The text of an entry that
// is out of its bounds is one that ParseEntry refuses.
func (e Entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nevent %s\nepoch %d\n", entryHeader, e.Event, e.Epoch)
	if e.Event == EventEpoch {
		fmt.Fprintf(&b, "suite %s\npublic-key %s\n", e.Suite, base64.StdEncoding.EncodeToString(e.PublicKey[:]))
	}
	fmt.Fprintf(&b, "time %s\n", e.Time.UTC().Format(timeLayout))
	return b.String()
}

// ParseEntry is the inverse of Entry.String. It returns ErrTooLarge for a text longer than MaxEntry, and ErrEntry for
// one that String does not make, byte for byte.
func ParseEntry(text string) (Entry, error) {
	if len(text) > MaxEntry {
		return Entry{}, ErrTooLarge
	}
	lines := strings.Split(text, "\n")
	field := func(i int, name string) string {
		if i >= len(lines) {
			return ""
		}
		value, _ := strings.CutPrefix(lines[i], name+" ")
		return value
	}
	e := Entry{Event: Event(field(1, "event"))}
	last := 3
	switch e.Event {
	case EventEpoch:
		last = 5
		e.Suite = field(3, "suite")
		key, err := base64.StdEncoding.DecodeString(field(4, "public-key"))
		if err != nil || len(key) != PublicKeySize || !validSuite(e.Suite) {
			return Entry{}, ErrEntry
		}
		copy(e.PublicKey[:], key)
	case EventAborted:
	default:
		return Entry{}, ErrEntry
	}
	epoch, err := strconv.ParseUint(field(2, "epoch"), 10, 32)
	if err != nil || epoch == 0 {
		return Entry{}, ErrEntry
	}
	e.Epoch = uint32(epoch)
	if e.Time, err = time.Parse(timeLayout, field(last, "time")); err != nil {
		return Entry{}, ErrEntry
	}
	// Whatever the parsing above was lenient about, one entry has one text.
	if e.String() != text {
		return Entry{}, ErrEntry
	}
	return e, nil
}

// validSuite reports whether s is a name of 1 to 64 letters, digits, dots, hyphens and underscores.
func validSuite(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= maxSuite
}
