package normalize

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// describe writes what a reader yields, one line each.
func describe(r io.Reader) []string {
	var lines []string
	for c, err := range ReadContacts(r) {
		var broken *CardError
		switch {
		case errors.As(err, &broken):
			lines = append(lines, fmt.Sprintf("%v! %s", broken.Place, broken.Problem))
		case err != nil:
			lines = append(lines, err.Error())
		default:
			lines = append(lines, fmt.Sprintf("%v: %s | %s", c.Place, c.Name, strings.Join(c.Numbers, " | ")))
		}
	}
	return lines
}

// TestExports reads testdata: files in the manner of each program, with names of computing history and numbers
// reserved for fiction.
func TestExports(t *testing.T) {
	for _, tt := range []struct {
		file string
		want []string
	}{
		{"android-21.vcf", []string{
			"card 1, line 1: Anaïs Étoile | 01 99 00 12 34 | +33199005678 | 0199009999",
			"card 2, line 19: Ada Lovelace | +4917604069012 | 03023125001",
			"card 3, line 30: 山田太郎 | \u202a070 1740 605\u202c",
		}},
		{"broken.csv", []string{
			"card 1, line 2: First | +14155550151",
			"card 2, line 3! a quotation mark is not closed",
			"card 3, line 4: Third | +14155550153",
			"card 4, line 5: Four \"4\" th | +14155550154",
			"card 5, line 6! a quotation mark is not closed",
			"card 6, line 7: +14155550155 | ",
			"card 7, line 8: Sixth | +14155550156",
		}},
		{"broken.vcf", []string{
			"card 1, line 2: First Complete | +14155550151",
			"card 2, line 7: Second Without End | +14155550152",
			"card 2, line 7! the card has no END",
			"card 3, line 11: Third | +14155550153",
			"card 3, line 11! a phone number could not be decoded",
			"card 4, line 20! the card has no BEGIN",
			"card 5, line 25: Fifth | ",
			"card 6, line 29: Sixth | +14155550156",
			"card 7, line 34: Last | +14155550157",
			"card 7, line 34! the card has no END",
		}},
		{"google-30.vcf", []string{
			"card 1, line 1: Margaret Hamilton | +1 617-555-0102 | +1 617-555-0103 | 617-555-0104",
			"card 2, line 13: Katherine Johnson, PhD | 757-555-0105",
			"card 3, line 21:  | +442079460001",
		}},
		{"google-new.csv", []string{
			"card 1, line 2: Frances Allen | +1 212-555-0171 | +1 212-555-0172 | +1 212-555-0173",
			"card 2, line 3: 山田太郎 | 070-1740 605",
			"card 3, line 4: Jimmy | +442079460174",
		}},
		{"google-old.csv", []string{
			"card 1, line 2: Barbara Liskov | +1 617-555-0161 | +1 617-555-0162 | (617) 555-0163",
			"card 2, line 4: Corner Shop | 020 7946 0164",
			"card 3, line 5: Dr. Ken Thompson Jr. | ",
		}},
		{"headerless.csv", []string{
			"card 1, line 1: Grace Hopper | 415-555-0132",
			"card 2, line 2: Alan Turing | 020 7946 0958",
			"card 3, line 3: Lovelace, Ada | ",
		}},
		{"iphone-30.vcf", []string{
			"card 1, line 1: Rear Adm. Grace Brewster Hopper | +1 (415) 555-0132 | (415) 555-0133 | \u202a(212) 555‑0134\u202c",
			"card 2, line 36: Pizza & Söhne | 030 231 25 456",
			"card 3, line 46: Alan Turing | +44 20 7946 0958",
		}},
		{"numbers.txt", []string{
			"card 1, line 1:  | +1 415-555-0132",
			"card 2, line 3:  | tel:+442079460958;ext=7",
			"card 3, line 4:  | 030 23125 123",
		}},
		{"outlook-21.vcf", []string{
			"card 1, line 1: Jürgen Müller | +49 (30) 23125-000 | 0171 / 39 200 12 | +49 (30) 23125-999",
			"card 2, line 33: Zoë Weiß | 030 23125 111",
		}},
		{"outlook-de-semicolon.csv", []string{
			"card 1, line 2: Jürgen Müller | 030 23125 999 | 030 23125 001 | 030/23125-002 | 0171 39200 12",
			"card 2, line 3: Zoë Maria Weiß | 030 23125 003",
		}},
		{"outlook-es.csv", []string{
			"card 1, line 2: Inés Núñez | +54 11 2345-6789 | 011 15-2345-6781 | +52 1 55 1234 5678",
		}},
		{"outlook-fr.csv", []string{
			"card 1, line 2: Anaïs Étoile | 01 99 00 00 02 | 01 99 00 00 03 | 01 99 00 00 04",
		}},
		{"outlook.csv", []string{
			"card 1, line 2: Seán Ó Briain | (01) 209 0123",
			"card 2, line 4: Hedy Lamarr III | +1 310-555-0181 | 310-555-0182 | 310-555-0183 | (310) 555-0184",
		}},
		{"sheet-utf16.txt", []string{
			"card 1, line 2: An Đặng | 030 23125 191 | 0171 39200 13",
			"card 2, line 3: Άννα Ωμέγα | +46 70 174 06 05",
		}},
		{"v40.vcf", []string{
			"card 1, line 1: Radia Perlman | tel:+1-415-555-0141;ext=5102 | tel:555-0142;phone-context=+1-415 | (415) 555-0143",
			"card 2, line 13: sophie wilson | TEL:+442079460144",
			"card 3, line 18: ABC, Inc. | +14155550145",
		}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			compareLines(t, describe(strings.NewReader(string(data))), tt.want)
			compareLines(t, describe(iotest.OneByteReader(strings.NewReader(string(data)))), tt.want)
		})
	}
}

func compareLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestReadContacts(t *testing.T) {
	const format = "normalize: not an address book: neither vCard nor CSV nor a list of numbers"
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"blank", " \r\n\t\n", nil},
		{"byte order mark alone", "\xEF\xBB\xBF", nil},
		{"prose", "Dear Ada,\nthank you for your letter.\n", []string{format}},
		{"HTML", "<!DOCTYPE html>\n<html><body>+14155550100</body></html>\n", []string{format}},
		{"JSON", `{"name": "Ada", "age": 36}`, []string{format}},
		{"spreadsheet archive", "PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", []string{format}},
		{"calendar", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", []string{format}},
		{"table without numbers", "Name,City\nAda,London\n", []string{format}},
		{"list, one number", "+14155550100", []string{"card 1, line 1:  | +14155550100"}},
		{"list in windows line endings", "+14155550100\r\n\r\n030 23125 123\r\n",
			[]string{"card 1, line 1:  | +14155550100", "card 2, line 3:  | 030 23125 123"}},
		{"list with a label", "+14155550100\n+14155550101\nMom\n+14155550102\n",
			[]string{"card 1, line 1:  | +14155550100", "card 2, line 2:  | +14155550101", "card 3, line 3:  | Mom",
				"card 4, line 4:  | +14155550102"}},
		{"name and number", "Ada,+14155550100\n", []string{"card 1, line 1: Ada | +14155550100"}},
		{"number and name", "+14155550100;Ada\n", []string{"card 1, line 1: Ada | +14155550100"}},
		{"generic headings", "phone,name\n+14155550100,Ada\n", []string{"card 1, line 2: Ada | +14155550100"}},
		{"snake case headings", "full_name\tphone_number\nAda\t+14155550100\n", []string{"card 1, line 2: Ada | +14155550100"}},
		{"unknown headings", "Wer,Wie\nAda,+14155550100\n", []string{"card 1, line 2: Ada | +14155550100"}},
		{"known name, unknown phone heading", "Name,Contact at\nAda,+14155550100\n",
			[]string{"card 1, line 2: Ada | +14155550100"}},
		{"headings in Russian", "Имя;Мобильный телефон\nАда;+79123456789\n", []string{"card 1, line 2: Ада | +79123456789"}},
		{"headings in Japanese", "氏名,電話番号\n山田,070-1740 605\n", []string{"card 1, line 2: 山田 | 070-1740 605"}},
		{"headings only", "Name,Phone\n", nil},
		{"directive of Excel", "sep=;\nName;Phone\nAda;+14155550100\n", []string{"card 1, line 3: Ada | +14155550100"}},
		{"cell of several lines", "Name,Phone\nAda,\"+14155550100\n+14155550101\"\n",
			[]string{"card 1, line 2: Ada | +14155550100 | +14155550101"}},
		{"short and long rows", "Name,Phone\nAda\nBob,+14155550100,more\n",
			[]string{"card 1, line 2: Ada | ", "card 2, line 3: Bob | +14155550100"}},
		{"UTF-16 big endian", "\xFE\xFF" + utf16("Name;Phone\nAda;+14155550100\n", 0, 1),
			[]string{"card 1, line 2: Ada | +14155550100"}},
		{"UTF-16 without mark", utf16("BEGIN:VCARD\nFN:Ada\nTEL:+14155550100\nEND:VCARD\n", 1, 0),
			[]string{"card 1, line 1: Ada | +14155550100"}},
		{"a last quotation mark", "Name,Phone\nAda,+14155550100\n\"", []string{"card 1, line 2: Ada | +14155550100",
			"card 2, line 3! a quotation mark is not closed"}},
		{"a long row", "Name,Phone\n" + strings.Repeat("x", maxLine) + ",1\nAda,+14155550100\n",
			[]string{"card 1, line 2! a line is too long", "card 2, line 3: Ada | +14155550100"}},
		{"a cell without end", "Name,Phone\n\"Bob,1\n" + strings.Repeat("x\n", 3) + "Ada,+14155550100\n",
			[]string{"card 1, line 2! a quotation mark is not closed", "card 2, line 3: x | ", "card 3, line 4: x | ",
				"card 4, line 5: x | ", "card 5, line 6: Ada | +14155550100"}},
		{"too many numbers in a row", "Name,Phone\nAda," + strings.Repeat("1 ::: ", 101) + "\n",
			[]string{"card 1, line 2: Ada | " + strings.Repeat("1 | ", 99) + "1",
				"card 1, line 2! there are more than 100 phone numbers"}},
		{"a long line in a list", "+14155550100\n+14155550101\n" + strings.Repeat("+14155550102\n", 400) +
			strings.Repeat("1", 2000) + "\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := describe(strings.NewReader(tt.in))
			if tt.name == "a long line in a list" {
				got = got[len(got)-1:]
				tt.want = []string{"card 403, line 403! a line is too long"}
			}
			compareLines(t, got, tt.want)
		})
	}
}

