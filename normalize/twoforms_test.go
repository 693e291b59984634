package normalize

import (
	"slices"
	"testing"
)

func TestTwoForms(t *testing.T) {
	for _, tt := range []struct{ name, e164, want string }{
		{"Argentina with 9", "+5491123456789", "+541123456789"},
		{"Argentina without 9", "+541123456789", "+5491123456789"},
		{"Argentina, area of three digits", "+543435551212", "+5493435551212"},
		{"Argentina, toll-free", "+548001234567", ""},
		{"Mexico without 1", "+525512345678", "+5215512345678"},
		{"Mexico with 1", "+5215512345678", "+525512345678"},
		{"Mexico, toll-free", "+528001234567", ""},
		{"Brazil with ninth digit", "+5511961234567", "+551161234567"},
		{"Brazil without ninth digit", "+551161234567", "+5511961234567"},
		{"Brazil, outside São Paulo", "+5547988776655", "+554788776655"},
		{"Brazil, former trunk radio", "+551178776655", "+5511978776655"},
		{"Brazil, fixed line", "+551131234567", ""},
		{"Brazil, 9 before what would be a fixed line", "+5511931234567", ""},
		{"United States", "+14155552671", ""},
		{"Germany", "+4915112345678", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Parse(tt.e164, "")
			if err != nil || n.E164 != tt.e164 {
				t.Fatalf("Parse(%s) = %q, %v: want it as written", tt.e164, n.E164, err)
			}
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			if !slices.Equal(n.Alternates, want) {
				t.Errorf("alternates of %s are %q, want %q", tt.e164, n.Alternates, want)
			}
			checkNumber(t, n)
		})
	}
}

// TestFictionRanges records which numbers reserved for fiction the metadata takes for real ones, so that demos and
// documents can use them. Nothing here is special-cased: a line that fails after an update of the library is to be
// corrected.
func TestFictionRanges(t *testing.T) {
	for _, tt := range []struct {
		name  string
		in    []string
		valid bool
	}{
		{"US 555-01xx", []string{"+14155550100", "+12125550123", "+13105550199"}, true},
		{"Canada 555-01xx", []string{"+16045550100", "+14165550199"}, true},
		{"UK, London 020 7946 0xxx", []string{"+442079460000", "+442079460999"}, true},
		{"UK, Leeds 0113 496 0xxx", []string{"+441134960000", "+441134960999"}, true},
		{"UK, Manchester 0161 496 0xxx", []string{"+441614960000", "+441614960999"}, true},
		{"UK, no area 01632 960xxx", []string{"+441632960000", "+441632960999"}, false},
		{"UK, mobile 07700 900xxx", []string{"+447700900000", "+447700900999"}, false},
		{"UK, freephone 0808 157 0xxx", []string{"+448081570000", "+448081570999"}, true},
		{"Australia, mobile 0491 570 0xx to 157", []string{"+61491570006", "+61491570156", "+61491570157", "+61491570158",
			"+61491570159", "+61491570110"}, true},
		{"Australia, fixed 5550 xxxx and 7010 xxxx", []string{"+61255501234", "+61370101234", "+61255500000"}, true},
		{"Germany, Berlin 030 23125 xxx", []string{"+493023125000", "+493023125999"}, true},
		{"Germany, mobile 0171 39200 xx", []string{"+491713920000", "+491713920099"}, true},
		{"Germany, mobile 0176 040690 xx", []string{"+4917604069000", "+4917604069099"}, true},
		{"France, 01 99 00 xx xx", []string{"+33199000000", "+33199009999"}, true},
		{"France, mobile 06 39 98 xx xx", []string{"+33639980000", "+33639989999"}, false},
		{"Sweden, mobile 070-17406 05 to 99", []string{"+46701740605", "+46701740699"}, true},
		{"Sweden, Stockholm 08-465 004 xx", []string{"+4684650004", "+46846500499"}, true},
		{"Ireland 020 91x xxxx", []string{"+353209100000", "+353209199999"}, false},
	} {
		for _, s := range tt.in {
			if _, err := ParseE164(s); (err == nil) != tt.valid {
				t.Errorf("%s: %s valid %v, want %v", tt.name, s, err == nil, tt.valid)
			}
		}
	}
}
