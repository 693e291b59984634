package normalize

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// accepts reports whether the automaton of an expression accepts digits.
func accepts(a *automaton, digits string) bool {
	state := start
	for i := range len(digits) {
		state = a.step(state, int(digits[i]-'0'))
	}
	return a.states[state].matches
}

// shortNumbers calls do with all texts of up to most digits.
func shortNumbers(most int, do func(string)) {
	do("")
	for length, n := 1, 10; length <= most; length, n = length+1, 10*n {
		for i := range n {
			do(fmt.Sprintf("%0*d", length, i))
		}
	}
}

// TestAutomaton compares automata with the expressions that they come from, on all short numbers.
func TestAutomaton(t *testing.T) {
	for _, tt := range []struct {
		exp  string
		want int // how many texts of up to 4 digits match
	}{
		{`^(?:)$`, 1},
		{`^(?:7)$`, 1},
		{`^(?:\d)$`, 10},
		{`^(?:[2-9]\d)$`, 80},
		{`^(?:[^2-9]\d)$`, 20},
		{`^(?:1|12|123)$`, 3},
		{`^(?:1\d{1,3}|1[0-5]\d)$`, 1110}, // the second overlaps the first
		{`^(?:\d{2}(?:\d{2})?)$`, 10100},
		{`^(?:(?:12)+)$`, 2},
		{`^(?:0*5)$`, 4},
		{`^(?:(?:0|00)(?:0|00))$`, 3}, // 00, 000 in two ways, 0000
		{`^(?:NA)$`, 0},
		{`^(?:12)\d*$`, 111}, // as what begins with 12
		{`^(?:1|13)\d*$`, 1111},
		{`^(?:(1)(2)?)$`, 2},
		{`^$|^1$`, 2},
		{`^(?:.1)$`, 10},
	} {
		t.Run(tt.exp, func(t *testing.T) {
			exp := regexp.MustCompile(tt.exp)
			a := newAutomaton(exp)
			got := 0
			shortNumbers(4, func(digits string) {
				ok := accepts(a, digits)
				if ok {
					got++
				}
				if want := exp.MatchString(digits); ok != want {
					t.Fatalf("%q is accepted: %v, matches: %v", digits, ok, want)
				}
			})
			if got != tt.want {
				t.Errorf("%d texts are accepted, want %d", got, tt.want)
			}
		})
	}
}

// expression draws an expression over digits, such as the metadata has.
func expression(depth int) *rapid.Generator[string] {
	simple := rapid.SampledFrom([]string{`0`, `1`, `7`, `\d`, `[2-9]`, `[13579]`, `[^05]`, `12`})
	if depth == 0 {
		return simple
	}
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(expression(depth-1), 1, 3).Draw(t, "parts")
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			return strings.Join(parts, "")
		case 1:
			return "(?:" + strings.Join(parts, "|") + ")"
		case 2:
			return "(?:" + parts[0] + ")" + rapid.SampledFrom([]string{"?", "*", "+", "{2}", "{1,3}", "{0,2}"}).Draw(t, "times")
		default:
			return simple.Draw(t, "simple")
		}
	})
}

// TestAutomatonProperties compares the automata of made-up expressions with them.
func TestAutomatonProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		exp := regexp.MustCompile("^(?:" + expression(3).Draw(rt, "expression") + ")$")
		a := newAutomaton(exp)
		for _, digits := range rapid.SliceOfN(rapid.StringMatching(`[0-9]{0,8}`), 20, 20).Draw(rt, "digits") {
			if got, want := accepts(a, digits), exp.MatchString(digits); got != want {
				rt.Fatalf("%q is accepted: %v, matches %s: %v", digits, got, exp, want)
			}
		}
	})
}
