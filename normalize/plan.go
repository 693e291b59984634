package normalize

import (
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/nyaruka/phonenumbers"
)

// maxDigits is the longest number E.164 knows, calling code included. The metadata admits longer ones in a few
// countries (direct-dial extensions in Germany and Austria): nobody registers with those.
const maxDigits = 15

// A plan answers one question about the numbers of one country calling code: is this national significant number
// assigned? It is phonenumbers.IsValidNumber with the patterns compiled once. The library builds each pattern's text
// anew and looks it up under a lock, 2 to 10 µs a number, which an import of some million registrations would feel;
// TestPlanAgreesWithLibrary holds the two together.
type plan struct {
	code    int
	regions []regionPlan // in the library's order, the main region of the code first
}

type regionPlan struct {
	region  string         // ISO 3166-1 alpha-2, or "001" for codes without a country
	leading *regexp.Regexp // nil, or what marks a number as this region's among several that share the code
	general pattern
	lines   []pattern // mobile and fixed lines
	mobiles int       // how many of lines, the first, are mobile: one or none
	other   []pattern // toll-free, premium rate and the like
}

type pattern struct {
	lengths uint32 // bit n set: n digits are possible; 0: the expression alone decides
	exp     *regexp.Regexp
}

// plans caches the plan of each calling code. Two goroutines may compile the same one at once; either result serves.
var plans [1000]atomic.Pointer[plan]

// regionNonGeographic is what the metadata calls the region of codes such as +800.
const regionNonGeographic = "001"

// splitCode finds the calling code at the start of digits, an international number without '+', and returns its plan
// and the national significant number. The plan is nil if there is no such code.
func splitCode(digits string) (*plan, string) {
	for n := 1; n <= 3 && n <= len(digits); n++ {
		code, err := strconv.Atoi(digits[:n])
		if err != nil || digits[0] == '0' {
			return nil, ""
		}
		if p := planFor(code); p != nil {
			return p, digits[n:]
		}
	}
	return nil, ""
}

// planFor returns the plan of a calling code, or nil if the metadata has none.
func planFor(code int) *plan {
	if code <= 0 || code >= len(plans) {
		return nil
	}
	if p := plans[code].Load(); p != nil {
		return p
	}
	regions := phonenumbers.GetRegionCodesForCountryCode(code)
	if len(regions) == 0 {
		return nil
	}
	p := &plan{code: code}
	for _, region := range regions {
		if m := metadata(code, region); m != nil {
			p.regions = append(p.regions, compileRegion(m))
		}
	}
	if len(p.regions) == 1 {
		p.regions[0].leading = nil // nothing to tell it from
	}
	plans[code].Store(p)
	return p
}

func metadata(code int, region string) *phonenumbers.PhoneMetadata {
	// The library parsed its embedded collection in its init and would have panicked there: no error is left to come.
	all, _ := phonenumbers.MetadataCollection()
	for _, m := range all.GetMetadata() {
		if m.GetId() == region && int(m.GetCountryCode()) == code {
			return m
		}
	}
	return nil
}

func compileRegion(m *phonenumbers.PhoneMetadata) regionPlan {
	r := regionPlan{
		region:  m.GetId(),
		general: compilePattern(m.GetGeneralDesc()),
		lines:   compilePatterns(m.GetMobile(), m.GetFixedLine()),
		other: compilePatterns(m.GetTollFree(), m.GetPremiumRate(), m.GetSharedCost(), m.GetVoip(),
			m.GetPersonalNumber(), m.GetPager(), m.GetUan(), m.GetVoicemail()),
	}
	r.mobiles = len(compilePatterns(m.GetMobile()))
	if lead := m.GetLeadingDigits(); lead != "" {
		r.leading = regexp.MustCompile("^(?:" + lead + ")")
	}
	return r
}

func compilePatterns(descs ...*phonenumbers.PhoneNumberDesc) []pattern {
	var all []pattern
	for _, d := range descs {
		if d.GetNationalNumberPattern() != "" {
			all = append(all, compilePattern(d))
		}
	}
	return all
}

func compilePattern(d *phonenumbers.PhoneNumberDesc) pattern {
	p := pattern{exp: regexp.MustCompile("^(?:" + d.GetNationalNumberPattern() + ")$")}
	for _, n := range d.GetPossibleLength() {
		if n < 0 { // -1 stands for "this region has no numbers of the kind": bit 31 is no number's length
			n = 31
		}
		p.lengths |= 1 << n
	}
	return p
}

// matcher reports whether an expression matches a number.
type matcher func(*regexp.Regexp) bool

// in returns the matcher of a national significant number.
func in(nsn string) matcher {
	return func(exp *regexp.Regexp) bool { return exp.MatchString(nsn) }
}

// match reports whether a number of so many digits fits the pattern.
func (p pattern) match(digits int, match matcher) bool {
	return (p.lengths == 0 || p.lengths>>digits&1 == 1) && match(p.exp)
}

func matchAny(all []pattern, digits int, match matcher) bool {
	for _, p := range all {
		if p.match(digits, match) {
			return true
		}
	}
	return false
}

// fits reports whether a national significant number of so many digits is one that E.164 allows behind the plan's code.
func (p *plan) fits(digits int) bool {
	return digits >= 2 && len(strconv.Itoa(p.code))+digits <= maxDigits
}

// regionOf returns the region in which nsn is assigned, and whether it is assigned at all.
func (p *plan) regionOf(nsn string) (string, bool) {
	r, ok := p.owner(len(nsn), in(nsn))
	if r == nil {
		return "", false
	}
	return r.region, ok
}

// owner returns the plan of the region to which a number of so many digits belongs, nil if there is none, and whether the
// number is assigned there.
func (p *plan) owner(digits int, match matcher) (*regionPlan, bool) {
	if !p.fits(digits) {
		return nil, false
	}
	for i := range p.regions {
		r := &p.regions[i]
		// As in the library, a region that is known by its leading digits is asked alone, and a number it does
		// not have is not looked for elsewhere.
		if r.leading != nil {
			if match(r.leading) {
				return r, r.assigned(digits, match)
			}
			continue
		}
		if r.assigned(digits, match) {
			return r, true
		}
	}
	return nil, false
}

func (r *regionPlan) assigned(digits int, match matcher) bool {
	return r.general.match(digits, match) && (matchAny(r.lines, digits, match) || matchAny(r.other, digits, match))
}

// mobile reports whether an assigned number can be a mobile line. What is toll-free or the like is not, as in the library,
// whatever else it matches.
func (r *regionPlan) mobile(digits int, match matcher) bool {
	return matchAny(r.lines[:r.mobiles], digits, match) && !matchAny(r.other, digits, match)
}

// line reports whether nsn is an assigned mobile or fixed line of the code's main region.
func (p *plan) line(nsn string) bool {
	r, match := &p.regions[0], in(nsn)
	return p.fits(len(nsn)) && r.general.match(len(nsn), match) && matchAny(r.lines, len(nsn), match)
}

// e164 writes nsn in international form.
func (p *plan) e164(nsn string) string {
	var b strings.Builder
	b.Grow(1 + maxDigits)
	b.WriteByte('+')
	b.WriteString(strconv.Itoa(p.code))
	b.WriteString(nsn)
	return b.String()
}
