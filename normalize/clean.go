package normalize

import (
	"net/url"
	"strings"
	"unicode"
)

// clean turns what people paste into a phone field into what a number is made of: ASCII digits, '+', '-', '/', '.',
// '(', ')', spaces, and letters as they are. Invisible characters go: phones wrap numbers in bidi marks when one
// copies them (U+202A ... U+202C on Android and iPhone), web pages put soft hyphens and zero-width spaces into them.
func clean(raw string) string {
	var b strings.Builder
	b.Grow(len(raw))
	for _, r := range raw {
		if r = cleanRune(r); r >= 0 {
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// cleanRune maps one character; -1 drops it.
func cleanRune(r rune) rune {
	switch {
	case r >= ' ' && r <= '~':
		return r
	case unicode.IsSpace(r):
		return ' '
	case unicode.In(r, unicode.Cf, unicode.Cc, unicode.Mn, unicode.Me):
		return -1 // also U+FE0F and U+20E3, which make an emoji of a digit
	case unicode.Is(unicode.Nd, r):
		return digitOf(r)
	case r >= '\uFF01' && r <= '\uFF5E':
		return r - '\uFF01' + '!' // fullwidth forms of ASCII
	case strings.ContainsRune("\uFE62\u207A\u2795", r):
		return '+' // small, superscript and heavy plus
	case unicode.Is(unicode.Pd, r), r == '\u2212': // and the minus sign
		return '-'
	case strings.ContainsRune("\u00B7\u2022\u2219\u22C5", r):
		return '.' // dots in the middle of the line
	case r == '\u2044', r == '\u2215': // fraction and division slash
		return '/'
	}
	return r
}

// digitOf returns the ASCII digit of a decimal digit of any script. Unicode keeps each script's digits together, from
// zero to nine, so the place in the range is the value (TestDigitRanges).
func digitOf(r rune) rune {
	for _, rg := range unicode.Nd.R16 {
		if lo := rune(rg.Lo); r >= lo && r <= rune(rg.Hi) {
			return '0' + (r-lo)%10
		}
	}
	for _, rg := range unicode.Nd.R32 {
		if lo := rune(rg.Lo); r >= lo && r <= rune(rg.Hi) {
			return '0' + (r-lo)%10
		}
	}
	return r
}

// stripURI takes the number out of a tel: URI of RFC 3966, parameters and all, and returns other texts as they are. A
// phone-context that is a global prefix is put before a local number.
func stripURI(s string) string {
	if len(s) < 4 || !strings.EqualFold(s[:4], "tel:") {
		return s
	}
	s = strings.TrimLeft(s[4:], "/") // tel:// is wrong, and common
	if decoded, err := url.PathUnescape(s); err == nil {
		s = decoded
	}
	number, params, _ := strings.Cut(s, ";")
	if strings.HasPrefix(strings.TrimSpace(number), "+") {
		return number
	}
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(name, "phone-context") && strings.HasPrefix(value, "+") {
			return value + number
		}
	}
	return number
}

// stripDialString cuts off what is dialled after the connection stands: everything from a pause (',' or ';', or 'p'
// or 'w' between digits) on. Three digits must come first.
func stripDialString(s string) string {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case digits < 3:
		case c == ',' || c == ';':
			return s[:i]
		case strings.IndexByte("pPwW", c) >= 0 && isDialString(s[i+1:]):
			return s[:i]
		}
	}
	return s
}

func isDialString(s string) bool {
	return s != "" && strings.Trim(s, "0123456789*#pPwW,; ") == ""
}

// trimToNumber drops what stands around a number: labels before it ("Tel. ") and punctuation behind it.
func trimToNumber(s string) string {
	start := strings.IndexAny(s, "+*#0123456789")
	if start < 0 {
		return ""
	}
	if start > 0 && s[start-1] == '(' {
		start--
	}
	return strings.TrimRightFunc(s[start:], func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '#'
	})
}

// compact removes the punctuation of a number, and reports whether nothing but digits, and a plus before them, is
// left.
func compact(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '+' && len(b) == 0:
			b = append(b, c)
		case strings.IndexByte(" -./()[]~", c) >= 0:
		default:
			return "", false
		}
	}
	return string(b), true
}

// beforeLetters returns s up to its first letter behind a digit, and whether there is one.
func beforeLetters(s string) (string, bool) {
	first := strings.IndexAny(s, "0123456789")
	if first < 0 {
		return s, false
	}
	n := strings.IndexFunc(s[first:], unicode.IsLetter)
	if n < 0 {
		return s, false
	}
	return s[:first+n], true
}
