package normalize

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, raw, region, want string
	}{
		{"e164", "+14155552671", "", "+14155552671"},
		{"e164, another region", "+14155552671", "DE", "+14155552671"},
		{"international, spaced", "+1 (415) 555-2671", "", "+14155552671"},
		{"international in an unknown region", "+1 415 555 2671", "XX", "+14155552671"},
		{"national", "(415) 555-2671", "US", "+14155552671"},
		{"region in lower case", "415.555.2671", "us", "+14155552671"},
		{"one in front", "1-415-555-2671", "US", "+14155552671"},
		{"prefix 011 of the US", "011 44 20 7946 0123", "US", "+442079460123"},
		{"prefix 00 of Germany", "0044 20 7946 0123", "DE", "+442079460123"},
		{"prefix 0011 of Australia", "0011 44 20 7946 0123", "AU", "+442079460123"},
		{"prefix 010 of Japan", "010 44 20 7946 0123", "JP", "+442079460123"},
		{"prefix 810 of Russia", "8~10 44 20 7946 0123", "RU", "+442079460123"},
		{"prefix with carrier in Brazil", "0021 44 20 7946 0123", "BR", "+442079460123"},
		{"prefix 00 where it is not used", "00 44 20 7946 0123", "US", "+442079460123"},
		{"trunk zero", "030 23125 123", "DE", "+493023125123"},
		{"trunk zero in parentheses", "+49 (0)30 23125-123", "US", "+493023125123"},
		{"trunk zero behind the code", "+49 030 23125123", "", "+493023125123"},
		{"trunk eight", "8 (912) 345-67-89", "RU", "+79123456789"},
		{"zero that belongs to the number", "06 1234 5678", "IT", "+390612345678"},
		{"the same in parentheses", "+39 (0)6 1234 5678", "", "+390612345678"},
		{"own code without plus", "4915112345678", "DE", "+4915112345678"},
		{"own code without plus, short", "442079460123", "GB", "+442079460123"},
		{"two plus signs", "++49 30 23125123", "", "+493023125123"},
		{"non-geographic", "+800 1234 5678", "", "+80012345678"},

		{"extension x", "415 555 2671 x123", "US", "+14155552671"},
		{"extension ext.", "415-555-2671 ext. 12", "US", "+14155552671"},
		{"extension in another language", "030 23125123 Durchwahl 12", "DE", "+493023125123"},
		{"extension behind vanity letters", "1-800-FLOWERS ext 4", "US", "+18003569377"},
		{"pause, comma", "+1 415 555 2671,,123#", "", "+14155552671"},
		{"pause, semicolon", "415 555 2671;9", "US", "+14155552671"},
		{"pause, p", "4155552671p123", "US", "+14155552671"},
		{"two numbers, comma", "+1 415 555 2671, +1 415 555 0100", "", "+14155552671"},

		{"tel URI", "tel:+1-415-555-2671", "", "+14155552671"},
		{"tel URI in capitals with slashes", "TEL://+14155552671", "", "+14155552671"},
		{"tel URI with extension", "tel:+1-415-555-2671;ext=12;foo=+49", "", "+14155552671"},
		{"tel URI with context", "tel:7946-0123;phone-context=+44-20", "", "+442079460123"},
		{"tel URI with domain as context", "tel:030-23125123;phone-context=example.com", "DE", "+493023125123"},
		{"tel URI with isub", "tel:+442079460123;isub=1", "", "+442079460123"},
		{"tel URI with escapes", "tel:%2B44%2020%207946%200123", "", "+442079460123"},

		{"fullwidth", "＋１（４１５）５５５－２６７１", "", "+14155552671"},
		{"Arabic-Indic", "٠١٠ ١٢٣٤٥٦٧٨", "EG", "+201012345678"},
		{"Persian", "+۹۸ ۹۱۲ ۳۴۵ ۶۷۸۹", "", "+989123456789"},
		{"Devanagari", "+९१ ९८७६५ ४३२१०", "", "+919876543210"},
		{"mathematical digits", "+𝟏𝟒𝟏𝟓𝟓𝟓𝟓𝟐𝟔𝟕𝟏", "", "+14155552671"},
		{"emoji keycaps", "+1️⃣4️⃣1️⃣5️⃣5️⃣5️⃣5️⃣2️⃣6️⃣7️⃣1️⃣", "", "+14155552671"},
		{"bidi embedding", "\u202a+1 415 555 2671\u202c", "", "+14155552671"},
		{"bidi isolate and marks", "\u2066\u200e+1\u200f 415\u2069 5552671", "", "+14155552671"},
		{"no-break spaces, soft hyphen, joiner", "+1\u00a0415\u202f555\u00ad26\u200d71\ufeff", "", "+14155552671"},
		{"typographic dashes", "+1 415–555—26‑71", "", "+14155552671"},
		{"tab and newline", "+1\t415 555\n2671\r\n", "", "+14155552671"},
		{"middle dots", "01·99·00·12·34", "FR", "+33199001234"},
		{"spreadsheet apostrophe", "'+14155552671", "", "+14155552671"},
		{"spreadsheet formula", `="030 23125123"`, "DE", "+493023125123"},

		{"vanity", "1-800-FLOWERS", "US", "+18003569377"},
		{"vanity in lower case", "+1 800 flowers", "", "+18003569377"},
		{"label before", "Tel. 030/23125-123", "DE", "+493023125123"},
		{"label behind", "030 23125 123 home", "DE", "+493023125123"},
		{"label behind in another script", "030 23125123 (дом)", "DE", "+493023125123"},
		{"calling without caller id", "#31#030 23125123", "DE", "+493023125123"},

		{"Brazil, carrier", "0 41 11 96123-4567", "BR", "+5511961234567"},
		{"Brazil, carrier as xx", "0xx11 96123-4567", "BR", "+5511961234567"},
		{"Mexico, 01", "01 55 1234 5678", "MX", "+525512345678"},
		{"Mexico, 044", "044 55 1234 5678", "MX", "+525512345678"},
		{"Mexico, 045", "045 33 3816 2345", "MX", "+523338162345"},
		{"Argentina, 15", "011 15-2345-6789", "AR", "+5491123456789"},
		{"Argentina, 15 behind the code", "+54 11 15 2345 6789", "", "+5491123456789"},
		{"Argentina, 9 and 15", "+54 9 11 15 2345 6789", "", "+5491123456789"},
		{"Argentina, 9 and 15, area of three", "+54 9 343 15 555-1212", "", "+5493435551212"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.raw, tt.region)
			if err != nil || got.E164 != tt.want {
				t.Errorf("Parse(%q, %q) = %q, %v; want %q", tt.raw, tt.region, got.E164, err, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, raw, region string
		want              Reason
	}{
		{"empty", "", "US", ReasonEmpty},
		{"spaces", " \t\r\n", "US", ReasonEmpty},
		{"invisible", "\u200e\u202a\ufeff", "US", ReasonEmpty},
		{"letters", "Mom", "US", ReasonNoDigits},
		{"plus alone", "+", "US", ReasonNoDigits},
		{"punctuation", "---", "US", ReasonNoDigits},
		{"tel URI without number", "tel:", "US", ReasonNoDigits},
		{"e-mail address", "1234@example.com", "US", ReasonNotANumber},
		{"two numbers, slash", "+1 415 555 2671 / +1 415 555 0100", "US", ReasonNotANumber},
		{"plus inside", "415+555+2671", "US", ReasonNotANumber},
		{"one digit", "1", "US", ReasonTooShort},
		{"two digits, spaced", "1-2", "US", ReasonTooShort},
		{"no area code", "555-2671", "US", ReasonTooShort},
		{"country code alone", "+49", "", ReasonTooShort},
		{"digit missing", "+1 415 555 267", "", ReasonTooShort},
		{"digit too many", "+1 415 555 26711", "", ReasonTooLong},
		{"twenty digits", "12345678901234567890", "DE", ReasonTooLong},
		{"sixteen digits, assigned by the metadata", "+4930231251231231", "", ReasonTooLong},
		{"251 bytes", "+14155552671" + strings.Repeat(" ", 239), "", ReasonTooLong},
		{"a megabyte", strings.Repeat("1", 1<<20), "US", ReasonTooLong},
		{"emergency", "911", "US", ReasonShortCode},
		{"emergency, Europe", "112", "FR", ReasonShortCode},
		{"emergency, Germany", "110", "DE", ReasonShortCode},
		{"service", "116 000", "DE", ReasonShortCode},
		{"SMS short code", "22000", "US", ReasonShortCode},
		{"USSD", "*100#", "US", ReasonShortCode},
		{"MMI", "*#06#", "", ReasonShortCode},
		{"unassigned area", "+1 999 555 2671", "", ReasonInvalid},
		{"unassigned prefix", "07700 900123", "GB", ReasonInvalid},
		{"no such country code", "+999 123 4567", "", ReasonInvalid},
		{"national without region", "415 555 2671", "", ReasonUnknownRegion},
		{"national in an unknown region", "415 555 2671", "XX", ReasonUnknownRegion},
		{"00 without region", "0044 20 7946 0123", "", ReasonUnknownRegion},
		{"region 001", "12345678", "001", ReasonUnknownRegion},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.raw, tt.region)
			var refused *Error
			if !errors.As(err, &refused) || refused.Reason != tt.want {
				t.Errorf("Parse(%.40q, %q) = %q, %v; want %q", tt.raw, tt.region, got.E164, err, tt.want)
			}
		})
	}
}

