//go:build amd64 && !purego

package ifma

import (
	"math/big"
	"testing"
)

// edgeVector returns coordinates at the ends of their range. They are no point of the curve, but the formulas are polynomials.
func edgeVector() *Vector { return &Vector{edgeField(), edgeField(), edgeField(), edgeField()} }

// arithmetic on values modulo p.
func times(x, y *big.Int) *big.Int { return new(big.Int).Mul(x, y) }
func plus(x, y *big.Int) *big.Int  { return new(big.Int).Add(x, y) }
func minus(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }

// checkVector compares p with the point that has the factors.
func checkVector(t *testing.T, name string, p *Vector, factors func(j int) (e, f, g, h *big.Int)) {
	t.Helper()
	checkField(t, name+": x", &p.x, func(j int) *big.Int { e, f, _, _ := factors(j); return times(e, f) })
	checkField(t, name+": y", &p.y, func(j int) *big.Int { _, _, g, h := factors(j); return times(g, h) })
	checkField(t, name+": z", &p.z, func(j int) *big.Int { _, f, g, _ := factors(j); return times(f, g) })
	checkField(t, name+": t", &p.t, func(j int) *big.Int { e, _, _, h := factors(j); return times(e, h) })
}

func testDoubleEqualsFormula(t *testing.T) {
	var s scratch
	for range 200 {
		q := edgeVector()
		p := *q
		double(&p, &s)
		checkVector(t, "double", &p, func(j int) (e, f, g, h *big.Int) {
			x, y, z := q.x.value(j), q.y.value(j), q.z.value(j)
			h, g = plus(times(x, x), times(y, y)), minus(times(y, y), times(x, x))
			e, f = minus(times(plus(x, y), plus(x, y)), h), minus(times(plus(z, z), z), g)
			return e, f, g, h
		})
	}
}

func testAddCachedEqualsFormula(t *testing.T) {
	var s scratch
	for range 200 {
		q := edgeVector()
		c := &cached{edgeField(), edgeField(), edgeField(), edgeField()}
		p := *q
		addCached(&p, c, &s)
		checkVector(t, "addCached", &p, func(j int) (e, f, g, h *big.Int) { return sumFactors(q, c, j, false) })
	}
}

// sumFactors returns E, F, G and H of ADDCACHED, with c negated or not.
func sumFactors(q *Vector, c *cached, j int, negated bool) (e, f, g, h *big.Int) {
	x, y, yPlusX, yMinusX := q.x.value(j), q.y.value(j), c.yPlusX.value(j), c.yMinusX.value(j)
	tt, zz := times(q.t.value(j), c.t2d.value(j)), times(q.z.value(j), c.z2.value(j))
	if negated {
		yPlusX, yMinusX = yMinusX, yPlusX
		tt.Neg(tt)
	}
	left, right := times(minus(y, x), yMinusX), times(plus(y, x), yPlusX)
	return minus(right, left), minus(zz, tt), plus(zz, tt), plus(right, left)
}

// testStrausAddsEachDigit adds one digit, another in each lane, of a table of unrelated entries: that each lane gets its own
// entry, or the identity, and its sign.
func testStrausAddsEachDigit(t *testing.T) {
	var s scratch
	var entries table
	for i := range entries {
		entries[i] = cached{edgeField(), edgeField(), edgeField(), edgeField()}
	}
	identity := &cached{one, one, inAllLanes([5]uint64{2}), zero}
	for first := -8; first <= 8; first++ {
		var k Scalars
		for j := range k[0] {
			k[0][j] = int8((first+5*j+8+17)%17 - 8)
		}
		q := edgeVector()
		p := *q
		straus(&p, &s, &entries, &k, 1, 0)
		checkVector(t, "straus", &p, func(j int) (e, f, g, h *big.Int) {
			digit, entry := k[0][j], identity
			if digit != 0 {
				entry = &entries[max(digit, -digit)-1]
			}
			return sumFactors(q, entry, j, digit < 0)
		})
	}
}
