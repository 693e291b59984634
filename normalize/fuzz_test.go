package normalize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"+14155552671", "(415) 555-2671 x12", "tel:7946-0123;phone-context=+44-20", "1-800-FLOWERS", "*31#030 23125123",
		"\u202a+１ ４１５ 555 2671\u202c", "٠١٠ ١٢٣٤٥٦٧٨", "+54 9 11 15 2345 6789", "0xx11 6123-4567", "044 55 1234 5678",
		"8~10 44 20 7946 0123", "0044 (0)20 7946 0123", "030 23125123 (дом)", "112", "+", ";", "tel:;phone-context=+",
	} {
		for _, region := range []string{"", "US", "DE", "MX", "AR", "BR"} {
			f.Add(s, region)
		}
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		n, err := Parse(raw, region)
		if err == nil {
			checkNumber(t, n)
			return
		}
		checkRefusal(t, err, raw)
		if n.E164 != "" || n.Alternates != nil {
			t.Errorf("a number beside the error: %+v", n)
		}
	})
}

// checkRefusal checks that err is a known reason and shows none of the input.
func checkRefusal(t *testing.T, err error, raw string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("error of type %T", err)
	}
	if err.Error() != "normalize: phone number refused: "+string(refused.Reason) {
		t.Errorf("error text %q is not fixed", err)
	}
	if strings.ContainsAny(err.Error(), "0123456789") {
		t.Errorf("error text %q has digits", err)
	}
	if refused.Reason.Explain() == ReasonNotANumber.Explain() && refused.Reason != ReasonNotANumber {
		t.Errorf("unknown reason %q for %q", refused.Reason, raw)
	}
}

func FuzzParseE164(f *testing.F) {
	for _, s := range []string{"+14155552671", "+5215512345678", "+551161234567", "+49030231251", "+390612345678", "+", "",
		"+8001234567890123", "+70000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseE164(s)
		if err != nil {
			checkRefusal(t, err, s)
			if _, err := RegionOf(s); err == nil {
				t.Errorf("RegionOf knows %q, ParseE164 refuses it", s)
			}
			return
		}
		if got != s || !utf8.ValidString(s) || len(s) > 1+maxDigits {
			t.Errorf("ParseE164(%q) = %q", s, got)
		}
		n, err := Parse(s, "")
		if err != nil {
			t.Fatalf("ParseE164 accepts %q, Parse does not: %v", s, err)
		}
		checkNumber(t, n)
	})
}

// addExports seeds a fuzz target with the files of testdata.
func addExports(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// checkContacts checks what every reader promises of what it yields, and that the size of the reader's pieces makes no
// difference.
func checkContacts(t *testing.T, read func(io.Reader) iter.Seq2[Contact, error], data []byte) {
	var first []string
	last := Place{}
	var ended error
	for c, err := range read(bytes.NewReader(data)) {
		if ended != nil {
			t.Fatalf("more after %v", ended)
		}
		var broken *CardError
		switch {
		case errors.As(err, &broken):
			checkPlace(t, &last, broken.Place)
		case err != nil:
			if ended = err; err != ErrFormat {
				t.Errorf("error %v without one of the reader", err)
			}
		default:
			checkPlace(t, &last, c.Place)
			checkContact(t, c)
		}
		first = append(first, fmt.Sprintf("%+v %v", c, err))
	}
	var second []string
	for c, err := range read(iotest.HalfReader(bytes.NewReader(data))) {
		second = append(second, fmt.Sprintf("%+v %v", c, err))
	}
	compareLines(t, second, first)
}

// checkPlace checks that places go forward from last, and sets it.
func checkPlace(t *testing.T, last *Place, p Place) {
	if p.Line < 1 || p.Card < 1 || p.Line < last.Line || p.Card < last.Card || p.Card > last.Card+1 {
		t.Errorf("%v after %v", p, *last)
	}
	*last = p
}

func checkContact(t *testing.T, c Contact) {
	if len(c.Name) > maxName || !utf8.ValidString(c.Name) || strings.ContainsAny(c.Name, "\r\n\x00\x1b") {
		t.Errorf("name %q", c.Name)
	}
	if len(c.Numbers) > maxNumbers {
		t.Errorf("%d numbers", len(c.Numbers))
	}
	for _, raw := range c.Numbers {
		if raw == "" || len(raw) > maxNumber || !utf8.ValidString(raw) {
			t.Errorf("number %q", raw)
		}
	}
}

func FuzzReadVCard(f *testing.F) {
	addExports(f)
	f.Add([]byte("BEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nEND:VCARD\nTEL;QUOTED-PRINTABLE:=2B=\n1\nBEGIN:VCARD\nFN;BASE64:QQ==\n"))
	f.Fuzz(func(t *testing.T, data []byte) { checkContacts(t, ReadVCard, data) })
}

func FuzzReadCSV(f *testing.F) {
	addExports(f)
	f.Add([]byte("sep=|\nname|tel\n\"A|1\n\"B\"|\"2\n3\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) { checkContacts(t, ReadCSV, data) })
}

func FuzzReadContacts(f *testing.F) {
	addExports(f)
	f.Add([]byte("\xaa00000000")) // no UTF-8
	f.Add([]byte("\xFF\xFE1\x002\x003\x004\x005\x006\x007\x00\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) { checkContacts(t, ReadContacts, data) })
}
