package normalize

import (
	"regexp"
	"strings"
	"unicode"
)

// datePattern is a day as spreadsheets write it: digits and number punctuation that are no phone number.
var datePattern = regexp.MustCompile(`^(\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4})( |T|$)`)

// likeNumber reports whether a cell or line of unknown meaning looks like a phone number: 7 to 17 digits and
// punctuation.
func likeNumber(cell string) bool {
	if len(cell) > maxInput || datePattern.MatchString(strings.TrimSpace(cell)) {
		return false
	}
	s, reason := extract(cell)
	if reason != "" || strings.ContainsFunc(cell, unicode.IsLetter) && !strings.HasPrefix(fold(cell), "tel:") {
		return false
	}
	digits, plain := compact(s)
	digits = strings.TrimPrefix(digits, "+")
	return plain && len(digits) >= 7 && len(digits) <= 17
}

// guessLayout finds the columns that hold phone numbers, and the first one that holds names, from the cells. It
// returns false if no column has numbers in most of its cells.
func guessLayout(sample []record) (layout, bool) {
	l := layout{names: map[nameRole]int{}}
	for column := range widest(sample) {
		filled, numbers, texts := countCells(sample, column)
		switch {
		case numbers > 0 && 10*numbers >= 6*filled:
			l.phones = append(l.phones, column)
		case texts > 0 && 10*texts >= 6*filled:
			if _, taken := l.names[roleFull]; !taken {
				l.names[roleFull] = column
			}
		}
	}
	return l, len(l.phones) > 0
}

func widest(sample []record) int {
	n := 0
	for _, rec := range sample {
		n = max(n, len(rec.fields))
	}
	return n
}

// countCells returns how many cells of a column are not blank, and how many of these look like a phone number, and
// like a name.
func countCells(sample []record, column int) (filled, numbers, texts int) {
	for _, rec := range sample {
		if column >= len(rec.fields) || strings.TrimSpace(rec.fields[column]) == "" {
			continue
		}
		filled++
		cell := rec.fields[column]
		switch {
		case likeNumber(cell):
			numbers++
		case strings.ContainsFunc(cell, unicode.IsLetter) && !strings.Contains(cell, "@"):
			texts++
		}
	}
	return filled, numbers, texts
}

// guessDelimiter returns the one of tab, semicolon and comma that is most frequent in the first line of head that is
// not blank, outside quotation marks; a comma if there is none.
func guessDelimiter(head string) byte {
	line, _, _ := strings.Cut(strings.TrimLeft(head, "\r\n \t"), "\n")
	best, most := byte(','), 0
	for _, delimiter := range []byte("\t;,") {
		quoted, n := false, 0
		for i := range len(line) {
			if line[i] == '"' {
				quoted = !quoted
			} else if line[i] == delimiter && !quoted {
				n++
			}
		}
		if n > most {
			best, most = delimiter, n
		}
	}
	return best
}