func TestDigitRanges(t *testing.T) {
	for _, r := range unicode.Nd.R16 {
		checkDigitRange(t, rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range unicode.Nd.R32 {
		checkDigitRange(t, rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
}

// checkDigitRange checks what digitOf relies on: a range holds whole sets of ten digits.
func checkDigitRange(t *testing.T, lo, hi, stride rune) {
	if (hi-lo+1)%10 != 0 || stride != 1 {
		t.Errorf("Nd range %U to %U, stride %d, is not made of whole sets of ten", lo, hi, stride)
	}
	if got := digitOf(lo + 7); got != '7' {
		t.Errorf("digitOf(%U) = %q, want '7'", lo+7, got)
	}
}

func TestReasons(t *testing.T) {
	want := []Reason{ReasonEmpty, ReasonNoDigits, ReasonNotANumber, ReasonTooShort, ReasonTooLong, ReasonShortCode,
		ReasonInvalid, ReasonUnknownRegion}
	if got := Reasons(); !slices.Equal(got, want) {
		t.Errorf("Reasons() = %q, want %q", got, want)
	}
	seen := map[string]bool{}
	for _, r := range Reasons() {
		s := r.Explain()
		if seen[s] || !strings.HasSuffix(s, ".") {
			t.Errorf("%s.Explain() = %q: want a sentence of its own", r, s)
		}
		seen[s] = true
	}
	if got := Reason("new").Explain(); got != ReasonNotANumber.Explain() {
		t.Errorf("unknown reason explained as %q", got)
	}
}

func TestInput(t *testing.T) {
	if got := string(Input("+14155552671")); got != "tel:+14155552671" {
		t.Errorf("Input = %q", got)
	}
}

func ExampleParse() {
	for _, raw := range []string{"(415) 555-2671", "tel:+44-20-7946-0123", "1-800-FLOWERS", "911", "555-2671"} {
		n, err := Parse(raw, "US")
		var refused *Error
		if errors.As(err, &refused) {
			fmt.Printf("%s: %s\n", refused.Reason, refused.Reason.Explain())
			continue
		}
		fmt.Println(n.E164)
	}
	// Output:
	// +14155552671
	// +442079460123
	// +18003569377
	// short-code: This is an emergency or service number, not a person's.
	// too-short: Digits are missing from this number, perhaps the area code.
}

func ExampleNumber_Candidates() {
	n, _ := Parse("011 15-2345-6789", "AR")
	fmt.Println(n.Candidates())
	// Output:
	// [+5491123456789 +541123456789]
}

func BenchmarkParse(b *testing.B) {
	for _, bm := range []struct{ name, raw, region string }{
		{"e164", "+14155552671", "US"},
		{"international", "+1 (415) 555-2671", "US"},
		{"national", "(415) 555-2671", "US"},
		{"national-de", "0171 3920012", "DE"},
		{"refused", "555-2671", "US"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(bm.raw, bm.region)
			}
		})
	}
}
