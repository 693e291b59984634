//go:build timing

package ristretto

import (
	"crypto/subtle"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

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

// scalarSource has pairs of a fixed scalar and a random one. Both of a pair are read, and one is kept by a mask, so that nothing but the
// values tells the classes apart: where each class had memory of its own, two classes of the same scalar had |t| of up to 9 over 2 µs.
type scalarSource struct {
	pairs [64][2]Scalar
	next  int
}

func newScalarSource(fixed *Scalar) *scalarSource {
	s := new(scalarSource)
	for i, random := range randomScalars("timing", len(s.pairs)) {
		s.pairs[i] = [2]Scalar{*fixed, random}
	}
	return s
}

// put sets all of dst to scalars of a class: 0, the fixed one, or 1.
func (s *scalarSource) put(dst []Scalar, class int) {
	for i := range dst {
		pair := &s.pairs[s.next]
		dst[i] = pair[0]
		subtle.ConstantTimeCopy(class, memory(&dst[i]), memory(&pair[1]))
		s.next = (s.next + 1) % len(s.pairs)
	}
}

// memory returns the bytes that a scalar is kept in.
func memory(s *Scalar) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s)) }

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

// TestTimeOfScalars compares arithmetic on secret scalars. What takes some ns is done with few scalars for one sample, and with each
// once: a branch that the processor has learned costs nothing, and in many steps on the same value there are differences of less
// than a thousandth that no instruction makes (TestScalarsAreStraight).
func TestTimeOfScalars(t *testing.T) {
	const many = 4
	x, y := make([]Scalar, 8), randomScalars("timing", many)
	each := func(f func(s, x, y *Scalar) *Scalar) func() {
		var s Scalar
		return func() {
			for i := range y {
				f(&s, &x[i], &y[i])
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

// TestScalarsAreStraight looks at the instructions of the scalars' arithmetic: there is no jump but the one for more stack, and so no
// branch that could depend on a secret.
func TestScalarsAreStraight(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Fatal("this test reads instructions of amd64")
	}
	binary := filepath.Join(t.TempDir(), "with-symbols")
	if out, err := exec.Command("go", "test", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	functions := []string{"Add", "Sub", "Mul", "ToMontgomery", "FromMontgomery", "ToBytes"}
	for _, function := range functions {
		out, err := exec.Command("go", "tool", "objdump", "-s", `edwards25519\.fiatScalar`+function+`$`, binary).Output()
		if err != nil {
			t.Fatal(err)
		}
		instructions, jumps := 0, 0
		for line := range strings.Lines(string(out)) {
			fields := strings.Fields(line)
			if len(fields) < 4 || !strings.HasPrefix(fields[1], "0x") {
				continue
			}
			instructions++
			if strings.HasPrefix(fields[3], "J") {
				jumps++
			}
		}
		// For more stack there is a JBE at the beginning, and a JMP back at the end.
		if instructions == 0 || jumps != 0 && jumps != 2 {
			t.Errorf("fiatScalar%s: %d jumps in %d instructions, want none but those for more stack", function, jumps, instructions)
		}
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
				next = (next + 1) % n
				copy(in, fixed[next*ElementSize:])
				subtle.ConstantTimeCopy(class, in, random[next*ElementSize:][:ElementSize])
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

// TestTimeIsSeen has what is not constant time: a variable-time multiplication, a constant-time one of which one class does a
// hundredth, or a thousandth, more, and subtractions with a branch on what they borrow. The statistic has to tell them; otherwise it says nothing of the others.
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
	few, others := make([]Scalar, 4), randomScalars("timing", 4)
	if r := dudect.Compare(timingSamples, func(c int) { source.put(few, c) }, func() {
		var s Scalar
		for i := range few {
			if s.Subtract(&few[i], &others[i]); memory(&s)[0]&1 == 1 {
				s.Add(&s, &s)
			}
		}
	}); !r.Leaks() {
		t.Errorf("a branch: not seen: %v", r)
	} else {
		t.Logf("a branch: %v", r)
	}
	// And a difference that is not there.
	if r := dudect.Compare(timingSamples, func(int) { source.put(k, rand.IntN(2)) }, func() { e.Multiply(&k[0], x) }); r.Leaks() {
		t.Errorf("two classes that are one: %v", r)
	}
}
