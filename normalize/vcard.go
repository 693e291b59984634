package normalize

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// ReadVCard reads a vCard file of version 2.1, 3.0 or 4.0 with any number of cards. For each card it yields the
// Contact, or a *CardError, or both if part of the card was lost; a card without END counts as one of which part may be
// lost. Cards nested as AGENT are skipped, they are somebody else's. Text outside cards is ignored, but a file without
// any card gives ErrFormat. An error of r ends the sequence.
//
// Lines end in LF or CRLF. Memory stays below 1 MiB whatever the file holds. The sequence can be used once.
func ReadVCard(r io.Reader) iter.Seq2[Contact, error] {
	return func(yield func(Contact, error) bool) {
		readVCard(openText(r), yield)
	}
}

func readVCard(br *bufio.Reader, yield func(Contact, error) bool) {
	c := cardReader{yield: yield, properties: propertyReader{lines: lineReader{br: br}}}
	c.run()
	switch err := c.properties.lines.err; {
	case c.stopped:
	case err != nil:
		yield(Contact{}, fmt.Errorf("normalize: reading vCards: %w", err))
	case c.cards == 0 && c.properties.lines.line > 0:
		yield(Contact{}, ErrFormat)
	}
}

// cardReader makes contacts of properties.
type cardReader struct {
	properties propertyReader
	yield      func(Contact, error) bool
	stopped    bool // yield asked for no more

	cards  int  // cards seen so far, the open one included
	open   bool // between BEGIN and END
	nested bool // inside a card that is the value of an AGENT property
	agent  bool // the last property was an AGENT whose value is to come
	stray  int  // the line of a property that stands before any BEGIN, 0 if there is none

	contact           Contact
	problems          []string
	fn, org, nickname string
	n                 nameParts
}

func (c *cardReader) run() {
	for !c.stopped {
		p, ok := c.properties.next()
		if !ok {
			break
		}
		isAgent := false
		switch {
		case p.name == "BEGIN":
			if isVCard(p.value) {
				c.begin(p)
			}
		case p.name == "END":
			if isVCard(p.value) {
				c.end(p)
			}
		case c.nested:
		case !c.open:
			if c.stray == 0 && p.name != "VERSION" {
				c.stray = p.line
			}
		case p.name == "AGENT":
			isAgent = strings.TrimSpace(string(p.value)) == ""
		default:
			c.add(p)
		}
		c.agent = isAgent
	}
	if c.open && !c.stopped {
		c.finish(problemNoEnd)
	}
}

func (c *cardReader) begin(p property) {
	if c.open && c.agent {
		c.nested = true
		return
	}
	if c.open {
		c.finish(problemNoEnd)
	}
	c.cards++
	c.open, c.nested, c.stray = true, false, 0
	c.contact = Contact{Place: Place{Line: p.line, Card: c.cards}}
	c.problems, c.fn, c.org, c.nickname, c.n = nil, "", "", "", nameParts{}
	c.properties.keepsFolds = false
}

func (c *cardReader) end(p property) {
	switch {
	case c.nested:
		c.nested = false
	case c.open:
		c.finish("")
	case c.stray > 0:
		c.cards++
		c.report(&CardError{Place: Place{Line: c.stray, Card: c.cards}, Problem: problemNoBegin})
		c.stray = 0
	}
}

// finish yields the open card, and then what was wrong with it.
func (c *cardReader) finish(problem string) {
	c.open = false
	c.problem(problem)
	c.contact.Name = firstOf(c.fn, c.n.String(), c.org, c.nickname)
	nothing := c.contact.Name == "" && c.contact.Numbers == nil
	if (!nothing || len(c.problems) == 0) && !c.stopped {
		c.stopped = !c.yield(c.contact, nil)
	}
	for _, p := range c.problems {
		c.report(&CardError{Place: c.contact.Place, Problem: p})
	}
}

func (c *cardReader) report(err *CardError) {
	if !c.stopped {
		c.stopped = !c.yield(Contact{}, err)
	}
}

// problem notes what was lost of the open card, each kind once.
func (c *cardReader) problem(text string) {
	if text != "" && !slices.Contains(c.problems, text) {
		c.problems = append(c.problems, text)
	}
}

// add takes a property into the open card.
func (c *cardReader) add(p property) {
	text, ok := p.text()
	if p.name == "TEL" {
		c.addNumber(p, text, ok)
		return
	}
	// A name that is too long, or does not decode, is shown as far as it goes: nobody is looked up by it.
	switch p.name {
	case "VERSION":
		c.properties.keepsFolds = strings.TrimSpace(text) == "2.1"
	case "FN":
		setOnce(&c.fn, unescape(text))
	case "N":
		if c.n == (nameParts{}) {
			c.n = parseName(text)
		}
	case "ORG":
		setOnce(&c.org, splitEscaped(text, ';')[0]) // the rest are departments
	case "NICKNAME":
		setOnce(&c.nickname, unescape(text))
	}
}

func (c *cardReader) addNumber(p property, text string, decoded bool) {
	switch {
	case p.cut:
		c.problem(problemLongLine)
	case !decoded:
		c.problem(problemEncoding)
	default:
		c.problem(c.contact.addNumber(unescape(text)))
	}
}

func setOnce(s *string, value string) {
	if *s == "" {
		*s = cleanName(value)
	}
}

// parseName reads the value of N: family, given and additional names, prefixes, suffixes; each may be a list.
func parseName(text string) nameParts {
	var part [5]string
	for i, s := range splitEscaped(text, ';') {
		if i < len(part) {
			part[i] = cleanName(s)
		}
	}
	return nameParts{family: part[0], given: part[1], middle: part[2], prefix: part[3], suffix: part[4]}
}
