package normalize

import (
	"encoding/binary"
	"regexp"
	"regexp/syntax"
	"slices"
)

// An automaton is the deterministic automaton of an expression over the digits 0 to 9. Its states are made as they are
// reached, by the construction of subsets: a state is the set of the instructions of the compiled expression that could
// take the next digit. It knows the flags ^ and $ at the ends of the text alone, as the metadata uses them.
type automaton struct {
	prog   *syntax.Prog
	states []automatonState
	index  map[string]int // of the states, by their content
}

type automatonState struct {
	insts   []uint32 // that take a digit, in ascending order
	matches bool     // whether the expression matches what was read, if it ends here
	next    [10]int  // the state after each digit, or unknown
}

const (
	unknown   = -1
	deadState = 0 // nothing that follows can match
	start     = 1
)

// newAutomaton returns the automaton of a compiled expression.
func newAutomaton(exp *regexp.Regexp) *automaton {
	// The expression compiled before, from the same text and by the same parser.
	parsed, err := syntax.Parse(exp.String(), syntax.Perl)
	if err != nil {
		panic("normalize: a compiled expression does not parse: " + err.Error())
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		panic("normalize: a compiled expression does not compile: " + err.Error())
	}
	a := &automaton{prog: prog, index: make(map[string]int)}
	a.state(nil, 0) // deadState
	a.state([]uint32{uint32(prog.Start)}, syntax.EmptyBeginText|syntax.EmptyBeginLine)
	return a
}

// step returns the state behind a digit, 0 to 9.
func (a *automaton) step(state, digit int) int {
	if next := a.states[state].next[digit]; next != unknown {
		return next
	}
	var reached []uint32
	for _, i := range a.states[state].insts {
		if inst := &a.prog.Inst[i]; inst.MatchRune('0' + rune(digit)) {
			reached = append(reached, inst.Out)
		}
	}
	next := a.state(reached, 0)
	a.states[state].next[digit] = next
	return next
}

// state returns the state of having reached some instructions, where the conditions of before hold: the state's number.
func (a *automaton) state(reached []uint32, before syntax.EmptyOp) int {
	s := automatonState{insts: a.takers(reached, before)}
	end := before | syntax.EmptyEndText | syntax.EmptyEndLine
	s.matches = slices.ContainsFunc(a.closure(reached, end), func(i uint32) bool { return a.prog.Inst[i].Op == syntax.InstMatch })
	key := []byte{0}
	if s.matches {
		key[0] = 1
	}
	for _, i := range s.insts {
		key = binary.BigEndian.AppendUint32(key, i)
	}
	if known, ok := a.index[string(key)]; ok {
		return known
	}
	for digit := range s.next {
		s.next[digit] = unknown
	}
	a.states = append(a.states, s)
	a.index[string(key)] = len(a.states) - 1
	return len(a.states) - 1
}

// takers returns the instructions among those reached that take a character.
func (a *automaton) takers(reached []uint32, holds syntax.EmptyOp) []uint32 {
	takers := slices.DeleteFunc(a.closure(reached, holds), func(i uint32) bool {
		switch a.prog.Inst[i].Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			return false
		default:
			return true
		}
	})
	slices.Sort(takers)
	return takers
}

// closure returns the instructions that are reached without taking a character, under the conditions that hold.
func (a *automaton) closure(from []uint32, holds syntax.EmptyOp) []uint32 {
	seen := make(map[uint32]bool)
	var all []uint32
	for todo := slices.Clone(from); len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[i] {
			continue
		}
		seen[i] = true
		all = append(all, i)
		switch inst := &a.prog.Inst[i]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^holds == 0 {
				todo = append(todo, inst.Out)
			}
		}
	}
	return all
}
