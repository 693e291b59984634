package normalize

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"strings"
)

// sampleRecords is how many records at the start of a file are looked at to find out what its columns are.
const sampleRecords = 50

// ReadCSV reads address books as Google and Outlook export them, and tables in general: separated by comma, semicolon
// or tab, in UTF-8, UTF-16 or windows-1252. Columns are found by their headings, and without known headings by what is
// in them. A cell may hold several numbers, one a line or separated by ":::".
//
// For each row it yields the Contact, or a *CardError for a row that is broken, or both if it has too many numbers.
// A table without phone numbers gives ErrFormat. An error of r ends the sequence, which can be used once.
func ReadCSV(r io.Reader) iter.Seq2[Contact, error] {
	return func(yield func(Contact, error) bool) {
		readCSV(openText(r), yield)
	}
}

func readCSV(br *bufio.Reader, yield func(Contact, error) bool) {
	comma, directive := openCSV(br)
	records := recordReader{lines: lineReader{br: br}, comma: comma}
	if directive {
		records.lines.next()
	}
	sample := readSample(&records)
	if l, header, ok := findLayout(sample); ok {
		c := rowReader{layout: l, yield: yield}
		c.rows(sample[header:], &records)
		if c.stopped {
			return
		}
	} else if len(sample) > 0 && records.lines.err == nil {
		yield(Contact{}, ErrFormat)
		return
	}
	if err := records.lines.err; err != nil {
		yield(Contact{}, fmt.Errorf("normalize: reading CSV: %w", err))
	}
}

// openCSV finds the delimiter, and whether the first line is Excel's directive that names it ("sep=;").
func openCSV(br *bufio.Reader) (comma byte, directive bool) {
	head, _ := br.Peek(maxLine)
	line, _, _ := strings.Cut(string(head[:min(len(head), 16)]), "\n")
	if sep, ok := strings.CutPrefix(strings.ToLower(strings.TrimRight(line, "\r")), "sep="); ok && len(sep) == 1 &&
		strings.Contains(",;\t|", sep) {
		return sep[0], true
	}
	return guessDelimiter(string(head)), false
}

func readSample(records *recordReader) []record {
	var sample []record
	for len(sample) < sampleRecords {
		rec, ok := records.next()
		if !ok {
			break
		}
		sample = append(sample, rec)
	}
	return sample
}

// findLayout returns the layout of a file and how many of its first records are header, 0 or 1. It returns false if
// no column has phone numbers, by its heading or by its cells.
func findLayout(sample []record) (l layout, header int, ok bool) {
	if len(sample) == 0 || sample[0].problem != "" {
		l, ok = guessLayout(sample)
		return l, 0, ok
	}
	l, named := readHeader(sample[0].fields)
	if named && len(l.phones) > 0 {
		return l, 1, true
	}
	guessed, found := guessLayout(sample[1:])
	switch {
	case named:
		// Names are where the headings say, numbers where they are.
		l.phones = guessed.phones
		return l, 1, found
	case found && !anyNumber(sample[0].fields):
		return guessed, 1, true // headings in a language that is not known here
	}
	guessed, found = guessLayout(sample)
	return guessed, 0, found
}

func anyNumber(fields []string) bool {
	for _, field := range fields {
		if likeNumber(field) {
			return true
		}
	}
	return false
}

// rowReader makes contacts of records.
type rowReader struct {
	layout  layout
	yield   func(Contact, error) bool
	stopped bool // yield asked for no more
	row     int
}

// rows yields those of sample and then those that are left.
func (c *rowReader) rows(sample []record, rest *recordReader) {
	for _, rec := range sample {
		if c.add(rec); c.stopped {
			return
		}
	}
	for {
		rec, ok := rest.next()
		if !ok {
			return
		}
		if c.add(rec); c.stopped {
			return
		}
	}
}

func (c *rowReader) add(rec record) {
	c.row++
	contact := Contact{Place: Place{Line: rec.line, Card: c.row}}
	problem := rec.problem
	if problem == "" {
		contact.Name = c.layout.name(rec.fields)
		problem = c.numbers(&contact, rec.fields)
		c.stopped = !c.yield(contact, nil)
	}
	if problem != "" && !c.stopped {
		c.stopped = !c.yield(Contact{}, &CardError{Place: contact.Place, Problem: problem})
	}
}

// numbers adds those in the phone columns to contact, and returns the last problem with one of them or "".
func (c *rowReader) numbers(contact *Contact, fields []string) string {
	var problem string
	for _, column := range c.layout.phones {
		if column >= len(fields) {
			continue
		}
		for line := range strings.SplitSeq(fields[column], "\n") {
			for raw := range strings.SplitSeq(line, ":::") {
				if p := contact.addNumber(raw); p != "" {
					problem = p
				}
			}
		}
	}
	return problem
}
