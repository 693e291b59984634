//go:build timing

package ristretto

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto/dudect"
)

// timingSamples is how many measurements a comparison takes: with it, differences of a thousandth are found (TestTimeIsSeen).
const timingSamples = 40_000

// timingClass is a scalar that is compared with random ones.
type timingClass struct {
	name   string
	scalar Scalar
}

// timingClasses are scalars whose digits, and those of their halves, are far from random: where a multiplication skips zeros,
// takes longer for carries or depends on which entry of a table it reads, one of them shows it.
func timingClasses() []timingClass {
	var one, two, bit, sevens, last Scalar
	one.setSmall(1)
	two.setSmall(2)
	bit.setSmall(1)
	for range 200 {
		bit.Add(&bit, &bit)
	}
	for range 63 {
		for range 4 {
			sevens.Add(&sevens, &sevens)
		}
		sevens.Add(&sevens, new(Scalar).setSmall(7))
	}
	sevens.Add(&sevens, &sevens) // the digits of its half are all 7
	last.Subtract(&Scalar{}, &one)
	return []timingClass{{"0", Scalar{}}, {"2", two}, {"2^200", bit}, {"twice 0x77...7", sevens}, {"l-1", last}}
}

// scalarSource has many scalars of two classes, one fixed and one random. They are mixed, so that a class does not come from memory of
// its own, and each is copied to the same place before it is used.
type scalarSource struct {
	scalars [128]Scalar
	of      [2][]int // the places of each class, in random order
	next    [2]int
}

func newScalarSource(fixed *Scalar) *scalarSource {
	s := new(scalarSource)
	random := randomScalars("timing", len(s.scalars))
	for i, at := range rand.Perm(len(s.scalars)) {
		class := i % 2
		s.scalars[at] = [2]Scalar{*fixed, random[i]}[class]
		s.of[class] = append(s.of[class], at)
	}
	return s
}

// put sets all of dst to scalars of a class.
func (s *scalarSource) put(dst []Scalar, class int) {
	places := s.of[class]
	for i := range dst {
		dst[i] = s.scalars[places[s.next[class]%len(places)]]
		s.next[class]++
	}
}

// compareTimes wants the time of f to be the same for scalars of each class and for random ones.
func compareTimes(t *testing.T, samples int, scalars []Scalar, f func()) {
	for _, c := range timingClasses() {
		r := dudect.Confirm(func() dudect.Result {
			source := newScalarSource(&c.scalar)
			return dudect.Compare(samples, func(class int) { source.put(scalars, class) }, f)
		})
		if t.Logf("%s: %v", c.name, r); r.Leaks() {
			t.Errorf("the time tells %s from random scalars", c.name)
		}
	}
}

// TestTimeOfBatches compares what batches do with secret scalars, by each engine.
func TestTimeOfBatches(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		const most = 8
		packed, k := randomElements("timing", most), make([]Scalar, most)
		b, dst := Batch{elements: e.newBatch()}, make([]byte, 0, most*commitmentsSize)
		var sum Element
		for _, c := range []struct {
			name string
			n    int
			f    func()
		}{
			{"AppendMultiply", 1, func() { b.AppendMultiply(dst, &k[0]) }},
			{"AppendMultiply of 8", 8, func() { b.AppendMultiply(dst, &k[0]) }},
			{"AppendMultiplyEach", 1, func() { b.AppendMultiplyEach(dst, k[:1]) }},
			{"AppendMultiplyEach of 8", 8, func() { b.AppendMultiplyEach(dst, k) }},
			{"Sum", 1, func() { b.Sum(&sum, k[:1]) }},
			{"Sum of 8", 8, func() { b.Sum(&sum, k) }},
		} {
			t.Run(c.name, func(t *testing.T) {
				if err := b.Decode(packed[:c.n*ElementSize]); err != nil {
					t.Fatal(err)
				}
				samples := timingSamples
				if c.n > 1 && e.name == portable.name {
					samples /= c.n // as many multiplications
				}
				compareTimes(t, samples, k[:c.n], c.f)
			})
		}
		t.Run("AppendCommitments", func(t *testing.T) {
			m, r := []Element{*new(Element).SetUniformBytes(uniform("timing", 0))}, randomScalars("nonce", 1)
			compareTimes(t, timingSamples/2, k[:1], func() { b.AppendCommitments(dst, m, &k[0], nil, r) })
			compareTimes(t, timingSamples/2, r, func() { b.AppendCommitments(dst, m, &k[0], nil, r) })
		})
	})
}

