//go:build amd64 && !purego

package ifma

import (
	"math/bits"
	"testing"
)

// This file derives the bounds of field_amd64.h and point_amd64.s: it goes through the steps of each macro with the largest
// value that each limb can have in place of the limb, and fails where one could leave its register, or be cut by the
// multiplier, or be more than what it is subtracted from. What holds for the largest values holds for all, since each step
// grows with each of its inputs, but for subtraction, which is checked against the least it subtracts from: the bias.

// bound is the largest value of each limb.
type bound [5]uint64

// bounder does steps on bounds. fail is told of a step that is not allowed.
type bounder struct {
	fail func(format string, args ...any)
}

const (
	reducedLimb = 1<<51 + 1<<16 - 1
	wideLimb    = 1<<59 - 1
)

var reduced = bound{reducedLimb, reducedLimb, reducedLimb, reducedLimb, reducedLimb}

func (b bounder) plus(x, y uint64) uint64 {
	sum, carry := bits.Add64(x, y, 0)
	if carry != 0 {
		b.fail("%#x + %#x leaves the register", x, y)
	}
	return sum
}

func (b bounder) times(x, y uint64) uint64 {
	high, low := bits.Mul64(x, y)
	if high != 0 {
		b.fail("%#x * %#x leaves the register", x, y)
	}
	return low
}

// halves returns the bounds of the upper and lower 52 bits of a product, VPMADD52HUQ and VPMADD52LUQ.
func (b bounder) halves(x, y uint64) (high, low uint64) {
	if x >= 1<<52 || y >= 1<<52 {
		b.fail("%#x * %#x: the multiplier takes 52 bits", x, y)
	}
	high, low = bits.Mul64(x, y)
	if high = high<<12 | low>>52; high > 0 {
		low = 1<<52 - 1
	}
	return high, low
}

// mul is MUL.
func (b bounder) mul(x, y bound) bound {
	var h [10]uint64
	for i := range x {
		for j := range y {
			high, _ := b.halves(x[i], y[j])
			h[i+j+1] = b.plus(h[i+j+1], high)
		}
	}
	for p := 1; p <= 8; p++ {
		h[p] = b.plus(h[p], h[p])
	}
	for i := range x {
		for j := range y {
			_, low := b.halves(x[i], y[j])
			h[i+j] = b.plus(h[i+j], low)
		}
	}
	return b.fold(h)
}

// square is SQUARE.
func (b bounder) square(x bound) bound {
	var h [10]uint64
	each := func(step func(i, j int, high, low uint64)) {
		for i := range x {
			for j := i; j < len(x); j++ {
				high, low := b.halves(x[i], x[j])
				step(i, j, high, low)
			}
		}
	}
	each(func(i, j int, high, _ uint64) {
		if i != j {
			h[i+j+1] = b.plus(h[i+j+1], high)
		}
	})
	for p := 2; p <= 8; p++ {
		h[p] = b.plus(h[p], h[p])
	}
	each(func(i, j int, high, low uint64) {
		if i == j {
			h[2*i+1] = b.plus(h[2*i+1], high)
		} else {
			h[i+j] = b.plus(h[i+j], low)
		}
	})
	for p := 1; p <= 8; p++ {
		h[p] = b.plus(h[p], h[p])
	}
	each(func(i, j int, _, low uint64) {
		if i == j {
			h[2*i] = b.plus(h[2*i], low)
		}
	})
	return b.fold(h)
}

// fold is FOLD and JOIN.
func (b bounder) fold(h [10]uint64) (r bound) {
	for k := range r {
		factor := uint64(19)
		if k == 4 {
			factor = 38
		}
		r[k] = b.plus(h[k], b.times(factor, h[k+5]))
	}
	return r
}

// add is ADD.
func (b bounder) add(x, y bound) (r bound) {
	for k := range r {
		r[k] = b.plus(x[k], y[k])
	}
	return r
}

// bias returns 2^n times p as BIAS adds it.
func bias(n int) (r bound) {
	for k := range r {
		r[k] = (1<<51 - 1) << n
	}
	r[0] = (1<<51 - 19) << n
	return r
}

