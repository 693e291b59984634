package normalize

import (
	"errors"
	"strings"
	"testing"
)

func TestParseE164(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     Reason // "" if it is accepted
	}{
		{"US", "+14155552671", ""},
		{"Canada", "+16045551234", ""},
		{"Germany, mobile", "+4915112345678", ""},
		{"Italy, leading zero", "+390612345678", ""},
		{"Isle of Man", "+447624123456", ""},
		{"non-geographic", "+80012345678", ""},
		{"Mexico, former form", "+5215512345678", ""},
		{"Brazil, former form", "+551161234567", ""},
		{"empty", "", ReasonEmpty},
		{"plus alone", "+", ReasonNoDigits},
		{"letters", "number", ReasonNoDigits},
		{"no plus", "14155552671", ReasonUnknownRegion},
		{"two plus signs", "++14155552671", ReasonNotANumber},
		{"space", "+1 4155552671", ReasonNotANumber},
		{"newline", "+14155552671\n", ReasonNotANumber},
		{"fullwidth digit", "+1415555267１", ReasonNotANumber},
		{"tel URI", "tel:+14155552671", ReasonNotANumber},
		{"country code alone", "+49", ReasonTooShort},
		{"one digit short", "+1415555267", ReasonTooShort},
		{"one digit long", "+141555526711", ReasonTooLong},
		{"sixteen digits", "+4930231251231231", ReasonTooLong},
		{"a megabyte", "+" + strings.Repeat("1", 1<<20), ReasonTooLong},
		{"trunk zero", "+49030231251", ReasonInvalid},
		{"leading zero", "+0493023125123", ReasonInvalid},
		{"no such country code", "+9991234567", ReasonInvalid},
		{"unassigned", "+19995552671", ReasonInvalid},
		{"Mexico, former form of nothing", "+5210012345678", ReasonTooLong},
		{"Brazil, former form of a fixed line", "+5511931", ReasonTooShort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseE164(tt.in)
			if tt.want == "" {
				if err != nil || got != tt.in {
					t.Errorf("ParseE164(%q) = %q, %v; want it back", tt.in, got, err)
				}
				return
			}
			var refused *Error
			if !errors.As(err, &refused) || refused.Reason != tt.want || got != "" {
				t.Errorf("ParseE164(%.40q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestRegionOf(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"+14155552671", "US"},
		{"+16045551234", "CA"},
		{"+447624123456", "IM"},
		{"+442079460123", "GB"},
		{"+77272345678", "KZ"},
		{"+5215512345678", "MX"},
		{"+551161234567", "BR"},
		{"+541123456789", "AR"},
		{"+80012345678", ""},
		{"+1", ""},
		{"4155552671", ""},
	} {
		got, err := RegionOf(tt.in)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("RegionOf(%s) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestValidRegion(t *testing.T) {
	for region, want := range map[string]bool{
		"US": true, "us": true, "De": true, "": false, "ZZ": false, "001": false, "XX": false, "UK": false, "USA": false,
	} {
		if got := ValidRegion(region); got != want {
			t.Errorf("ValidRegion(%q) = %v, want %v", region, got, want)
		}
	}
}

func BenchmarkParseE164(b *testing.B) {
	for _, bm := range []struct{ name, in string }{
		{"us", "+14155552671"},
		{"ca", "+16045551234"},
		{"de", "+4915112345678"},
		{"gb", "+447911123456"},
		{"br", "+5511961234567"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseE164(bm.in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
