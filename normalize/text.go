package normalize

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxLine is the longest line that is read whole, in bytes; of a longer one only the start is. It is also the size of
// the read buffer.
const maxLine = 64 << 10

// stickyReader repeats its first error: bufio forgets an error that Peek has seen.
type stickyReader struct {
	r   io.Reader
	err error
}

func (s *stickyReader) Read(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(b)
	s.err = err
	return n, err
}

// openText returns r without byte order mark, and in UTF-8 if it was UTF-16. 8-bit texts stay as they are: vCards name
// their character set line by line.
func openText(r io.Reader) *bufio.Reader {
	br := bufio.NewReaderSize(&stickyReader{r: r}, maxLine)
	head, _ := br.Peek(64)
	if bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")) {
		br.Discard(3) // it was peeked, so it is there
		return br
	}
	order, ok := utf16Order(head)
	if !ok {
		return br
	}
	decoder := unicode.UTF16(order, unicode.UseBOM).NewDecoder()
	return bufio.NewReaderSize(&stickyReader{r: transform.NewReader(br, decoder)}, maxLine)
}

// utf16Order recognises UTF-16 by its byte order mark, or by the zero in one half of nearly each character.
func utf16Order(head []byte) (unicode.Endianness, bool) {
	if bytes.HasPrefix(head, []byte("\xFF\xFE")) {
		return unicode.LittleEndian, true
	}
	if bytes.HasPrefix(head, []byte("\xFE\xFF")) {
		return unicode.BigEndian, true
	}
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	most := len(head) / 2 * 3 / 4
	switch {
	case most > 0 && zeros[0] == 0 && zeros[1] >= most:
		return unicode.LittleEndian, true
	case most > 0 && zeros[1] == 0 && zeros[0] >= most:
		return unicode.BigEndian, true
	}
	return unicode.BigEndian, false
}

// toUTF8 decodes b from the named character set, or without one, or with an unknown one, as UTF-8 if it is valid and
// as windows-1252 if it is not: what programs on Windows write without saying so.
func toUTF8(b []byte, charset string) string {
	if charset != "" {
		if enc, err := htmlindex.Get(charset); err == nil && enc != unicode.UTF8 {
			if s, err := enc.NewDecoder().Bytes(b); err == nil {
				return string(s)
			}
		}
	}
	if utf8.Valid(b) {
		return string(b)
	}
	s, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return string(bytes.ToValidUTF8(b, []byte("\uFFFD")))
	}
	return string(s)
}

// lineReader reads physical lines and counts them.
type lineReader struct {
	br   *bufio.Reader
	line int    // the number of the line that next returned last
	head []byte // the start of a line that did not fit br
	err  error  // why the lines ended, nil for the end of the file
}

// next returns the next line without its line ending, or false at the end. The line is valid until the next call. cut
// reports that it was longer than maxLine; then text is its start, and the rest has been discarded.
func (l *lineReader) next() (text []byte, cut, ok bool) {
	text, err := l.br.ReadSlice('\n')
	if len(text) == 0 {
		l.fail(err)
		return nil, false, false
	}
	l.line++
	if err == bufio.ErrBufferFull {
		l.head = append(l.head[:0], text...)
		text, cut = l.head, true
		for err == bufio.ErrBufferFull {
			_, err = l.br.ReadSlice('\n')
		}
	}
	if err != nil {
		l.fail(err) // a last line without line ending: the reader repeats its error, if it is one
	}
	return bytes.TrimRight(text, "\r\n"), cut, true
}

func (l *lineReader) fail(err error) {
	if err != io.EOF {
		l.err = err
	}
}
