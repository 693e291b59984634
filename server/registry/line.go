package registry

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/directory"
)

// maxLine bounds a line of an import, bytes without its end.
const maxLine = 4 << 10

// Reason says why a line can not be imported. The values are stable machine codes: one of those below, or for its number
// that of package normalize.
type Reason string

const (
	ReasonFields   Reason = "fields"         // not as many fields as the first line has, which are two or three
	ReasonQuotes   Reason = "quotes"         // a quote that is not closed on its line, or in the middle of a field
	ReasonLength   Reason = "line-too-long"  // more than 4,096 bytes
	ReasonEncoding Reason = "not-utf-8"      // bytes that are no text
	ReasonLabel    Reason = "label-too-long" // more than crypto.MaxLabelSize bytes
	ReasonVersion  Reason = "version"        // not a number from 1 to directory.VersionEnd-1
	ReasonDamaged  Reason = "damaged-record" // what is stored of the number can not be read, which only writing it shows
)

var explanations = map[Reason]string{
	ReasonFields:   "A line is NUMBER,LABEL, or NUMBER,LABEL,VERSION in all lines; a label with a comma goes in quotes.",
	ReasonQuotes:   "A quote is not closed on its line, or stands in the middle of a field.",
	ReasonLength:   "The line has more than 4096 bytes.",
	ReasonEncoding: "The line is not UTF-8.",
	ReasonLabel:    "The label has more than 47 bytes.",
	ReasonDamaged:  "What is stored of this number is damaged, so that it can not be told which is later.",
	ReasonVersion:  "The version is not a whole number from 1 to 2^53-1.",
}

// Explain returns one sentence in English.
func (r Reason) Explain() string {
	if text, ok := explanations[r]; ok {
		return text
	}
	return normalize.Reason(r).Explain()
}

// lineParser reads lines of one import.
type lineParser struct {
	region string // of numbers in national form, or ""
	asOf   uint64 // version of lines without one
	fields int    // of each line, 0 before the first
}

// parse reads a line without its end, NUMBER,LABEL or NUMBER,LABEL,VERSION. It returns a reason, or "" and a registration.
func (p *lineParser) parse(line []byte) (Registration, Reason) {
	if len(line) > maxLine {
		return Registration{}, ReasonLength
	}
	if !utf8.Valid(line) {
		return Registration{}, ReasonEncoding
	}
	var fields [3]string
	n, reason := split(string(line), &fields)
	if reason != "" {
		return Registration{}, reason
	}
	if n != p.fields && p.fields != 0 || n < 2 || n > 3 {
		return Registration{}, ReasonFields
	}
	reg := Registration{Label: fields[1], Version: p.asOf}
	if n == 3 {
		version, err := strconv.ParseUint(fields[2], 10, 64)
		switch {
		case err != nil && p.fields == 0:
			return Registration{}, ReasonFields // rather a label with a comma
		case err != nil || version == 0 || version >= directory.VersionEnd:
			return Registration{}, ReasonVersion
		}
		reg.Version = version
	}
	p.fields = n
	if crypto.CheckLabel(reg.Label) != nil {
		return Registration{}, ReasonLabel
	}
	reg.Number, reason = e164(fields[0], p.region)
	if reason != "" {
		return Registration{}, reason
	}
	return reg, ""
}

// split takes the fields of a line apart, and returns how many there are, those beyond the room in fields too. A field may be
// quoted as RFC 4180 has it.
func split(line string, fields *[3]string) (n int, _ Reason) {
	for {
		var field string
		field, rest, more, ok := cutField(line)
		if !ok {
			return 0, ReasonQuotes
		}
		if n < len(fields) {
			fields[n] = field
		}
		n++
		if !more {
			return n, ""
		}
		line = rest
	}
}

// cutField takes the first field off a line. It reports whether a comma follows it, and false for wrong quotes.
func cutField(line string) (field, rest string, more, ok bool) {
	if !strings.HasPrefix(line, `"`) {
		field, rest, more = strings.Cut(line, ",")
		return field, rest, more, !strings.Contains(field, `"`)
	}
	line = line[1:]
	for {
		head, tail, closed := strings.Cut(line, `"`)
		field += head
		switch {
		case !closed:
			return "", "", false, false
		case tail == "":
			return field, "", false, true
		case tail[0] == ',':
			return field, tail[1:], true, true
		case tail[0] != '"':
			return "", "", false, false
		}
		field += `"`
		line = tail[1:]
	}
}

// e164 returns the number under which a text is registered, or why there is none. What is in international form without
// punctuation, as a dump of a database has it, is only checked: package normalize promises that reading it as people write
// numbers gives the same.
func e164(text, region string) (string, Reason) {
	if number, err := normalize.ParseE164(text); err == nil {
		return number, ""
	}
	return e164ByReading(text, region)
}

// e164ByReading is e164 without the shortcut.
func e164ByReading(text, region string) (string, Reason) {
	number, err := normalize.Parse(text, region)
	if e, ok := errors.AsType[*normalize.Error](err); ok {
		return "", Reason(e.Reason)
	}
	return number.E164, ""
}

// isHeader reports whether a line names its fields.
func isHeader(line []byte) bool {
	text := strings.ToLower(string(bytes.TrimSpace(line)))
	return text == "number,label" || text == "number,label,version"
}
