package normalize

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// A Kind says which numbers of a region PlanSize counts.
type Kind string

const (
	// KindMobile are the numbers that can be mobile lines: those that libphonenumber calls mobile, or fixed-line or mobile
	// where the plan does not tell the two apart, as in North America.
	KindMobile Kind = "mobile"
	// KindAll are the numbers of every kind that can be registered.
	KindAll Kind = "all"
)

// ErrKind is returned for a Kind that there is not.
var ErrKind = errors.New("normalize: unknown kind of numbers")

// PlanSize returns how many numbers of a kind the numbering plan of a region has, which is how many an enumeration of it
// would try. Region is an ISO 3166-1 alpha-2 code, in any case.
//
// The count is exact: the patterns of the metadata are walked as automata over the digits, so that each number is counted
// once, whatever patterns overlap. What it counts are the numbers that could be assigned, many times those that are: an
// attacker who knows which blocks an operator has got tries fewer. A line with two forms (see Number) counts by the forms
// that the metadata has. It takes some ms. It returns ErrKind, or an *Error of ReasonUnknownRegion.
func PlanSize(region string, kind Kind) (int64, error) {
	if kind != KindMobile && kind != KindAll {
		return 0, ErrKind
	}
	region = strings.ToUpper(region)
	p := planFor(phonenumbers.GetCountryCodeForRegion(region))
	if p == nil {
		return 0, refuse(ReasonUnknownRegion)
	}
	return newPlanWalk(p, region).count(kind), nil
}

// A planWalk follows all expressions that decide whether a number is one of a region, digit by digit. A place of it is the
// state of each automaton, in the order of automata.
type planWalk struct {
	plan     *plan // without the regions that are asked after this one, which do not matter
	region   string
	automata []*automaton
	index    map[*regexp.Regexp]int // of the automata
}

func newPlanWalk(p *plan, region string) *planWalk {
	w := &planWalk{plan: &plan{code: p.code}, region: region, index: make(map[*regexp.Regexp]int)}
	same := make(map[string]int)
	add := func(exp *regexp.Regexp, text string) {
		if _, ok := same[text]; !ok {
			same[text] = len(w.automata)
			w.automata = append(w.automata, newAutomaton(regexp.MustCompile(text)))
		}
		w.index[exp] = same[text]
	}
	for _, r := range p.regions {
		w.plan.regions = append(w.plan.regions, r)
		if r.leading != nil {
			add(r.leading, r.leading.String()+`\d*$`) // it matches the beginning of a number
		}
		for _, one := range append(append([]pattern{r.general}, r.lines...), r.other...) {
			add(one.exp, one.exp.String())
		}
		if r.region == region {
			break
		}
	}
	return w
}

// place is the states of the automata of a walk, comparable: two bytes each.
type place string

func placeOf(states []int) place {
	b := make([]byte, 0, 2*len(states))
	for _, s := range states {
		b = append(b, byte(s>>8), byte(s))
	}
	return place(b)
}

// state returns the state of automaton i.
func (at place) state(i int) int { return int(at[2*i])<<8 | int(at[2*i+1]) }

// first returns the place before the first digit.
func (w *planWalk) first() place {
	states := make([]int, len(w.automata))
	for i := range states {
		states[i] = start
	}
	return placeOf(states)
}

// step returns the place behind a digit, and whether any expression can still match from there.
func (w *planWalk) step(at place, digit int) (place, bool) {
	states := make([]int, len(w.automata))
	alive := false
	for i, a := range w.automata {
		states[i] = a.step(at.state(i), digit)
		alive = alive || states[i] != deadState
	}
	return placeOf(states), alive
}

// counts reports whether a number of so many digits that leads to a place is one of the kind, of the walk's region.
func (w *planWalk) counts(at place, digits int, kind Kind) bool {
	match := func(exp *regexp.Regexp) bool {
		i := w.index[exp]
		return w.automata[i].states[at.state(i)].matches
	}
	r, ok := w.plan.owner(digits, match)
	return ok && r.region == w.region && (kind == KindAll || r.mobile(digits, match))
}

// count returns how many numbers there are of a kind. Numbers that lead to the same place have the same continuations, so
// that it suffices to know how many lead to each.
func (w *planWalk) count(kind Kind) int64 {
	total := int64(0)
	numbers := map[place]int64{w.first(): 1}
	for digits := 1; digits <= maxDigits-len(strconv.Itoa(w.plan.code)); digits++ {
		longer := make(map[place]int64)
		for at, n := range numbers {
			for digit := range 10 {
				if to, alive := w.step(at, digit); alive {
					longer[to] += n
				}
			}
		}
		for at, n := range longer {
			if w.counts(at, digits, kind) {
				total += n
			}
		}
		numbers = longer
	}
	return total
}
