package normalize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-vcard"
)

func TestReadVCard(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, tt := range []struct {
		name, body string // between BEGIN and END, in LF
		want       []string
	}{
		{"nothing", "", []string{"card 1, line 1:  | "}},
		{"name only", "FN:Ada\n", []string{"card 1, line 1: Ada | "}},
		{"bare parameters", "TEL;CELL;VOICE;PREF:+1 2\n", []string{"card 1, line 1:  | +1 2"}},
		{"no space behind the name", "tel;cell:1\nTel:2\n", []string{"card 1, line 1:  | 1 | 2"}},
		{"groups", "a.b.TEL:1\nITEM2.FN:Ada\n", []string{"card 1, line 1: Ada | 1"}},
		{"quoted parameter", "TEL;TYPE=\"a:b;c\";X=y:1\n", []string{"card 1, line 1:  | 1"}},
		{"folded inside parameters", "TEL;TYPE=CELL;\n TYPE=VOICE:1\n", []string{"card 1, line 1:  | 1"}},
		{"folded with a tab", "FN:Ad\n\ta\n", []string{"card 1, line 1: Ada | "}},
		{"folded in 2.1", "VERSION:2.1\nFN:Ada\n Lovelace\n", []string{"card 1, line 1: Ada Lovelace | "}},
		{"folded inside a character", "FN:\xC3\n \xA9ric\n", []string{"card 1, line 1: éric | "}},
		{"escapes", "FN:A\\, B\\; C\\\\D\\nE\n", []string{`card 1, line 1: A, B; C\D E | `}},
		{"N for FN", "N:Lovelace;Ada;King;Lady;\n", []string{"card 1, line 1: Lady Ada King Lovelace | "}},
		{"escaped semicolon in N", "N:Love\\;lace;Ada\n", []string{"card 1, line 1: Ada Love;lace | "}},
		{"Korean N", "N:김;민수;;;\n", []string{"card 1, line 1: 김민수 | "}},
		{"ORG for a name", "ORG:Acme;Sales\n", []string{"card 1, line 1: Acme | "}},
		{"nickname for a name", "NICKNAME:Ace\n", []string{"card 1, line 1: Ace | "}},
		{"FN wins", "NICKNAME:Ace\nORG:Acme\nN:L;A\nFN:\nFN:Ada\n", []string{"card 1, line 1: Ada | "}},
		{"control and direction characters", "FN:\x1b[31mA\u202ed\x00a\n", []string{"card 1, line 1: [31mAda | "}},
		{"long name", "FN:" + strings.Repeat("é", 200) + "\n", []string{"card 1, line 1: " + strings.Repeat("é", 128) + " | "}},
		{"quoted-printable", "FN;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen\n", []string{"card 1, line 1: Jürgen | "}},
		{"quoted-printable, bare", "FN;QUOTED-PRINTABLE;CHARSET=utf-8:J=C3=BCrgen\n", []string{"card 1, line 1: Jürgen | "}},
		{"quoted-printable number", "TEL;CELL;ENCODING=QUOTED-PRINTABLE:=2B1=\n 2\n", []string{"card 1, line 1:  | +1 2"}},
		{"soft breaks", "FN;ENCODING=QUOTED-PRINTABLE:Ad=\n=\na=20=\nL\nTEL:1\n", []string{"card 1, line 1: Ada L | 1"}},
		{"soft break in front of END", "TEL;ENCODING=QUOTED-PRINTABLE:1=\n", []string{"card 1, line 1:  | 1"}},
		{"equals sign at the end without quoted-printable", "FN:a=\nTEL:1\n", []string{"card 1, line 1: a= | 1"}},
		{"note in quoted-printable", "NOTE;QUOTED-PRINTABLE:a=\nTEL:9=\nEND:X\nTEL:1\n", []string{"card 1, line 1:  | 1"}},
		{"damaged quoted-printable name", "FN;ENCODING=QUOTED-PRINTABLE:J=ZZ\n", []string{"card 1, line 1: J=ZZ | "}},
		{"damaged base64 number", "FN:A\nTEL;ENCODING=B:!!!!\nTEL:2\n",
			[]string{"card 1, line 1: A | 2", "card 1, line 1! a phone number could not be decoded"}},
		{"latin-1", "FN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:J=FCrgen\n", []string{"card 1, line 1: Jürgen | "}},
		{"Shift JIS", "FN;CHARSET=SHIFT_JIS:\x8E\x52\x93\x63\n", []string{"card 1, line 1: 山田 | "}},
		{"unknown charset", "FN;CHARSET=X-NOTHING:Ada\n", []string{"card 1, line 1: Ada | "}},
		{"windows-1252 without saying so", "FN:J\xFCrgen \x80\n", []string{"card 1, line 1: Jürgen € | "}},
		{"base64 name", "FN;ENCODING=b:QWRh\n", []string{"card 1, line 1: Ada | "}},
		{"base64 photo without folding", "PHOTO;BASE64:\nQUJD\nTEL0\n\nTEL:1\n", []string{"card 1, line 1:  | 1"}},
		{"photo in one line", "PHOTO:" + strings.Repeat("A", 300<<10) + "\nTEL:1\n", []string{"card 1, line 1:  | 1"}},
		{"other properties", "X-TEL:1\nTELX:2\nIMPP:tel:3\nX-PHONETIC-LAST-NAME:x\n", []string{"card 1, line 1:  | "}},
		{"blank numbers", "TEL:\nTEL: \nTEL:1\n", []string{"card 1, line 1:  | 1"}},
		{"agent inline", "AGENT:BEGIN:VCARD\\nTEL:9\\nEND:VCARD\nTEL:1\n", []string{"card 1, line 1:  | 1"}},
		{"agent nested", "AGENT:\nBEGIN:VCARD\nFN:B\nTEL:9\nEND:VCARD\nFN:A\n", []string{"card 1, line 1: A | "}},
		{"agent by reference", "AGENT;VALUE=uri:cid:1\nTEL:1\n", []string{"card 1, line 1:  | 1"}},
		{"BEGIN of something else", "BEGIN:VEVENT\nEND:VEVENT\nTEL:1\n", []string{"card 1, line 1:  | 1"}},
		{"long number", "TEL:" + strings.Repeat("1", 1025) + "\nTEL:1\n",
			[]string{"card 1, line 1:  | 1", "card 1, line 1! a line is too long"}},
		{"number beyond a line", "TEL;X=" + long + ":1\nFN:A\n", []string{"card 1, line 1: A | "}},
		{"number cut by the limit", "TEL:" + long + "\nFN:A\n",
			[]string{"card 1, line 1: A | ", "card 1, line 1! a line is too long"}},
		{"name folded over the limit", "FN:A\n" + strings.Repeat(" "+long[:70]+"\n", 1000),
			[]string{"card 1, line 1: A" + long[:255] + " | "}},
		{"too many numbers", strings.Repeat("TEL:1\n", 102), []string{"card 1, line 1:  | " + strings.Repeat("1 | ", 99) + "1",
			"card 1, line 1! there are more than 100 phone numbers"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			card := "BEGIN:VCARD\n" + tt.body + "END:VCARD\n"
			compareLines(t, describe(strings.NewReader(card)), tt.want)
			crlf := strings.ReplaceAll(card, "\n", "\r\n")
			compareLines(t, describe(strings.NewReader(crlf)), tt.want)
		})
	}
}

