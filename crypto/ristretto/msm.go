package ristretto

import (
	"encoding/binary"
	"math/bits"
	"runtime"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// This file is sums of public elements times public weights. None of it is constant time.

// strausBelow is the number of elements from which on Pippenger's method beats that of Straus (BenchmarkVarTimeSum: at 1,024
// elements 6.6 µs each against 9.7, at 64 13.1 against 9.5; AMD EPYC with AVX-512, Go 1.26).
const strausBelow = 192

func (b *portableBatch) varTimeSums(e []Element, lengths []int, weights []Scalar) {
	from := 0
	for i, n := range lengths {
		points, weights := b.points[from:from+n], weights[from:from+n]
		if n >= strausBelow && b.affine {
			b.pippenger.sum(&e[i].p, points, weights)
		} else {
			straus(&e[i].p, points, weights)
		}
		from += n
	}
}

// straus adds the sum of weights[i] * points[i] to p.
func straus(p *edwards25519.Point, points []edwards25519.Point, weights []Scalar) {
	const most = 256 // bounds the memory of the tables: 1280 bytes each
	var part edwards25519.Point
	size := min(most, len(points))
	factors, terms := make([]*edwards25519.Scalar, 0, size), make([]*edwards25519.Point, 0, size)
	for from := 0; from < len(points); from += most {
		factors, terms = factors[:0], terms[:0]
		for i := from; i < min(from+most, len(points)); i++ {
			factors, terms = append(factors, &weights[i].s), append(terms, &points[i])
		}
		p.Add(p, part.VarTimeMultiScalarMult(factors, terms))
	}
}

// pippenger is work space for sums by Pippenger's method: each weight is written in digits of c bits with signs; for each
// place, from the highest on, the points are added to one bucket for each value of the digit, and the buckets are added
// up, each as often as its value says.
type pippenger struct {
	points  []affine
	digits  []digits
	buckets []extended
	used    []bool
}

// affine is a point with z = 1, as additions want it.
type affine struct{ yPlusX, yMinusX, xy2d field.Element }

// extended is the point x/z, y/z with x*y = z*t.
type extended struct{ x, y, z, t field.Element }

// digits is a weight plus offset(c): its digits in base 2^c less 2^(c-1) are the digits with signs, in [-2^(c-1), 2^(c-1)).
type digits [5]uint64

// window returns the digits' size c for n points: about the least of places(c) * (n + 2^c*1.3).
func window(n int) int {
	best, least := 0, 0
	for c := 4; c <= 14; c++ {
		if cost := places(c) * (n + (13<<c)/10); best == 0 || cost < least {
			best, least = c, cost
		}
	}
	return best
}

// places returns the number of digits of c bits, so many that the top one has room for a carry: weights are below 2^253.
func places(c int) int { return (254 + c - 1) / c }

// offset is the sum of 2^(c-1) * 2^(c*i) over all places.
func offset(c int) (o digits) {
	for i := range places(c) {
		at := c*i + c - 1
		o[at/64] |= 1 << (at % 64)
	}
	return o
}

// set sets d to the digits of a weight.
func (d *digits) set(weight *Scalar, offset *digits) {
	b := weight.Bytes()
	var carry uint64
	for i := range 4 {
		d[i], carry = bits.Add64(binary.LittleEndian.Uint64(b[8*i:]), offset[i], carry)
	}
	d[4] = offset[4] + carry
}

// at returns the digit of place i, with its sign.
func (d *digits) at(i, c int) int {
	low := c * i
	v := d[low/64] >> (low % 64)
	if low%64+c > 64 {
		v |= d[low/64+1] << (64 - low%64)
	}
	return int(v&(1<<c-1)) - 1<<(c-1)
}

// sum sets p to the sum of weights[i] * points[i], which have z = 1.
func (w *pippenger) sum(p *edwards25519.Point, points []edwards25519.Point, weights []Scalar) {
	c := window(len(points))
	o := offset(c)
	w.points, w.digits = grow(w.points, len(points)), grow(w.digits, len(points))
	w.buckets, w.used = grow(w.buckets, 1<<(c-1)), grow(w.used, 1<<(c-1))
	for i := range points {
		w.points[i].set(&points[i])
		w.digits[i].set(&weights[i], &o)
	}
	var part edwards25519.Point
	p.Set(edwards25519.NewIdentityPoint())
	for place := places(c) - 1; place >= 0; place-- {
		for range c {
			p.Double(p)
		}
		w.fill(place, c)
		total := w.total()
		setPoint(&part, &total.x, &total.y, &total.z, &total.t)
		p.Add(p, &part)
		runtime.Gosched()
	}
}

// fill adds each point to the bucket of its digit.
func (w *pippenger) fill(place, c int) {
	clear(w.used)
	for i := range w.points {
		digit := w.digits[i].at(place, c)
		if digit == 0 {
			continue
		}
		at := max(digit, -digit) - 1
		if !w.used[at] {
			w.used[at] = true
			w.buckets[at].setIdentity()
		}
		if digit > 0 {
			w.buckets[at].add(&w.points[i])
		} else {
			w.buckets[at].subtract(&w.points[i])
		}
	}
}

// total returns the sum of i+1 times bucket i: from the highest on, the sum of the sums so far.
func (w *pippenger) total() (total extended) {
	var running extended
	running.setIdentity()
	total.setIdentity()
	for i := len(w.buckets) - 1; i >= 0; i-- {
		if w.used[i] {
			running.addExtended(&w.buckets[i])
		}
		total.addExtended(&running)
	}
	return total
}

func (a *affine) set(p *edwards25519.Point) {
	x, y, _, t := p.ExtendedCoordinates()
	a.yPlusX.Add(y, x)
	a.yMinusX.Subtract(y, x)
	a.xy2d.Multiply(t, const2D)
}

func (v *extended) setIdentity() {
	v.x.Zero()
	v.y.One()
	v.z.One()
	v.t.Zero()
}

// The additions are those of Hisil, Wong, Carter and Dawson (eprint 2008/522, Section 3.1) for a = -1, complete on this curve.

// add sets v = v + p.
func (v *extended) add(p *affine) {
	var a, b, c, d field.Element
	a.Multiply(a.Subtract(&v.y, &v.x), &p.yMinusX)
	b.Multiply(b.Add(&v.y, &v.x), &p.yPlusX)
	c.Multiply(&v.t, &p.xy2d)
	d.Add(&v.z, &v.z)
	v.finish(&a, &b, &c, &d)
}

// subtract sets v = v - p.
func (v *extended) subtract(p *affine) {
	var a, b, c, d field.Element
	a.Multiply(a.Subtract(&v.y, &v.x), &p.yPlusX)
	b.Multiply(b.Add(&v.y, &v.x), &p.yMinusX)
	c.Multiply(&v.t, c.Negate(&p.xy2d))
	d.Add(&v.z, &v.z)
	v.finish(&a, &b, &c, &d)
}

// addExtended sets v = v + p.
func (v *extended) addExtended(p *extended) {
	var a, b, c, d, e field.Element
	a.Multiply(a.Subtract(&v.y, &v.x), e.Subtract(&p.y, &p.x))
	b.Multiply(b.Add(&v.y, &v.x), e.Add(&p.y, &p.x))
	c.Multiply(c.Multiply(&v.t, const2D), &p.t)
	d.Multiply(&v.z, &p.z)
	d.Add(&d, &d)
	v.finish(&a, &b, &c, &d)
}

// finish is what the additions have in common.
func (v *extended) finish(a, b, c, d *field.Element) {
	var e, f, g, h field.Element
	e.Subtract(b, a)
	f.Subtract(d, c)
	g.Add(d, c)
	h.Add(b, a)
	v.x.Multiply(&e, &f)
	v.y.Multiply(&g, &h)
	v.z.Multiply(&f, &g)
	v.t.Multiply(&e, &h)
}
