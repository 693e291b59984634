package normalize

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// libraryKind returns the region in which the library takes a number for assigned, "" if it does in none, and whether the
// number can be mobile.
func libraryKind(t *testing.T, code int, nsn string) (region string, mobile bool) {
	t.Helper()
	n, ok := libraryNumber(code, nsn)
	if !ok {
		t.Fatalf("libraryNumber(%d, %q) refused", code, nsn)
	}
	typ := phonenumbers.GetNumberType(n)
	if typ == phonenumbers.UNKNOWN { // what IsValidNumber asks
		return "", false
	}
	return phonenumbers.GetRegionCodeForNumber(n), typ == phonenumbers.MOBILE || typ == phonenumbers.FIXED_LINE_OR_MOBILE
}

// TestPlanSizeByCounting asks the library for each number that there could be of the code with the shortest ones, which two
// regions share.
func TestPlanSizeByCounting(t *testing.T) {
	const code, most = 290, 5
	for _, r := range planFor(code).regions {
		if r.general.lengths>>(most+1) != 0 {
			t.Fatalf("%s has longer numbers now", r.region)
		}
	}
	all, mobile := make(map[string]int64), make(map[string]int64)
	shortNumbers(most, func(nsn string) {
		if len(nsn) < 2 {
			return
		}
		region, canBeMobile := libraryKind(t, code, nsn)
		all[region]++
		if canBeMobile {
			mobile[region]++
		}
	})
	for _, region := range []string{"SH", "TA"} {
		for kind, want := range map[Kind]int64{KindAll: all[region], KindMobile: mobile[region]} {
			if got, err := PlanSize(region, kind); err != nil || got != want {
				t.Errorf("PlanSize(%s, %s) = %d, %v; counted %d", region, kind, got, err, want)
			}
		}
		if all[region] == 0 {
			t.Errorf("%s has no numbers", region)
		}
	}
}

// walkTo returns whether a walk counts a number among all of its region and among those that can be mobile.
func walkTo(w *planWalk, nsn string) (all, mobile bool) {
	at := w.first()
	for i := range len(nsn) {
		at, _ = w.step(at, int(nsn[i]-'0'))
	}
	return w.counts(at, len(nsn), KindAll), w.counts(at, len(nsn), KindMobile)
}

// TestPlanSizeCountsWhatIsValid asks, of numbers of every region, whether what PlanSize would count is what the library has
// in that region, and in the other regions of its code.
func TestPlanSizeCountsWhatIsValid(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	walks := make(map[string]*planWalk)
	counted, mobiles := 0, 0
	for _, example := range exampleNumbers() {
		for _, s := range append(mutations(rnd, example, 2), example) {
			p, nsn := splitCode(s[1:])
			if p == nil || !p.fits(len(nsn)) {
				continue
			}
			region, canBeMobile := libraryKind(t, p.code, nsn)
			// The first, in which the most are, and another.
			for _, r := range []regionPlan{p.regions[0], p.regions[rnd.IntN(len(p.regions))]} {
				key := strconv.Itoa(p.code) + r.region
				w := walks[key]
				if w == nil {
					w = newPlanWalk(p, r.region)
					walks[key] = w
				}
				all, mobile := walkTo(w, nsn)
				wantAll, wantMobile := region == r.region, canBeMobile && region == r.region
				if all != wantAll || mobile != wantMobile {
					t.Errorf("+%d %s in %s: counted %v, as mobile %v; the library says %v, %v", p.code, nsn, r.region, all, mobile, wantAll, wantMobile)
				}
				if all {
					counted++
				}
				if mobile {
					mobiles++
				}
			}
		}
	}
	if counted < 1000 || mobiles < 200 {
		t.Errorf("only %d numbers were counted, and %d mobile ones", counted, mobiles)
	}
}

// TestPlanSize checks what needs no counting: the forms of the region, and regions whose patterns can be multiplied out.
func TestPlanSize(t *testing.T) {
	// The Dominican Republic has three area codes, for mobile and fixed lines alike: [2-9] and six digits behind each.
	mobile, err := PlanSize("do", KindMobile)
	if want := int64(3 * 8_000_000); err != nil || mobile != want {
		t.Errorf("PlanSize(do, mobile) = %d, %v; want %d", mobile, err, want)
	}
	all, err := PlanSize("DO", KindAll)
	if err != nil || all <= mobile {
		t.Errorf("PlanSize(DO, all) = %d, %v; there are %d mobile ones", all, err, mobile)
	}
	for _, tt := range []struct {
		region string
		kind   Kind
		want   error
	}{
		{"", KindMobile, refuse(ReasonUnknownRegion)},
		{"XX", KindMobile, refuse(ReasonUnknownRegion)},
		{"001", KindAll, refuse(ReasonUnknownRegion)},
		{"US", "", ErrKind},
		{"US", "landline", ErrKind},
	} {
		n, err := PlanSize(tt.region, tt.kind)
		var got, want *Error
		if errors.As(tt.want, &want) {
			if !errors.As(err, &got) || got.Reason != want.Reason || n != 0 {
				t.Errorf("PlanSize(%q, %q) = %d, %v; want %v", tt.region, tt.kind, n, err, tt.want)
			}
		} else if !errors.Is(err, tt.want) || n != 0 {
			t.Errorf("PlanSize(%q, %q) = %d, %v; want %v", tt.region, tt.kind, n, err, tt.want)
		}
	}
}

func BenchmarkPlanSize(b *testing.B) {
	for _, region := range []string{"US", "DE", "SX"} { // SX is the last of the 25 regions that share +1
		b.Run(region, func(b *testing.B) {
			for b.Loop() {
				if _, err := PlanSize(region, KindMobile); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExamplePlanSize() {
	for _, kind := range []Kind{KindMobile, KindAll} {
		n, err := PlanSize("FK", kind) // the Falkland Islands: five digits, mobile lines from 5 and 6
		fmt.Println(kind, n, err)
	}
	// Output:
	// mobile 20000 <nil>
	// all 60000 <nil>
}