func TestReadVCardNoCards(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", nil},
		{"text", "Ada,+14155550100\n", ErrFormat},
	} {
		var got error
		for _, err := range ReadVCard(strings.NewReader(tt.in)) {
			got = err
		}
		if !errors.Is(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestAgreesWithLibrary compares ReadVCard with go-vcard on cards that both can read.
func TestAgreesWithLibrary(t *testing.T) {
	var file bytes.Buffer
	encoder := vcard.NewEncoder(&file)
	names := []string{"Ada Lovelace", "A, B; C", `back\slash`, "Jürgen Müller-Lüdenscheidt, der Ältere", "山田 太郎"}
	for i, name := range names {
		card := vcard.Card{}
		card.SetValue(vcard.FieldFormattedName, name)
		card.AddValue(vcard.FieldTelephone, fmt.Sprintf("+1 415 555 01%02d", i))
		card.Add(vcard.FieldTelephone, &vcard.Field{Value: "tel:+1-415-555-0199", Group: "item1",
			Params: vcard.Params{"TYPE": {"home", "cell"}, "VALUE": {"uri"}}})
		vcard.ToV4(card)
		if err := encoder.Encode(card); err != nil {
			t.Fatal(err)
		}
	}
	decoder := vcard.NewDecoder(bytes.NewReader(file.Bytes()))
	for c, err := range ReadVCard(&file) {
		card, decodeErr := decoder.Decode()
		if err != nil || decodeErr != nil {
			t.Fatal(err, decodeErr)
		}
		// Its decoder leaves escaped semicolons as they are.
		wantName := strings.ReplaceAll(card.Value(vcard.FieldFormattedName), `\;`, ";")
		if c.Name != wantName || !slices.Equal(c.Numbers, card.Values(vcard.FieldTelephone)) {
			t.Errorf("got %q %q, go-vcard reads %q %q", c.Name, c.Numbers, wantName, card.Values(vcard.FieldTelephone))
		}
	}
	if _, err := decoder.Decode(); err != io.EOF {
		t.Errorf("go-vcard has cards left: %v", err)
	}
}

// TestLibraryDoesNotFit holds the reasons for which go-vcard does not read the cards here. If it fails, the library has
// learned something: look again whether this package still needs its own reader.
func TestLibraryDoesNotFit(t *testing.T) {
	for _, tt := range []struct{ name, body, field, want string }{
		{"bare parameters", "TEL;CELL;VOICE:+14155550100\n", vcard.FieldTelephone, "+14155550100"},
		{"quoted-printable", "FN;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen\n", vcard.FieldFormattedName, "Jürgen"},
		{"soft line break", "FN;ENCODING=QUOTED-PRINTABLE:Ada=\nLovelace\n", vcard.FieldFormattedName, "AdaLovelace"},
		{"no END", "FN:Ada\nBEGIN:VCARD\nFN:Bob\n", vcard.FieldFormattedName, "Bob"},
	} {
		card, err := vcard.NewDecoder(strings.NewReader("BEGIN:VCARD\n" + tt.body + "END:VCARD\n")).Decode()
		if err == nil && card.Value(tt.field) == tt.want {
			t.Errorf("%s: go-vcard reads it", tt.name)
		}
	}
}

// photoBook is a vCard file of some size, made while it is read: cards of 250 kB, nearly all of it photo.
type photoBook struct {
	size int // bytes left, about
	card int
	rest []byte
}

// photoLines is the folded base64 of one photo.
var photoLines = bytes.Repeat([]byte(" "+strings.Repeat("QUJD", 18)+"\r\n"), 250<<10/75)

func (b *photoBook) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.size <= 0 {
			return 0, io.EOF
		}
		b.card++
		b.rest = fmt.Appendf(b.rest[:0:0], "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Person %d\r\nTEL;TYPE=CELL:+1415555%04d\r\n"+
			"PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ\r\n%sEND:VCARD\r\n", b.card, 100+b.card%100, photoLines)
		b.size -= len(b.rest)
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// TestMemory reads a file of 50 MB (20 MB under the race detector, which is ten times slower) and watches what is kept. That
// is measured after a collection each time: how much garbage lies about follows the load of the machine.
func TestMemory(t *testing.T) {
	const limit = 4 << 20
	book := &photoBook{size: memoryTestBytes}
	kept := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before, peak, cards := kept(), uint64(0), 0
	for c, err := range ReadContacts(book) {
		if err != nil || len(c.Numbers) != 1 {
			t.Fatalf("card %d: %d numbers, %v", cards, len(c.Numbers), err)
		}
		if cards++; cards%10 == 0 {
			peak = max(peak, kept())
		}
	}
	if cards != book.card || peak == 0 {
		t.Fatalf("%d cards of %d, peak %d", cards, book.card, peak)
	}
	t.Logf("%d cards, %d MB, %.1f MB kept, %.1f MB of them before", cards, memoryTestBytes>>20, float64(peak)/(1<<20), float64(before)/(1<<20))
	if peak > before+limit {
		t.Errorf("%d bytes are kept while reading, want at most %d", peak-before, limit)
	}
}

func BenchmarkReadVCard(b *testing.B) {
	for _, bm := range []struct {
		name string
		file []byte
	}{
		{"photos", mustReadAll(&photoBook{size: 5 << 20})},
		{"plain", bytes.Repeat([]byte("BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\n"+
			"TEL;TYPE=CELL:+1 415-555-0132\r\nEMAIL:ada@example.com\r\nEND:VCARD\r\n"), 10000)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.file)))
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range ReadVCard(bytes.NewReader(bm.file)) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func mustReadAll(r io.Reader) []byte {
	data, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return data
}
