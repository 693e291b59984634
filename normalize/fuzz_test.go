package normalize

import (
	"errors"
	"strings"
	"testing"
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
