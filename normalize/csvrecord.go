package normalize

import (
	"encoding/csv"
	"strings"
)

// Limits on one record, that is, on how far a quoted cell may go on over lines.
const (
	maxRecord      = 256 << 10 // bytes
	maxRecordLines = 1000
)

// recordReader cuts CSV text into records before encoding/csv parses them one by one. Given the whole text, that
// package would take one quotation mark that somebody forgot for the start of a cell that ends with the file.
type recordReader struct {
	lines   lineReader
	comma   byte
	pending []csvLine // lines that were read in search of a closing quotation mark, and come again
}

type csvLine struct {
	text   string
	number int
	cut    bool
}

// record is a CSV record, or what was wrong with it.
type record struct {
	fields  []string
	line    int // its first
	problem string
}

// next returns the next record that is not blank, or false at the end. A broken record is the line it starts on; what
// stands behind that line is read anew.
func (r *recordReader) next() (record, bool) {
	for {
		first, ok := r.line()
		if !ok {
			return record{}, false
		}
		rec := record{line: first.number}
		if first.cut {
			rec.problem = problemLongLine
			return rec, true
		}
		text, ok := r.complete(first)
		if !ok {
			rec.problem = problemQuote
			return rec, true
		}
		if strings.Trim(text, " \t"+string(r.comma)) == "" {
			continue
		}
		rec.fields, rec.problem = r.split(text)
		return rec, true
	}
}

func (r *recordReader) line() (csvLine, bool) {
	if len(r.pending) > 0 {
		l := r.pending[0]
		r.pending = r.pending[1:]
		return l, true
	}
	text, cut, ok := r.lines.next()
	if !ok {
		return csvLine{}, false
	}
	return csvLine{text: toUTF8(text, ""), number: r.lines.line, cut: cut}, true
}

// complete returns first with the lines that its quoted cells go on over, or false if they do not end.
func (r *recordReader) complete(first csvLine) (string, bool) {
	state := scanQuotes(first.text, r.comma, false)
	if state == cellsClosed {
		return first.text, true
	}
	text := []byte(first.text)
	var more []csvLine
	for state == cellOpen && len(text) <= maxRecord && len(more) < maxRecordLines {
		l, ok := r.line()
		if !ok {
			break
		}
		more = append(more, l)
		text = append(append(text, '\n'), l.text...)
		if state = scanQuotes(l.text, r.comma, true); l.cut {
			break
		}
	}
	if state == cellsClosed && !more[len(more)-1].cut {
		return string(text), true
	}
	r.pending = append(more, r.pending...)
	return "", false
}

func (r *recordReader) split(text string) (fields []string, problem string) {
	c := csv.NewReader(strings.NewReader(text))
	c.Comma = rune(r.comma)
	c.LazyQuotes = true
	c.FieldsPerRecord = -1
	fields, err := c.Read()
	if err != nil {
		return nil, problemRow
	}
	return fields, ""
}

// quoteState is what is known of the quoted cells of a line at its end.
type quoteState int

const (
	cellsClosed quoteState = iota
	cellOpen               // the last one goes on in the next line
	cellBroken             // there is a quotation mark that must have been forgotten
)

// scanQuotes follows the quoted cells of a line, as encoding/csv does with LazyQuotes; inside says that it starts in
// one. A mark that is neither doubled nor at the end of its cell may stand in a cell of one line ("Bob "the" Smith"); in
// one that goes on over lines it is taken for the start of another cell, so for a sign that this one never ended.
func scanQuotes(s string, comma byte, inside bool) quoteState {
	for {
		if !inside && !strings.HasPrefix(s, `"`) {
			next := strings.IndexByte(s, comma)
			if next < 0 {
				return cellsClosed
			}
			s = s[next+1:]
			continue
		}
		if !inside {
			s = s[1:]
		}
		end, stray := closingQuote(s, comma)
		switch {
		case stray && (inside || end < 0):
			return cellBroken
		case end < 0:
			return cellOpen
		case end+1 >= len(s):
			return cellsClosed
		}
		s, inside = s[end+2:], false
	}
}

// closingQuote returns the place of the quotation mark that ends the cell, or -1, and whether there are marks before
// it that neither end it nor are doubled.
func closingQuote(s string, comma byte) (end int, stray bool) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '"':
		case i+1 == len(s) || s[i+1] == comma:
			return i, stray
		case s[i+1] == '"':
			i++
		default:
			stray = true
		}
	}
	return -1, stray
}
