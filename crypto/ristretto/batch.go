package ristretto

import "slices"

// Batch is a number of elements to compute on together. The zero value is an empty batch. It keeps its memory for the
// elements that are decoded next, so that one that is used again allocates next to nothing. A Batch must not be used by two goroutines
// at a time. Weights and scalars whose number is not that of the elements are a mistake of the program, and panic.
type Batch struct {
	elements batch
	n        int
	ok       []bool
	uniform  []byte
	// What a single sum is put into, so that it need not be allocated.
	sum       [1]Element
	sumLength [1]int
}

// Len returns the number of elements.
func (b *Batch) Len() int { return b.n }

// resize makes room for n elements.
func (b *Batch) resize(n int) {
	if b.elements == nil {
		b.elements = current.newBatch()
	}
	b.elements.resize(n)
	b.n = n
}

// Decode sets b to the elements that are packed, 32 bytes each. It returns ErrLength, or ErrElement if any of them is not
// canonical or is the identity, and then b is empty.
func (b *Batch) Decode(packed []byte) error {
	b.ok = grow(b.ok, len(packed)/ElementSize)
	accepted, err := b.DecodeEach(packed, b.ok)
	if err == nil && accepted != len(b.ok) {
		err = ErrElement
	}
	if err != nil {
		b.n = 0
	}
	return err
}

// DecodeEach is Decode with a verdict on each element: ok[i] becomes false if element i is not canonical or is the identity,
// and then the identity stands in its place. It returns how many were accepted, or ErrLength, and then b is empty.
func (b *Batch) DecodeEach(packed []byte, ok []bool) (accepted int, err error) {
	n := len(packed) / ElementSize
	if len(packed)%ElementSize != 0 {
		b.n = 0
		return 0, ErrLength
	}
	mustMatch(len(ok), n)
	b.resize(n)
	b.elements.decode(packed, ok)
	for _, accept := range ok {
		if accept {
			accepted++
		}
	}
	return accepted, nil
}

// Hash sets b to the elements that the messages are hashed to by h. It returns ErrElement if one of them is the identity,
// which has a probability of 2^-252, and then b is empty.
func (b *Batch) Hash(h *Hasher, messages [][]byte) error {
	b.uniform = grow(b.uniform, len(messages)*UniformSize)
	h.expandAll(b.uniform, messages)
	return b.derive()
}

// derive sets b to the elements of b.uniform.
func (b *Batch) derive() error {
	b.resize(len(b.uniform) / UniformSize)
	if !b.elements.derive(b.uniform) {
		b.n = 0
		return ErrElement
	}
	return nil
}

// AppendMultiply appends the encodings of k times each element, 32 bytes each, to dst, in constant time.
func (b *Batch) AppendMultiply(dst []byte, k *Scalar) []byte {
	dst, products := extend(dst, b.n*ElementSize)
	if b.n > 0 {
		b.elements.multiply(products, k)
	}
	return dst
}

// AppendMultiplyEach appends the encodings of k[i] times element i, 32 bytes each, to dst, in constant time.
func (b *Batch) AppendMultiplyEach(dst []byte, k []Scalar) []byte {
	mustMatch(len(k), b.n)
	dst, products := extend(dst, b.n*ElementSize)
	if b.n > 0 {
		b.elements.multiplyEach(products, k)
	}
	return dst
}

// Sum sets e to the sum of weights[i] times element i, in constant time.
func (b *Batch) Sum(e *Element, weights []Scalar) {
	mustMatch(len(weights), b.n)
	e.SetIdentity()
	if b.n > 0 {
		b.elements.sum(e, weights)
	}
}

// VarTimeSum sets e to the sum of weights[i] times element i, all of which are public.
func (b *Batch) VarTimeSum(e *Element, weights []Scalar) {
	b.sumLength[0] = b.n
	b.VarTimeSums(b.sum[:], b.sumLength[:], weights)
	*e = b.sum[0]
}

// VarTimeSums is VarTimeSum of several runs of elements: e[i] becomes that of the lengths[i] elements that follow those of the
// runs before. Short runs share lanes, so that many cost little more than one. All elements and weights are public.
func (b *Batch) VarTimeSums(e []Element, lengths []int, weights []Scalar) {
	total := 0
	for _, n := range lengths {
		total += n
	}
	mustMatch(total, b.n)
	mustMatch(len(weights), b.n)
	mustMatch(len(e), len(lengths))
	for i := range e {
		e[i].SetIdentity()
	}
	if b.n > 0 {
		b.elements.varTimeSums(e, lengths, weights)
	}
}

// AppendCommitments appends the encodings of m[i], k*m[i], r[i]*base and r[i]*m[i], 128 bytes for each i, to dst, in constant
// time: the elements that GenerateProof of RFC 9497, Section 2.2.1, hashes for a key k and a nonce r. base is the generator if
// it is nil. The elements of b are lost.
func (b *Batch) AppendCommitments(dst []byte, m []Element, k *Scalar, base *Element, r []Scalar) []byte {
	mustMatch(len(r), len(m))
	dst, commitments := extend(dst, len(m)*commitmentsSize)
	b.resize(0)
	if len(m) > 0 {
		b.elements.commit(commitments, m, k, base, r)
		b.n = 0
	}
	return dst
}

// commitmentsSize is the length of what AppendCommitments appends for each element: four elements.
const commitmentsSize = 4 * ElementSize

// Wipe clears the memory of b, and makes b empty.
func (b *Batch) Wipe() {
	if b.elements != nil {
		b.elements.wipe()
	}
	clear(b.uniform[:cap(b.uniform)])
	b.sum = [1]Element{}
	b.n = 0
}

// mustMatch panics if the counts differ.
func mustMatch(got, want int) {
	if got != want {
		panic("ristretto: numbers of scalars and elements differ")
	}
}

// grow returns a slice of n, of the memory of s if it is enough. What it holds is undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// extend returns dst with n more bytes, and these bytes.
func extend(dst []byte, n int) (all, added []byte) {
	all = slices.Grow(dst, n)[:len(dst)+n]
	return all, all[len(dst):]
}
