package normalize

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
)

// A property is one logical line of a vCard: folded lines and soft line breaks joined, nothing decoded.
type property struct {
	name  string // upper case, without the group before a dot
	head  string // name and parameters, as written
	value []byte // what stands behind the colon; valid until the next property is read
	line  int    // of its start
	cut   bool   // the line was longer than maxLine, and value is its start
}

// propertyReader finds the properties that contacts are made of, and runs over all others without keeping them:
// photos, sounds and certificates are most of what a vCard file weighs.
type propertyReader struct {
	lines      lineReader
	buf        []byte       // the logical line so far
	last       physicalLine // valid until the next is read
	again      bool         // last is not used yet: it is the start of the next property
	keepsFolds bool         // the card is of version 2.1, see readRest
}

type physicalLine struct {
	text []byte
	cut  bool
}

// wanted reports whether a property is one that next returns.
func wanted(name string) bool {
	switch name {
	case "BEGIN", "END", "VERSION", "FN", "N", "ORG", "NICKNAME", "TEL", "AGENT":
		return true
	}
	return false
}

// next returns the next property of a wanted name, or false at the end of the text.
func (r *propertyReader) next() (property, bool) {
	for r.readLine() {
		p := property{name: propertyName(r.last.text), line: r.lines.line}
		// A line that is no property is text that lost its folding, or base64 written without folding.
		if p.name == "" {
			continue
		}
		r.readRest(&p)
		if !wanted(p.name) {
			continue
		}
		colon := valueColon(r.buf)
		if colon < 0 {
			continue
		}
		p.head, p.value = string(r.buf[:colon]), r.buf[colon+1:]
		return p, true
	}
	return property{}, false
}

func (r *propertyReader) readLine() bool {
	if r.again {
		r.again = false
		return true
	}
	var ok bool
	r.last.text, r.last.cut, ok = r.lines.next()
	return ok
}

// readRest gathers in r.buf the lines that belong to p. Of a property that is not wanted it gathers the parameters
// alone: whether it is quoted-printable decides where it ends.
func (r *propertyReader) readRest(p *property) {
	r.buf = append(r.buf[:0], r.last.text...)
	p.cut = r.last.cut
	keep := wanted(p.name)
	inValue := valueColon(r.buf) >= 0
	quoted := inValue && isQuotedPrintable(r.buf)
	soft := quoted && softBreak(r.last.text)
	for r.readLine() {
		text := r.last.text
		switch {
		case soft && !endsProperty(text):
			if keep && len(r.buf) > 0 && r.buf[len(r.buf)-1] == '=' {
				r.buf = r.buf[:len(r.buf)-1]
			}
		case len(text) > 0 && (text[0] == ' ' || text[0] == '\t'):
			// Version 2.1 folds before white space that belongs to the text, later ones insert one character.
			if !r.keepsFolds {
				text = text[1:]
			}
		default:
			r.again = true
			return
		}
		p.cut = p.cut || r.last.cut
		if keep || !inValue {
			r.gather(p, text)
		}
		if !inValue {
			inValue = valueColon(r.buf) >= 0
			quoted = inValue && isQuotedPrintable(r.buf)
		}
		soft = quoted && softBreak(text)
	}
}

func (r *propertyReader) gather(p *property, text []byte) {
	if len(r.buf)+len(text) > maxLine {
		p.cut = true
		return
	}
	r.buf = append(r.buf, text...)
}

func softBreak(text []byte) bool {
	return bytes.HasSuffix(text, []byte("="))
}

// endsProperty reports whether text is a line that no soft break can swallow: a card that was damaged inside a
// quoted-printable value must not take its END, or the next card, with it.
func endsProperty(text []byte) bool {
	name := propertyName(text)
	return (name == "END" || name == "BEGIN") && isVCard(text[valueColon(text)+1:])
}

func isVCard(value []byte) bool {
	return strings.EqualFold(string(bytes.TrimSpace(value)), "VCARD")
}

// propertyName returns the name of the property that starts on a line, in upper case and without group, or "" if none
// starts there.
func propertyName(text []byte) string {
	i := bytes.IndexAny(text, ":;")
	if i < 1 || i > 100 {
		return ""
	}
	name := text[:i]
	for _, c := range name {
		if c != '-' && c != '_' && c != '.' && !('0' <= c && c <= '9') && !('a' <= c|0x20 && c|0x20 <= 'z') {
			return ""
		}
	}
	return strings.ToUpper(string(name[bytes.LastIndexByte(name, '.')+1:]))
}

// valueColon returns the place of the colon that ends the parameters, or -1. Parameters in quotation marks may have
// colons; if a mark is not closed, the first colon counts.
func valueColon(text []byte) int {
	quoted := false
	for i, c := range text {
		if c == '"' {
			quoted = !quoted
		} else if c == ':' && !quoted {
			return i
		}
	}
	return bytes.IndexByte(text, ':')
}

func isQuotedPrintable(line []byte) bool {
	return parseParams(string(line[:valueColon(line)])).encoding == "QUOTED-PRINTABLE"
}

// params are those parameters of a property that say how its value is written.
type params struct {
	encoding string // "", "QUOTED-PRINTABLE" or "BASE64"
	charset  string
}

// parseParams reads the parameters in head. Version 2.1 writes encodings without their parameter's name.
func parseParams(head string) params {
	var p params
	_, head, _ = strings.Cut(head, ";")
	for param := range strings.SplitSeq(head, ";") {
		name, value, named := strings.Cut(param, "=")
		value = strings.ToUpper(strings.Trim(value, `" `))
		switch name = strings.ToUpper(strings.TrimSpace(name)); {
		case name == "CHARSET":
			p.charset = value
		case name == "ENCODING" && value == "B":
			p.encoding = "BASE64"
		case name == "ENCODING":
			p.encoding = value
		case !named && (name == "QUOTED-PRINTABLE" || name == "BASE64"):
			p.encoding = name
		}
	}
	return p
}

// text decodes the value of p to UTF-8, escapes left in place. If it does not decode it returns the value as it is,
// and false.
func (p property) text() (string, bool) {
	params := parseParams(p.head)
	value, ok := p.value, true
	switch params.encoding {
	case "QUOTED-PRINTABLE":
		decoded, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(p.value)))
		if ok = err == nil; ok {
			value = decoded
		}
	case "BASE64":
		packed := bytes.Join(bytes.Fields(p.value), nil)
		decoded, err := base64.StdEncoding.AppendDecode(nil, packed)
		if ok = err == nil; ok {
			value = decoded
		}
	}
	return toUTF8(value, params.charset), ok
}

// splitEscaped splits a value at each sep that has no backslash before it, and resolves the escapes of the parts.
func splitEscaped(s string, sep byte) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`\;,:nN`, s[i+1]) >= 0:
			i++
			if c = s[i]; c == 'n' || c == 'N' {
				c = '\n'
			}
			b.WriteByte(c)
		case c == sep && sep != 0:
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(parts, b.String())
}

// unescape resolves the escapes of a value that is not divided.
func unescape(s string) string {
	return splitEscaped(s, 0)[0]
}
