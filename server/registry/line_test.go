package registry

import (
	"strconv"
	"strings"
	"testing"

	"github.com/kith-project/kith/normalize"
)

func TestParseLine(t *testing.T) {
	for _, test := range []struct {
		name, line string
		fields     int // of the lines before
		want       Registration
		reason     Reason
	}{
		{"plain", "+14155552671,ann", 0, Registration{Number: "+14155552671", Label: "ann", Version: 7}, ""},
		{"no label", "+14155552671,", 2, Registration{Number: "+14155552671", Version: 7}, ""},
		{"version", "+14155552671,ann,12", 3, Registration{Number: "+14155552671", Label: "ann", Version: 12}, ""},
		{"last version", "+14155552671,ann,9007199254740991", 3, Registration{Number: "+14155552671", Label: "ann", Version: 1<<53 - 1}, ""},
		{"punctuation", "+1 (415) 555-2671,ann", 2, Registration{Number: "+14155552671", Label: "ann", Version: 7}, ""},
		{"national", "(415) 555-2671,ann", 2, Registration{Number: "+14155552671", Label: "ann", Version: 7}, ""},
		{"quotes", `"+14155552671","a ""b"", c"`, 2, Registration{Number: "+14155552671", Label: `a "b", c`, Version: 7}, ""},
		{"empty quotes", `+14155552671,""`, 2, Registration{Number: "+14155552671", Version: 7}, ""},
		{"spaces in the label stay", "+14155552671, ann ", 2, Registration{Number: "+14155552671", Label: " ann ", Version: 7}, ""},
		{"47 bytes", "+14155552671," + strings.Repeat("ü", 23) + "u", 2, Registration{Number: "+14155552671", Label: strings.Repeat("ü", 23) + "u", Version: 7}, ""},
		{"48 bytes", "+14155552671," + strings.Repeat("ü", 24), 2, Registration{}, ReasonLabel},
		{"one field", "+14155552671", 0, Registration{}, ReasonFields},
		{"two fields after three", "+14155552671,ann", 3, Registration{}, ReasonFields},
		{"three fields after two", "+14155552671,ann,12", 2, Registration{}, ReasonFields},
		{"four fields", "+14155552671,ann,12,", 0, Registration{}, ReasonFields},
		{"label with a comma", "+14155552671,Doe, Ann", 0, Registration{}, ReasonFields},
		{"open quote", `+14155552671,"ann`, 2, Registration{}, ReasonQuotes},
		{"quote inside", `+14155552671,an"n`, 2, Registration{}, ReasonQuotes},
		{"text behind a quote", `+14155552671,"ann"e`, 2, Registration{}, ReasonQuotes},
		{"version 0", "+14155552671,ann,0", 3, Registration{}, ReasonVersion},
		{"version 2^53", "+14155552671,ann,9007199254740992", 3, Registration{}, ReasonVersion},
		{"negative version", "+14155552671,ann,-1", 3, Registration{}, ReasonVersion},
		{"no version", "+14155552671,ann,", 3, Registration{}, ReasonVersion},
		{"not UTF-8", "+14155552671,\xff", 2, Registration{}, ReasonEncoding},
		{"too long", strings.Repeat("1", maxLine+1), 2, Registration{}, ReasonLength},
		{"too short a number", "+1415555,ann", 2, Registration{}, Reason(normalize.ReasonTooShort)},
		{"empty number", ",ann", 2, Registration{}, Reason(normalize.ReasonEmpty)},
		{"no such country", "+9991234567,ann", 2, Registration{}, Reason(normalize.ReasonInvalid)},
	} {
		p := lineParser{region: "US", asOf: 7, fields: test.fields}
		got, reason := p.parse([]byte(test.line))
		if got != test.want || reason != test.reason {
			t.Errorf("%s: got %+v, %q, want %+v, %q", test.name, got, reason, test.want, test.reason)
		}
	}
}

