package normalize

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"google.golang.org/protobuf/proto"
)

// ParseE164 checks that s is an E.164 number as registrations must have it, '+' and at most 15 ASCII digits, assigned
// according to the metadata, and returns it. Nothing is repaired: a trunk zero or a space is refused. The former
// mobile forms of Mexico and Brazil are accepted as they are, because accounts bear them; see Number.
//
// Errors are of type *Error. For each s it accepts, Parse(s, region) gives s for every region.
func ParseE164(s string) (string, error) {
	if _, _, err := parseStrict(s); err != nil {
		return "", err
	}
	return s, nil
}

// RegionOf returns the ISO 3166-1 alpha-2 region of a number that ParseE164 accepts: that of the user's own number is
// the region to parse their contacts with. Errors are of type *Error; numbers of no country, such as those of +800,
// give ReasonUnknownRegion.
func RegionOf(e164 string) (string, error) {
	p, nsn, err := parseStrict(e164)
	if err != nil {
		return "", err
	}
	region, ok := p.regionOf(nsn)
	if !ok {
		region = p.regions[0].region // an old form, whose countries have their codes to themselves
	}
	if region == regionNonGeographic {
		return "", refuse(ReasonUnknownRegion)
	}
	return region, nil
}

// ValidRegion reports whether region is an ISO 3166-1 alpha-2 code, in any case, of a region with phone numbers.
func ValidRegion(region string) bool {
	return phonenumbers.GetCountryCodeForRegion(strings.ToUpper(region)) != 0
}

// parseStrict splits an E.164 number into its plan and its national significant number.
func parseStrict(s string) (*plan, string, error) {
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) > maxDigits || !allDigits(digits) {
		return nil, "", refuse(strictReason(s))
	}
	p, nsn := splitCode(digits)
	if p == nil {
		return nil, "", refuse(ReasonInvalid)
	}
	if !p.valid(nsn) {
		return nil, "", refuse(p.whyNot(nsn))
	}
	return p, nsn, nil
}

// valid reports whether nsn is a number that can be registered.
func (p *plan) valid(nsn string) bool {
	if _, ok := p.regionOf(nsn); ok {
		return true
	}
	return p.oldForm(nsn)
}

// strictReason finds what is wrong with the shape of s: it is not '+' and 1 to 15 digits.
func strictReason(s string) Reason {
	switch digits := strings.TrimPrefix(s, "+"); {
	case s == "":
		return ReasonEmpty
	case !strings.ContainsAny(s, "0123456789"):
		return ReasonNoDigits
	case !allDigits(digits):
		return ReasonNotANumber
	case len(digits) > maxDigits:
		return ReasonTooLong
	default:
		return ReasonUnknownRegion // digits without '+'
	}
}

// whyNot finds the reason for which a number with a known calling code is not valid.
func (p *plan) whyNot(nsn string) Reason {
	number, ok := libraryNumber(p.code, nsn)
	if !ok {
		return ReasonTooLong
	}
	switch phonenumbers.IsPossibleNumberWithReason(number) {
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return ReasonTooShort
	case phonenumbers.TOO_LONG:
		return ReasonTooLong
	}
	if !p.fits(len(nsn)) {
		return ReasonTooLong
	}
	return ReasonInvalid
}

// libraryNumber builds the library's form of a number from its parts, without the library's parser, which would
// repair it. It reports false if nsn has more digits than the library takes.
func libraryNumber(code int, nsn string) (*phonenumbers.PhoneNumber, bool) {
	if len(nsn) > phonenumbers.MAX_LENGTH_FOR_NSN {
		return nil, false
	}
	value, _ := strconv.ParseUint(nsn, 10, 64) // 17 digits fit; no digits are 0
	n := &phonenumbers.PhoneNumber{CountryCode: proto.Int32(int32(code)), NationalNumber: proto.Uint64(value)}
	if zeros := len(nsn) - len(strconv.FormatUint(value, 10)); zeros > 0 {
		n.ItalianLeadingZero = proto.Bool(true)
		n.NumberOfLeadingZeros = proto.Int32(int32(zeros))
	}
	return n, true
}

// allDigits reports whether s is one ASCII digit or more, and nothing else.
func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