// utf16 writes ASCII in two bytes a character, the one at place hi zero.
func utf16(s string, hi, lo int) string {
	b := make([]byte, 2*len(s))
	for i := range len(s) {
		b[2*i+hi], b[2*i+lo] = 0, s[i]
	}
	return string(b)
}

// TestReadError checks that what came before an error of the reader is kept, and that the error comes last.
func TestReadError(t *testing.T) {
	fault := errors.New("cable pulled")
	for name, head := range map[string]string{
		"nothing": "",
		"vCard":   "BEGIN:VCARD\nFN:Ada\nTEL:+14155550100\nEND:VCARD\nBEGIN:VCARD\nFN:Bob\n",
		"CSV":     "Name,Phone\nAda,+14155550100\nBob,",
		"list":    "+14155550100\n+1415555",
	} {
		t.Run(name, func(t *testing.T) {
			var contacts int
			var last error
			for _, err := range ReadContacts(io.MultiReader(strings.NewReader(head), iotest.ErrReader(fault))) {
				last = err
				if err == nil {
					contacts++
				}
			}
			if !errors.Is(last, fault) || head != "" && contacts == 0 {
				t.Errorf("%d contacts, then %v; want some, then %v", contacts, last, fault)
			}
		})
	}
}

// TestStop checks that no reader calls a loop that has ended, which would panic.
func TestStop(t *testing.T) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for stop := 1; stop < 12; stop++ {
			n := 0
			for range ReadContacts(strings.NewReader(string(data))) {
				if n++; n == stop {
					break
				}
			}
		}
	}
}

func TestPlace(t *testing.T) {
	err := &CardError{Place: Place{Line: 41, Card: 3}, Problem: problemNoEnd}
	if got, want := err.Error(), "normalize: card 3, line 41: the card has no END"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func ExampleReadContacts() {
	book := "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada Lovelace\r\nitem1.TEL;type=CELL:020 7946\r\n  0123\r\nEND:VCARD\r\n" +
		"BEGIN:VCARD\r\nFN:Grace Hopper\r\nTEL:+1 (415) 555-0132\r\n"
	region, err := RegionOf("+442079460999") // the number of whom the book belongs to
	if err != nil {
		fmt.Println(err)
		return
	}
	for contact, err := range ReadContacts(strings.NewReader(book)) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, raw := range contact.Numbers {
			n, err := Parse(raw, region)
			fmt.Println(contact.Name, n.E164, err)
		}
	}
	// Output:
	// Ada Lovelace +442079460123 <nil>
	// Grace Hopper +14155550132 <nil>
	// normalize: card 2, line 7: the card has no END
}

// TestOldMacLines reads files whose lines end with CR alone.
func TestOldMacLines(t *testing.T) {
	for name, text := range map[string]string{
		"vCard": "BEGIN:VCARD\rVERSION:3.0\rFN:Ann\rTEL:415-555-0117\rEND:VCARD\r",
		"CSV":   "Name,Phone\rAnn,415-555-0117\r",
		"list":  "415-555-0117\r415-555-0118\r",
	} {
		var numbers []string
		for c, err := range ReadContacts(strings.NewReader(text)) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			numbers = append(numbers, c.Numbers...)
		}
		if len(numbers) == 0 || numbers[0] != "415-555-0117" {
			t.Errorf("%s: got %q, want 415-555-0117 first", name, numbers)
		}
	}
}
