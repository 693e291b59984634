package normalize

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// exampleNumbers returns the metadata's example numbers of every region and type, in E.164.
func exampleNumbers() []string {
	var all []string
	add := func(n *phonenumbers.PhoneNumber) {
		if n != nil {
			all = append(all, phonenumbers.Format(n, phonenumbers.E164))
		}
	}
	for region := range phonenumbers.GetSupportedRegions() {
		for typ := phonenumbers.FIXED_LINE; typ < phonenumbers.UNKNOWN; typ++ {
			add(phonenumbers.GetExampleNumberForType(region, typ))
		}
	}
	for code := range phonenumbers.GetSupportedGlobalNetworkCallingCodes() {
		add(phonenumbers.GetExampleNumberForNonGeoEntity(code))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// mutations returns numbers near s: digits changed, added and removed.
func mutations(rnd *rand.Rand, s string, n int) []string {
	var all []string
	for range n {
		b := []byte(s)
		for range 1 + rnd.IntN(3) {
			i := 1 + rnd.IntN(len(b)-1)
			digit := byte('0' + rnd.IntN(10))
			switch rnd.IntN(4) {
			case 0:
				b = slices.Insert(b, i, digit)
			case 1:
				if len(b) > 3 {
					b = slices.Delete(b, i, i+1)
				}
			default:
				b[i] = digit
			}
		}
		all = append(all, string(b))
	}
	return all
}

// TestPlanAgreesWithLibrary is what allows plan to exist beside phonenumbers.IsValidNumber.
func TestPlanAgreesWithLibrary(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	valid := 0
	for _, example := range exampleNumbers() {
		for _, s := range append(mutations(rnd, example, 6), example) {
			p, nsn := splitCode(s[1:])
			if p == nil || !p.fits(len(nsn)) {
				continue
			}
			n, ok := libraryNumber(p.code, nsn)
			if !ok {
				t.Fatalf("libraryNumber(%d, %q) refused", p.code, nsn)
			}
			region, got := p.regionOf(nsn)
			want := phonenumbers.IsValidNumber(n)
			if got != want || got && region != phonenumbers.GetRegionCodeForNumber(n) {
				t.Errorf("%s: assigned %v in %q, the library says %v in %q", s, got, region, want,
					phonenumbers.GetRegionCodeForNumber(n))
			}
			if got {
				valid++
			}
			if back := phonenumbers.Format(n, phonenumbers.E164); back != p.e164(nsn) {
				t.Errorf("libraryNumber(%d, %q) formats as %s", p.code, nsn, back)
			}
		}
	}
	if valid < 1000 {
		t.Errorf("only %d valid numbers were compared", valid)
	}
}

// TestProperties checks what Parse and ParseE164 promise of each other on numbers of every region.
func TestProperties(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, example := range exampleNumbers() {
		for _, s := range append(mutations(rnd, example, 2), example) {
			n, err := Parse(s, "")
			if err != nil {
				if _, err := ParseE164(s); err == nil {
					t.Errorf("ParseE164 accepts %s, Parse refuses it", s)
				}
				continue
			}
			checkNumber(t, n)
		}
	}
}

// checkNumber checks a result of Parse: it is found again, alternates are valid and the relation is symmetric.
func checkNumber(t *testing.T, n Number) {
	t.Helper()
	if slices.Contains(n.Alternates, n.E164) {
		t.Errorf("%s is its own alternate", n.E164)
	}
	for _, c := range n.Candidates() {
		if got, err := ParseE164(c); err != nil || got != c {
			t.Errorf("ParseE164(%s) = %q, %v", c, got, err)
		}
		for _, region := range []string{"", "US", "DE", "MX", "BR", "AR", "RU", "XX"} {
			again, err := Parse(c, region)
			if err != nil || again.E164 != c {
				t.Errorf("Parse(%s, %q) = %q, %v", c, region, again.E164, err)
			}
			got, want := again.Candidates(), n.Candidates()
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("candidates of %s are %q, those of %s %q", c, got, n.E164, want)
			}
		}
	}
}

// TestNationalForm parses the example numbers as the library prints them for their own country.
func TestNationalForm(t *testing.T) {
	for region := range phonenumbers.GetSupportedRegions() {
		n := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
		if n == nil || region == "AR" { // the library prints 09 15-2345-6789, which lost the area code
			continue
		}
		want := phonenumbers.Format(n, phonenumbers.E164)
		national := phonenumbers.Format(n, phonenumbers.NATIONAL)
		got, err := Parse(national, region)
		if err != nil || got.E164 != want {
			t.Errorf("Parse(%q, %s) = %q, %v; want %s", national, region, got.E164, err, want)
		}
	}
}
