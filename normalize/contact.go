package normalize

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on what one contact may bring, so that a hostile or damaged file costs a bounded amount of memory.
const (
	maxName    = 256  // bytes of a name; what is longer is cut
	maxNumbers = 100  // numbers of a contact; the rest is dropped and reported
	maxNumber  = 1024 // bytes of a raw number; a longer one is dropped and reported
)

// ErrFormat is returned for input that is neither a vCard file, nor CSV with phone numbers, nor a list of numbers.
var ErrFormat = errors.New("normalize: not an address book: neither vCard nor CSV nor a list of numbers")

// Contact is one entry of an address book.
type Contact struct {
	Name    string   // for showing only: one line of UTF-8, at most 256 bytes, may be ""
	Numbers []string // as written, in the order of the file; at most 100 of at most 1024 bytes; may be nil
	Place   Place    // where the entry stands in the file
}

// Place is a position in an address book.
type Place struct {
	Line int // the first line, from 1
	Card int // the ordinal of the card or row, from 1, broken ones and not the CSV header counted
}

func (p Place) String() string {
	return fmt.Sprintf("card %d, line %d", p.Card, p.Line)
}

// CardError says that a card or row, or part of it, could not be read. What could be read of it comes before the error
// as a Contact with the same Place.
type CardError struct {
	Place   Place
	Problem string // one of a fixed set of texts, which contain nothing of the input
}

const (
	problemNoEnd    = "the card has no END"
	problemNoBegin  = "the card has no BEGIN"
	problemLongLine = "a line is too long"
	problemEncoding = "a phone number could not be decoded"
	problemNumbers  = "there are more than 100 phone numbers"
	problemQuote    = "a quotation mark is not closed"
	problemRow      = "the row could not be read"
)

func (e *CardError) Error() string {
	return "normalize: " + e.Place.String() + ": " + e.Problem
}

// addNumber appends a raw number unless it is blank, and returns the problem with it or "".
func (c *Contact) addNumber(raw string) string {
	raw = strings.TrimSpace(raw)
	switch {
	case raw == "":
		return ""
	case len(raw) > maxNumber:
		return problemLongLine
	case len(c.Numbers) == maxNumbers:
		return problemNumbers
	}
	c.Numbers = append(c.Numbers, raw)
	return ""
}

// cleanName makes one line of a name that can be shown: white space is folded, control characters and those that turn
// the direction of the text around it are dropped, and the length is capped.
func cleanName(s string) string {
	if len(s) > 8*maxName { // before it is looked at character by character
		s = s[:8*maxName]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Cc, r), r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxName {
		return s
	}
	cut := maxName
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.TrimSpace(s[:cut])
}

// nameParts are the parts of a person's name in a structured field, as written.
type nameParts struct {
	prefix, given, middle, family, suffix string
}

// String puts the parts in the order in which they are spoken. Names in Chinese, Japanese and Korean script have the
// family name first and no space.
func (n nameParts) String() string {
	if eastAsian(n.family) && eastAsian(n.given) {
		return n.family + n.given
	}
	return strings.Join(strings.Fields(strings.Join([]string{n.prefix, n.given, n.middle, n.family, n.suffix}, " ")), " ")
}

func eastAsian(s string) bool {
	for _, r := range s {
		if !unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) {
			return false
		}
	}
	return s != ""
}

// firstOf returns the first of the names that is not blank, cleaned.
func firstOf(names ...string) string {
	for _, name := range names {
		if name = cleanName(name); name != "" {
			return name
		}
	}
	return ""
}
