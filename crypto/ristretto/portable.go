package ristretto

import (
	"runtime"

	"filippo.io/edwards25519"
)

// This file is the engine for every processor. It is constant time, but for varTimeSums.

// chunk is how many points share the inversion of encodeDoubles: their work space stays in the first-level cache.
const chunk = 32

// yieldEvery is after how many multiplications, and decodeYield after how many elements decoded or hashed, a batch lets others
// run, about every ms: on a busy core, a request that is to be refused would otherwise wait for the end of a time slice.
const (
	yieldEvery  = 16
	decodeYield = 128
)

// yield lets others run after every so many elements.
func yield(i, every int) {
	if i%every == every-1 {
		runtime.Gosched()
	}
}

// portableBatch is a batch of edwards25519 points.
type portableBatch struct {
	points  []edwards25519.Point
	affine  bool               // the points have z = 1
	half    edwards25519.Point // of the product at hand; here, and not on the stack, since a func is given its address
	doubles [chunk]doubling
	pippenger
}

func (b *portableBatch) resize(n int) { b.points = grow(b.points, n) }

func (b *portableBatch) decode(packed []byte, ok []bool) {
	b.affine = true
	for i := range b.points {
		ok[i] = decode(&b.points[i], packed[i*ElementSize:(i+1)*ElementSize]) == 1
		yield(i, decodeYield)
	}
}

func (b *portableBatch) derive(uniform []byte) bool {
	b.affine = false
	identities := 0
	for i := range b.points {
		derive(&b.points[i], (*[UniformSize]byte)(uniform[i*UniformSize:]))
		identities |= isIdentity(&b.points[i])
		yield(i, decodeYield)
	}
	return identities == 0
}

func (b *portableBatch) multiply(dst []byte, k *Scalar) {
	var kHalf Scalar
	defer kHalf.Wipe()
	kHalf.Halve(k)
	b.encode(dst, func(p *edwards25519.Point, i int) { p.ScalarMult(&kHalf.s, &b.points[i]) })
}

func (b *portableBatch) multiplyEach(dst []byte, k []Scalar) {
	var kHalf Scalar
	defer kHalf.Wipe()
	b.encode(dst, func(p *edwards25519.Point, i int) { p.ScalarMult(&kHalf.Halve(&k[i]).s, &b.points[i]) })
}

// encode writes the encodings of the doubles of what multiply sets p to for each element i.
func (b *portableBatch) encode(dst []byte, multiply func(p *edwards25519.Point, i int)) {
	for from := 0; from < len(b.points); from += chunk {
		n := min(chunk, len(b.points)-from)
		for i := range n {
			multiply(&b.half, from+i)
			b.doubles[i].set(&b.half)
			yield(i, yieldEvery)
		}
		encodeDoubles(dst[from*ElementSize:], b.doubles[:n])
	}
}

func (b *portableBatch) sum(e *Element, weights []Scalar) {
	var part edwards25519.Point
	var scalars [chunk]*edwards25519.Scalar
	var points [chunk]*edwards25519.Point
	for from := 0; from < len(b.points); from += chunk {
		n := min(chunk, len(b.points)-from)
		for i := range n {
			scalars[i], points[i] = &weights[from+i].s, &b.points[from+i]
		}
		e.p.Add(&e.p, part.MultiScalarMult(scalars[:n], points[:n]))
		runtime.Gosched()
	}
}

func (b *portableBatch) commit(dst []byte, m []Element, k *Scalar, base *Element, r []Scalar) {
	var e Element
	for i := range m {
		commitments := dst[i*commitmentsSize : (i+1)*commitmentsSize]
		encode(commitments, &m[i].p)
		encode(commitments[ElementSize:], &e.Multiply(k, &m[i]).p)
		if base == nil {
			e.MultiplyGenerator(&r[i])
		} else {
			e.Multiply(&r[i], base)
		}
		encode(commitments[2*ElementSize:], &e.p)
		encode(commitments[3*ElementSize:], &e.Multiply(&r[i], &m[i]).p)
		yield(i, yieldEvery/4)
	}
}

func (b *portableBatch) wipe() {
	clear(b.points[:cap(b.points)])
	clear(b.doubles[:])
	b.half = edwards25519.Point{}
	b.pippenger = pippenger{}
}