// sub is BIAS(n) on x and then SUB.
func (b bounder) sub(x, y bound, n int) bound {
	for k, limb := range bias(n) {
		if y[k] > limb {
			b.fail("limb %d: %#x is more than the bias %#x", k, y[k], limb)
		}
	}
	return b.add(x, bias(n))
}

// carry is CARRY.
func (b bounder) carry(x bound) (r bound) {
	for k := range r {
		r[k] = min(x[k], 1<<51-1)
		if k > 0 {
			r[k] = b.plus(r[k], x[k-1]>>51)
		}
	}
	_, low := b.halves(19, x[4]>>51)
	r[0] = b.plus(r[0], low)
	return r
}

// within fails if x can be more than limit.
func (b bounder) within(name string, x bound, limit uint64) bound {
	for k, limb := range x {
		if limb > limit {
			b.fail("%s: limb %d is up to %#x, more than %#x", name, k, limb, limit)
		}
	}
	return x
}

// reduced returns x after CARRY.
func (b bounder) reduced(name string, x bound) bound { return b.within(name, b.carry(x), reducedLimb) }

func (b bounder) wide(name string, x bound) bound { return b.within(name, x, wideLimb) }

// project is PROJECT and EXTEND.
func (b bounder) project(e, f, g, h bound) {
	b.reduced("X", b.wide("EF", b.mul(e, f)))
	b.reduced("Y", b.wide("GH", b.mul(g, h)))
	b.reduced("Z", b.wide("FG", b.mul(f, g)))
	b.reduced("T", b.wide("EH", b.mul(e, h)))
}

func TestBoundsOfDouble(t *testing.T) {
	b := bounder{t.Errorf}
	square := b.wide("A, B, C", b.square(reduced))
	s := b.wide("S", b.square(b.reduced("X+Y", b.add(reduced, reduced))))
	h := b.reduced("H", b.add(square, square))
	g := b.reduced("G", b.sub(square, square, 8))
	e := b.reduced("E", b.sub(s, h, 2))
	f := b.reduced("F", b.sub(b.add(square, square), g, 2))
	b.project(e, f, g, h)
}

func TestBoundsOfAddCached(t *testing.T) {
	b := bounder{t.Errorf}
	left := b.wide("A", b.mul(b.reduced("Y-X", b.sub(reduced, reduced, 2)), reduced))
	right := b.wide("B", b.mul(b.reduced("Y+X", b.add(reduced, reduced)), reduced))
	product := b.wide("C, D", b.mul(reduced, reduced))
	c := product
	for k, limb := range b.sub(bound{}, product, 8) { // in the lanes that are negated
		c[k] = max(c[k], limb)
	}
	e := b.reduced("E", b.sub(right, left, 8))
	h := b.reduced("H", b.add(right, left))
	for _, d := range []bound{product, b.add(reduced, reduced)} { // of ADDCACHED, and of ADDAFFINE
		f := b.reduced("F", b.sub(b.wide("D", d), c, 8))
		g := b.reduced("G", b.add(d, c))
		b.project(e, f, g, h)
	}
}

func TestBoundsOfFunctions(t *testing.T) {
	b := bounder{t.Errorf}
	b.reduced("mul, 2dT of cache", b.mul(reduced, reduced))
	b.reduced("squareN", b.square(reduced))
	b.reduced("add, y+x and 2z of cache", b.add(reduced, reduced))
	b.reduced("subtract, y-x of cache", b.sub(reduced, reduced, 2))
}

// TestBoundsAreTight shows that steps which field_amd64.h forbids are found.
func TestBoundsAreTight(t *testing.T) {
	for _, c := range []struct {
		name string
		step func(b bounder)
	}{
		{"a sum as a factor", func(b bounder) { b.mul(b.add(reduced, reduced), reduced) }},
		{"a wide element as a factor", func(b bounder) { b.square(b.square(reduced)) }},
		{"a bias half as large", func(b bounder) { b.sub(b.mul(reduced, reduced), b.mul(reduced, reduced), 7) }},
		{"a product of wide elements by 19", func(b bounder) { b.times(19, b.times(64, wideLimb)) }},
		{"a wide element called reduced", func(b bounder) { b.within("", b.mul(reduced, reduced), reducedLimb) }},
	} {
		found := false
		c.step(bounder{func(string, ...any) { found = true }})
		if !found {
			t.Errorf("%s: not found", c.name)
		}
	}
}
