//go:build amd64 && !purego

package ristretto

import (
	"runtime"
	"slices"

	"filippo.io/edwards25519/field"

	"github.com/kith-project/kith/crypto/ristretto/internal/ifma"
	"github.com/kith-project/kith/crypto/ristretto/internal/sha512x8"
)

// This file is the engine of AVX-512 IFMA: eight elements at a time. It is constant time,
// sums included.

// engines returns the engines of this processor and build, the fastest first.
func engines() []engine {
	if !ifma.Available() || !sha512x8.Available() {
		return []engine{portable}
	}
	return []engine{{"ifma", func() batch { return new(ifmaBatch) }, newHashLanes}, portable}
}

// ifmaBatch is a batch of vectors of eight, of which the last is filled up with the identity.
type ifmaBatch struct {
	n           int
	vectors     []ifma.Vector
	scalars     [ifma.MaxVectors]ifma.Scalars
	work        ifma.Work
	sums        *ifma.Sum // only where there was a sum
	rows        [ifma.MaxVectors]ifma.Vector
	total, part ifma.Vector

	affine    bool            // the elements were decoded, and so have z = 1
	pippenger *ifma.Pippenger // only where there was a public sum of many
	keys      [][ScalarSize]byte
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
	b.affine = true
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
	b.affine = false
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

// commit multiplies by k and r in lanes side by side. The encodings of m itself take but a hundredth of that.
func (b *ifmaBatch) commit(dst []byte, m []Element, k *Scalar, base *Element, r []Scalar) {
	var generator Element
	if base == nil {
		base = generator.SetGenerator()
	}
	n := len(m)
	b.resize(3 * n)
	b.affine = false
	factors := make([]Scalar, 3*n)
	for i := range m {
		b.set(i, &m[i])
		b.set(n+i, &m[i])
		b.set(2*n+i, base)
		factors[i], factors[n+i], factors[2*n+i] = *k, r[i], r[i]
	}
	packed := make([]byte, 4*n*ElementSize)
	for i := range (n + ifma.Lanes - 1) / ifma.Lanes {
		b.vectors[i].Encode(packed[i*ifma.Lanes*ElementSize:min(n, (i+1)*ifma.Lanes)*ElementSize], &b.work)
	}
	b.multiplyEach(packed[n*ElementSize:], factors)
	clear(factors)
	for i := range m {
		for j, from := range [4]int{0, n, 3 * n, 2 * n} { // M, k*M, r*base, r*M
			copy(dst[i*commitmentsSize+j*ElementSize:], packed[(from+i)*ElementSize:(from+i+1)*ElementSize])
		}
	}
}

// set sets element i.
func (b *ifmaBatch) set(i int, e *Element) {
	x, y, z, t := e.p.ExtendedCoordinates()
	b.vectors[i/ifma.Lanes].SetCoordinates(i%ifma.Lanes, (*[32]byte)(x.Bytes()), (*[32]byte)(y.Bytes()), (*[32]byte)(z.Bytes()), (*[32]byte)(t.Bytes()))
}

func (b *ifmaBatch) sum(e *Element, weights []Scalar) {
	var sum [1]Element
	b.add(sum[:], []int{b.n}, 0, weights)
	*e = sum[0]
}

// shortRun is the length of the runs that share lanes: beyond it, one run alone fills them well enough.
const shortRun = 16

func (b *ifmaBatch) varTimeSums(e []Element, lengths []int, weights []Scalar) {
	first := 0
	for len(lengths) > 0 {
		runs, total := 1, lengths[0]
		for runs < min(ifma.Lanes, len(lengths)) && lengths[0] <= shortRun && lengths[runs] <= shortRun {
			total += lengths[runs]
			runs++
		}
		if b.affine && total >= pippengerFrom && first%ifma.Lanes == 0 {
			b.addMany(&e[0], first, weights[first:first+total])
		} else {
			b.add(e[:runs], lengths[:runs], first, weights[first:first+total])
		}
		e, lengths, first = e[runs:], lengths[runs:], first+total
	}
}

// Pippenger's method beats that of Straus from pippengerFrom elements on (BenchmarkPippenger: at 1,024 elements 1.0 µs each
// against 2.3, at 192 and fewer slower; AMD EPYC with AVX-512, Go 1.26). pippengerMost are added up at a time: its memory, and
// how long nothing else can run, grow with them.
const (
	pippengerFrom = 256
	pippengerMost = 1024
)

// addMany sets e to the sum of a run of elements, which begins with a vector.
func (b *ifmaBatch) addMany(e *Element, first int, weights []Scalar) {
	if b.pippenger == nil {
		b.pippenger = new(ifma.Pippenger)
	}
	b.total.SetIdentity()
	for len(weights) >= pippengerFrom {
		n := min(len(weights), pippengerMost)
		b.keys = grow(b.keys, n)
		for i := range b.keys {
			b.keys[i] = weights[i].Bytes()
		}
		at := first / ifma.Lanes
		b.pippenger.MultiplyVarTime(&b.part, b.keys, b.vectors[at:at+(n+ifma.Lanes-1)/ifma.Lanes])
		b.total.Add(&b.part, &b.work)
		weights, first = weights[n:], first+n
		runtime.Gosched()
	}
	b.element(e, 0)
	if len(weights) > 0 {
		var rest [1]Element
		b.add(rest[:], []int{len(weights)}, first, weights)
		e.Add(e, &rest[0])
	}
}

// add sets e[i] to the sum of each of up to eight runs of elements from first on. It is constant time but for the lengths.
// Each run has so many lanes for itself as there are, and is added up in all of them at a time.
func (b *ifmaBatch) add(e []Element, lengths []int, first int, weights []Scalar) {
	if b.sums == nil {
		b.sums = new(ifma.Sum)
	}
	lanes := ifma.Lanes
	for lanes*len(e) > ifma.Lanes {
		lanes /= 2
	}
	rows := (slices.Max(lengths) + lanes - 1) / lanes
	b.total.SetIdentity()
	for from := 0; from < rows; from += ifma.MaxVectors {
		n := min(ifma.MaxVectors, rows-from)
		b.spread(from, n, lanes, lengths, first, weights)
		b.sums.Multiply(&b.part, b.scalars[:n], b.rows[:n], lanes)
		b.total.Add(&b.part, &b.work)
		runtime.Gosched()
	}
	clear(b.scalars[:])
	for i := range e {
		b.element(&e[i], i*lanes)
	}
}

// spread puts the elements that come to the n rows from the row from on, and their weights, into b.rows and b.scalars: element t of
// run i goes to row t/lanes, lane i*lanes + t%lanes. What is left is the identity.
func (b *ifmaBatch) spread(from, n, lanes int, lengths []int, first int, weights []Scalar) {
	clear(b.scalars[:n])
	for i := range b.rows[:n] {
		b.rows[i].SetIdentity()
	}
	begin := 0
	for i, length := range lengths {
		for t := from * lanes; t < min(length, (from+n)*lanes); t++ {
			row, lane, element := t/lanes-from, i*lanes+t%lanes, first+begin+t
			b.rows[row].SetLane(lane, &b.vectors[element/ifma.Lanes], element%ifma.Lanes)
			weight := weights[begin+t].Bytes()
			b.scalars[row].SetLane(lane, &weight)
		}
		begin += length
	}
}

// element sets e to what is in a lane of b.total.
func (b *ifmaBatch) element(e *Element, lane int) {
	var coordinates [4]field.Element
	x, y, z, t := b.total.Coordinates(lane, &b.work)
	for i, encoded := range [4]*[ElementSize]byte{&x, &y, &z, &t} {
		if _, err := coordinates[i].SetBytes(encoded[:]); err != nil {
			panic(err) // of another length than 32
		}
	}
	if _, err := e.p.SetExtendedCoordinates(&coordinates[0], &coordinates[1], &coordinates[2], &coordinates[3]); err != nil {
		panic("ristretto: " + err.Error()) // no point of the curve: the arithmetic is wrong
	}
}

func (b *ifmaBatch) wipe() {
	clear(b.vectors[:cap(b.vectors)])
	clear(b.rows[:])
	clear(b.scalars[:])
	b.work.Wipe()
	b.total.Wipe()
	b.part.Wipe()
	if b.sums != nil {
		b.sums.Wipe()
	}
	clear(b.keys[:cap(b.keys)])
	b.pippenger = nil // which has public values alone
}
