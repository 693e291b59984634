//go:build amd64 && !purego

package ristretto

import (
	"runtime"

	"github.com/kith-project/kith/crypto/ristretto/internal/ifma"
)

// This file is the engine of AVX-512 IFMA: eight elements at a time. It is constant time, but for varTimeSum.

// engines returns the engines of this processor and build, the fastest first.
func engines() []engine {
	if !ifma.Available() {
		return []engine{portable}
	}
	return []engine{{"ifma", func() batch { return new(ifmaBatch) }}, portable}
}

// ifmaBatch is a batch of vectors of eight, of which the last is filled up with the identity.
type ifmaBatch struct {
	n           int
	vectors     []ifma.Vector
	scalars     [ifma.MaxVectors]ifma.Scalars
	work        ifma.Work
	sums        *ifma.Sum // only where there was a sum
	total, part ifma.Vector
	weights     [][ScalarSize]byte
}

func (b *ifmaBatch) resize(n int) {
	b.n = n
	b.vectors = grow(b.vectors, (n+ifma.Lanes-1)/ifma.Lanes)
}

// span returns which elements are in the vectors from to to.
func (b *ifmaBatch) span(from, to int) (first, end int) {
	return from * ifma.Lanes, min(to*ifma.Lanes, b.n)
}

func (b *ifmaBatch) decode(packed []byte, ok []bool) {
	for i := range b.vectors {
		first, end := b.span(i, i+1)
		valid := b.vectors[i].Decode(packed[first*ElementSize:end*ElementSize], &b.work)
		for j := range end - first {
			ok[first+j] = valid>>j&1 == 1
		}
		yield(i, decodeYield)
	}
}

func (b *ifmaBatch) derive(uniform []byte) bool {
	identities := uint8(0)
	for i := range b.vectors {
		first, end := b.span(i, i+1)
		b.vectors[i].Derive(uniform[first*UniformSize:end*UniformSize], &b.work)
		identities |= b.vectors[i].Identities(&b.work) & (1<<(end-first) - 1)
		yield(i, decodeYield/ifma.Lanes)
	}
	return identities == 0
}

func (b *ifmaBatch) multiply(dst []byte, k *Scalar) {
	encoded := k.Bytes()
	b.scalars[0].SetAllHalf(&encoded)
	clear(encoded[:])
	for from := 0; from < len(b.vectors); from += ifma.MaxVectors {
		to := min(from+ifma.MaxVectors, len(b.vectors))
		first, end := b.span(from, to)
		ifma.MulEncode(dst[first*ElementSize:end*ElementSize], &b.scalars[0], b.vectors[from:to], &b.work)
		runtime.Gosched()
	}
	b.scalars[0].Wipe()
}

func (b *ifmaBatch) multiplyEach(dst []byte, k []Scalar) {
	var encoded [ScalarSize]byte
	for from := 0; from < len(b.vectors); from += ifma.MaxVectors {
		to := min(from+ifma.MaxVectors, len(b.vectors))
		first, end := b.span(from, to)
		for i := range k[first:end] {
			encoded = k[first+i].Bytes()
			b.scalars[i/ifma.Lanes].SetLaneHalf(i%ifma.Lanes, &encoded)
		}
		ifma.MulEncodeEach(dst[first*ElementSize:end*ElementSize], b.scalars[:], b.vectors[from:to], &b.work)
		runtime.Gosched()
	}
	clear(encoded[:])
	clear(b.scalars[:])
}

func (b *ifmaBatch) sum(e *Element, weights []Scalar) { b.add(e, weights, (*ifma.Sum).Multiply) }

func (b *ifmaBatch) varTimeSum(e *Element, weights []Scalar) {
	b.add(e, weights, (*ifma.Sum).MultiplyVarTime)
}

// add sets e to the sum of weights[i] times element i by multiply, a group of vectors after the other.
func (b *ifmaBatch) add(e *Element, weights []Scalar, multiply func(s *ifma.Sum, p *ifma.Vector, k [][ScalarSize]byte, v []ifma.Vector)) {
	if b.sums == nil {
		b.sums = new(ifma.Sum)
	}
	b.weights = grow(b.weights, min(len(weights), ifma.MaxElements))
	b.total.SetIdentity()
	for from := 0; from < len(b.vectors); from += ifma.MaxVectors {
		to := min(from+ifma.MaxVectors, len(b.vectors))
		first, end := b.span(from, to)
		for i := range weights[first:end] {
			b.weights[i] = weights[first+i].Bytes()
		}
		multiply(b.sums, &b.part, b.weights[:end-first], b.vectors[from:to])
		b.total.Add(&b.part, &b.work)
		runtime.Gosched()
	}
	clear(b.weights)
	var encoded [ElementSize]byte
	b.total.Encode(encoded[:], &b.work)
	decode(&e.p, encoded[:]) // the identity, if that is what it is
}

func (b *ifmaBatch) wipe() {
	clear(b.vectors[:cap(b.vectors)])
	clear(b.weights[:cap(b.weights)])
	clear(b.scalars[:])
	b.work.Wipe()
	b.total.Wipe()
	b.part.Wipe()
	if b.sums != nil {
		b.sums.Wipe()
	}
}
