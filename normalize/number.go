package normalize

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Profile names this normalisation: what Parse makes of a text, Candidates and Input together. The server publishes
// it, and a client with another profile would look for numbers under other inputs.
const Profile = "tel-e164/1"

// maxInput is the longest text Parse looks at, in bytes. No number is near it; the work behind it grows with length.
const maxInput = 250

// Number is a phone number in the forms under which its line may be registered.
type Number struct {
	// E164 is the number as it was written: '+' and at most 15 ASCII digits, such as "+14155552671".
	E164 string
	// Alternates are the other forms of the same line, nil for most countries. Argentine mobiles have one with and
	// one without the 9, Mexican lines with and without the 1, Brazilian mobiles with and without the ninth digit.
	// The relation is symmetric: parsing an alternate gives it as E164, with this E164 among its alternates.
	Alternates []string
}

// Candidates returns E164, then the alternates, in a new slice.
func (n Number) Candidates() []string {
	return append([]string{n.E164}, n.Alternates...)
}

// Input returns the OPRF input of a number: "tel:" and the E.164 form (RFC 3966, global number without separators).
func Input(e164 string) []byte {
	return append([]byte("tel:"), e164...)
}

// Parse reads a phone number as people write it: with or without country code, with the international prefix or trunk
// zero of the region, as a tel: URI, in the digits of any script, with punctuation, invisible characters, an extension,
// or letters of the keypad. Extensions, and whatever else is dialled after the connection stands, are dropped.
//
// region is where the writer dials from, ISO 3166-1 alpha-2 in any case. With "" or an unknown region only the
// international form is understood, and a national number gives ReasonUnknownRegion. Of a text longer than 250 bytes
// nothing is read: ReasonTooLong. Errors are of type *Error and hold nothing of raw.
func Parse(raw, region string) (Number, error) {
	if p, nsn, err := parseStrict(raw); err == nil {
		return p.number(nsn), nil
	}
	if len(raw) > maxInput {
		return Number{}, refuse(ReasonTooLong)
	}
	s, reason := extract(raw)
	if reason != "" {
		return Number{}, refuse(reason)
	}
	region = strings.ToUpper(region)
	if !ValidRegion(region) {
		region = phonenumbers.UNKNOWN_REGION
	}
	// What stands before letters is tried by itself first: in "030 23125000 home" they are a label, and converting
	// them would dial somebody else. Where digits are missing without them ("1-800-FLOWERS") they are digits.
	if head, ok := beforeLetters(s); ok {
		if n, reason := parseClean(trimToNumber(head), region); reason == "" {
			return n, nil
		}
	}
	n, reason := parseClean(s, region)
	if reason != "" {
		return Number{}, refuse(reason)
	}
	return n, nil
}

// extract finds the number in a text, or the reason why there cannot be one.
func extract(raw string) (string, Reason) {
	s := clean(raw)
	if s == "" {
		return "", ReasonEmpty
	}
	s = stripURI(s)
	if !strings.ContainsAny(s, "0123456789") {
		return "", ReasonNoDigits
	}
	s = trimToNumber(stripDialString(s))
	for _, hide := range []string{"*31#", "#31#"} { // GSM: call without, or with, showing one's own number
		s = strings.TrimPrefix(s, hide)
	}
	if s == "" || s[0] == '*' || s[0] == '#' {
		return "", ReasonShortCode
	}
	return s, ""
}

// parseClean parses a text that clean and trimToNumber have been over.
func parseClean(s, region string) (Number, Reason) {
	digits, plain := compact(s)
	// The library strips trunk prefixes behind the country code too. A number that is assigned as it stands must
	// stay as it is, or parsing twice would give another one.
	if plain {
		if p, nsn, err := parseStrict(digits); err == nil {
			return p.number(nsn), ""
		}
	}
	if n, ok := withoutPlus(digits, region); plain && ok {
		return n, ""
	}
	n, reason := parseByLibrary(s, region)
	if reason == "" || region == phonenumbers.UNKNOWN_REGION {
		return n, reason
	}
	// 00 is the international prefix the ITU recommends, and stored by people whose own region has another one.
	if rest, ok := strings.CutPrefix(digits, "00"); plain && ok {
		if p, nsn, err := parseStrict("+" + rest); err == nil {
			return p.number(nsn), ""
		}
	}
	return Number{}, reason
}

// withoutPlus reads digits that begin with the region's own country code and lack only the plus, where national numbers
// are written with a zero in front. The library would take "4915112345678" in Germany for a number of the area code
// 4915, whose zero somebody left out. From 11 digits on, the country code is the better guess.
func withoutPlus(digits, region string) (Number, bool) {
	if len(digits) < 11 || phonenumbers.GetNddPrefixForRegion(region, true) != "0" {
		return Number{}, false
	}
	p, nsn, err := parseStrict("+" + digits)
	if err != nil || p.code != phonenumbers.GetCountryCodeForRegion(region) {
		return Number{}, false
	}
	return p.number(nsn), true
}

// parseByLibrary lets the library take apart what region's dialling habits put together.
func parseByLibrary(s, region string) (Number, Reason) {
	parsed, err := phonenumbers.Parse(s, region)
	if err != nil {
		return Number{}, reasonOf(err, s)
	}
	p := planFor(int(parsed.GetCountryCode()))
	if p == nil {
		return Number{}, ReasonUnknownRegion
	}
	nsn := phonenumbers.GetNationalSignificantNumber(parsed)
	if rewritten := p.rewriteDialled(nsn); rewritten != "" && p.valid(rewritten) {
		nsn = rewritten
	}
	if p.valid(nsn) {
		return p.number(nsn), ""
	}
	if isShortCode(parsed, s, region) {
		return Number{}, ReasonShortCode
	}
	return Number{}, p.whyNot(nsn)
}

// isShortCode reports whether s, which is no valid number, is one of region's emergency or service numbers.
func isShortCode(parsed *phonenumbers.PhoneNumber, s, region string) bool {
	return !strings.HasPrefix(s, "+") && (phonenumbers.IsEmergencyNumber(s, region) ||
		phonenumbers.IsValidShortNumberForRegion(parsed, region))
}

// reasonOf translates an error of the library about s.
func reasonOf(err error, s string) Reason {
	switch {
	case errors.Is(err, phonenumbers.ErrTooShortNSN), errors.Is(err, phonenumbers.ErrTooShortAfterIDD):
		return ReasonTooShort
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return ReasonTooLong
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		if strings.HasPrefix(s, "+") {
			return ReasonInvalid
		}
		return ReasonUnknownRegion
	}
	// The library wants three digits before it calls anything a number.
	if digits, plain := compact(s); plain && len(strings.TrimPrefix(digits, "+")) < 3 {
		return ReasonTooShort
	}
	return ReasonNotANumber
}

// number returns the Number of a valid national significant number.
func (p *plan) number(nsn string) Number {
	n := Number{E164: p.e164(nsn)}
	if other := p.otherForm(nsn); other != "" {
		n.Alternates = []string{p.e164(other)}
	}
	return n
}
