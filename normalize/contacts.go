package normalize

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"strings"
)

// sniffSize is how much of a file ReadContacts looks at to recognise it, in bytes.
const sniffSize = 4096

// ReadContacts reads an address book of any kind that ReadVCard and ReadCSV know, or a list of phone numbers one a
// line, and finds out itself which it is. It yields what they yield. What it does not recognise gives ErrFormat, an
// empty file nothing.
func ReadContacts(r io.Reader) iter.Seq2[Contact, error] {
	return func(yield func(Contact, error) bool) {
		br := openText(r)
		head, err := br.Peek(sniffSize)
		if bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(head, '\n') < 0 {
			br = bufio.NewReader(oldMac{br})
			head, err = br.Peek(sniffSize)
		}
		switch {
		case len(bytes.TrimSpace(head)) == 0 && err == io.EOF:
		case len(head) == 0 && err != nil:
			yield(Contact{}, fmt.Errorf("normalize: reading contacts: %w", err))
		case looksLikeVCard(head):
			readVCard(br, yield)
		case looksBinary(head):
			yield(Contact{}, ErrFormat)
		case looksLikeList(head, err == io.EOF):
			readList(br, yield)
		default:
			readCSV(br, yield)
		}
	}
}

// oldMac reads text whose lines end with CR alone, as before Mac OS X, with LF in its place.
type oldMac struct{ r io.Reader }

func (o oldMac) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	for i, b := range p[:n] {
		if b == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// looksBinary finds control characters that no text has: archives (so also .xlsx), images, databases.
func looksBinary(head []byte) bool {
	return bytes.ContainsFunc(head, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != '\v'
	})
}

func looksLikeVCard(head []byte) bool {
	for line := range bytes.Lines(head) {
		if propertyName(line) == "BEGIN" && endsProperty(bytes.TrimSpace(line)) {
			return true
		}
	}
	return false
}

// looksLikeList reports whether every line of head is one phone number. The last line counts only if it is whole.
func looksLikeList(head []byte, whole bool) bool {
	numbers := 0
	for line := range bytes.Lines(head) {
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case !whole && !bytes.HasSuffix(line, []byte("\n")):
		case !likeNumber(string(line)):
			return false
		default:
			numbers++
		}
	}
	return numbers > 0
}

// readList reads phone numbers, one a line.
func readList(br *bufio.Reader, yield func(Contact, error) bool) {
	lines := lineReader{br: br}
	for card := 1; ; {
		text, _, ok := lines.next()
		if !ok {
			break
		}
		raw := strings.TrimSpace(strings.ToValidUTF8(string(text), "\uFFFD"))
		if raw == "" {
			continue
		}
		c := Contact{Place: Place{Line: lines.line, Card: card}}
		card++
		if problem := c.addNumber(raw); problem != "" {
			if !yield(Contact{}, &CardError{Place: c.Place, Problem: problem}) {
				return
			}
		} else if !yield(c, nil) {
			return
		}
	}
	if lines.err != nil {
		yield(Contact{}, fmt.Errorf("normalize: reading a list of numbers: %w", lines.err))
	}
}