// TestTimeOfScalars compares arithmetic on secret scalars. What takes some ns is done many times for one sample.
func TestTimeOfScalars(t *testing.T) {
	const many, times = 32, 16
	x, y := make([]Scalar, many), randomScalars("timing", many)
	each := func(f func(s, x, y *Scalar) *Scalar) func() {
		var s Scalar
		return func() {
			for i := range many * times {
				f(&s, &x[i%many], &y[i%many])
			}
		}
	}
	inverses := make([]Scalar, 8)
	for _, c := range []struct {
		name string
		n    int
		f    func()
	}{
		{"Add", many, each((*Scalar).Add)},
		{"Subtract", many, each((*Scalar).Subtract)},
		{"Multiply", many, each((*Scalar).Multiply)},
		{"Halve", many, each(func(s, x, _ *Scalar) *Scalar { return s.Halve(x) })},
		{"Invert", 1, func() { inverses[0].Invert(&x[0]) }},
		{"InvertScalars", 8, func() { copy(inverses, x); InvertScalars(inverses) }},
		{"Bytes", many, each(func(s, x, _ *Scalar) *Scalar { x.Bytes(); return s })},
	} {
		t.Run(c.name, func(t *testing.T) { compareTimes(t, timingSamples, x[:c.n], c.f) })
	}
}

// TestTimeOfElements compares multiplications of single elements, such as those that make a public key.
func TestTimeOfElements(t *testing.T) {
	k := make([]Scalar, 1)
	x := new(Element).SetUniformBytes(uniform("timing", 0))
	var e Element
	for name, f := range map[string]func(){
		"Multiply":          func() { e.Multiply(&k[0], x) },
		"MultiplyGenerator": func() { e.MultiplyGenerator(&k[0]) },
	} {
		t.Run(name, func(t *testing.T) { compareTimes(t, timingSamples, k, f) })
	}
}

// TestTimeOfSecretElements compares the elements that a client unblinds, which are secret too: one element with random ones.
func TestTimeOfSecretElements(t *testing.T) {
	const n = 64
	random := randomElements("timing", n)
	fixed := slices.Repeat(random[:ElementSize], n)
	k, in := randomScalar("timing"), make([]byte, ElementSize)
	eachEngine(t, func(t *testing.T, e engine) {
		b, dst := Batch{elements: e.newBatch()}, make([]byte, 0, ElementSize)
		next := 0
		r := dudect.Confirm(func() dudect.Result {
			return dudect.Compare(timingSamples, func(class int) {
				from := [2][]byte{fixed, random}[class]
				next = (next + 1) % n
				copy(in, from[next*ElementSize:])
			}, func() {
				if b.Decode(in) == nil {
					b.AppendMultiply(dst, k)
				}
			})
		})
		if t.Log(r); r.Leaks() {
			t.Error("the time tells one element from random ones")
		}
	})
}

// TestTimeIsSeen has what is not constant time: a variable-time multiplication, and a constant-time one of which one class does a
// hundredth, or a thousandth, more. The statistic has to tell them; otherwise it says nothing of the others.
func TestTimeIsSeen(t *testing.T) {
	k, class := make([]Scalar, 1), 0
	x, zero := new(Element).SetUniformBytes(uniform("timing", 0)), new(Scalar)
	var e Element
	source := newScalarSource(&timingClasses()[2].scalar)
	prepare := func(c int) { source.put(k, c); class = c }
	extra := func(multiplications int) func() {
		s := randomScalar("extra")
		return func() {
			e.Multiply(&k[0], x)
			for range class * multiplications {
				s.Multiply(s, s)
			}
		}
	}
	for name, f := range map[string]func(){
		"VarTimeSumGenerator": func() { e.VarTimeSumGenerator(&k[0], x, zero) },
		"a hundredth":         extra(14), // of some 40 ns each
		"a thousandth":        extra(2),
	} {
		if r := dudect.Compare(timingSamples, prepare, f); !r.Leaks() {
			t.Errorf("%s: not seen: %v", name, r)
		} else {
			t.Logf("%s: %v", name, r)
		}
	}
	// And a difference that is not there.
	if r := dudect.Compare(timingSamples, func(int) { source.put(k, rand.IntN(2)) }, func() { e.Multiply(&k[0], x) }); r.Leaks() {
		t.Errorf("two classes that are one: %v", r)
	}
}