// TestFirstLineSetsTheFields has lines before the first good one.
func TestFirstLineSetsTheFields(t *testing.T) {
	p := lineParser{}
	for _, line := range []string{"+14155552671,Doe, Ann", "+14155552671", "+14155552671,ann", "+14155552671,ann,3"} {
		_, reason := p.parse([]byte(line))
		if want := line == "+14155552671,ann"; want != (reason == "") {
			t.Errorf("%q: got %q, want it accepted %t", line, reason, want)
		}
	}
}

func TestReasonsExplain(t *testing.T) {
	seen := make(map[string]Reason)
	all := []Reason{ReasonFields, ReasonQuotes, ReasonLength, ReasonEncoding, ReasonLabel, ReasonVersion}
	for _, r := range normalize.Reasons() {
		all = append(all, Reason(r))
	}
	for _, r := range all {
		text := r.Explain()
		if other, twice := seen[text]; text == "" || twice {
			t.Errorf("%s: got %q, that of %s too", r, text, other)
		}
		seen[text] = r
	}
}

// FuzzE164 compares the shortcut for numbers in international form with reading every number as people write it.
func FuzzE164(f *testing.F) {
	for _, s := range []string{
		"+14155552671", "+4915112345678", "+5215512345678", "+551161234567", "+54911 2345 6789", "+390612345678", "+80012345678",
		"+1 415 555 2671", "+", "", "14155552671", "030 23125123", "+49030231251", "tel:+14155552671", "+1415555267１",
	} {
		for _, region := range []string{"", "US", "DE", "MX", "AR", "BR"} {
			f.Add(s, region)
		}
	}
	f.Fuzz(func(t *testing.T, text, region string) {
		got, reason := e164(text, region)
		want, wantReason := e164ByReading(text, region)
		if got != want || reason != wantReason {
			t.Errorf("e164(%q, %q) = %q, %q; reading gives %q, %q", text, region, got, reason, want, wantReason)
		}
		if (got == "") != (reason != "") {
			t.Errorf("e164(%q, %q) = %q and %q", text, region, got, reason)
		}
	})
}

// TestE164AsByReading compares the two over numbers of every length and many countries, in each the shapes of assigned and other
// ones.
func TestE164AsByReading(t *testing.T) {
	accepted := 0
	for code := 1; code < 1000; code += 3 {
		for _, national := range []string{"4155552671", "15112345678", "11961234567", "5512345678", "91123456789", "0612345678", "30123456", "12345678", "7"} {
			for _, region := range []string{"", "US", "DE"} {
				text := "+" + strconv.Itoa(code) + national
				got, reason := e164(text, region)
				want, wantReason := e164ByReading(text, region)
				if got != want || reason != wantReason {
					t.Errorf("e164(%q, %q) = %q, %q; reading gives %q, %q", text, region, got, reason, want, wantReason)
				}
				if reason == "" {
					accepted++
				}
			}
		}
	}
	if accepted < 100 {
		t.Errorf("%d numbers were accepted, too few to compare", accepted)
	}
}

// FuzzParseLine parses any line: no panic, and what was accepted is accepted again when it is written as one.
func FuzzParseLine(f *testing.F) {
	for _, s := range []string{"+14155552671,ann", `"+14155552671","a ""b"", c"`, "+14155552671,ann,12", `+14155552671,"`, ",,,", `"`, `""""`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := lineParser{asOf: 7}
		reg, reason := p.parse(line)
		if reason != "" {
			if reg != (Registration{}) || reason.Explain() == "" {
				t.Errorf("%q: a registration beside %q", line, reason)
			}
			return
		}
		written := reg.Number + `,"` + strings.ReplaceAll(reg.Label, `"`, `""`) + `"`
		again, reason := (&lineParser{asOf: reg.Version}).parse([]byte(written))
		if again != reg || reason != "" {
			t.Errorf("%q: got %+v, and when written again %+v, %q", line, reg, again, reason)
		}
	})
}
