//go:build amd64 && !purego

package ifma

// MaxVectors and MaxElements are how much of a batch shares an inversion. More would save less than 1 % of a multiplication.
const (
	MaxVectors  = 16
	MaxElements = MaxVectors * Lanes
)

// Work is the space that functions compute in, for one goroutine at a time. It needs no initialisation and may be used
// again as it is, but holds what it last computed until Wipe.
type Work struct {
	scratch          scratch
	multiple         Vector
	table            table
	codec            codecWork
	product, inverse field
	doublings        [MaxVectors]doubling
	points           [MaxVectors]Vector
}

// Wipe clears w.
func (w *Work) Wipe() { *w = Work{} }

// Valid has a bit for each element of a batch, bit i%8 of Valid[i/8] for element i, set if it was accepted.
type Valid [MaxVectors]uint8

// All reports whether the first n elements were accepted.
func (v *Valid) All(n int) bool {
	missing := uint8(0)
	for i := range n {
		missing |= ^(v[i/Lanes] >> (i % Lanes)) & 1
	}
	return missing == 0
}

// MulEncode writes the encodings of 2k times the elements of v to dst, len(dst)/32 of them, at most MaxElements, which fill all
// vectors but the last. With k from Scalars.SetAllHalf or SetLaneHalf these are the products by the scalars given there.
// It leaves v as it is.
func MulEncode(dst []byte, k *Scalars, v []Vector, w *Work) {
	n := (len(dst) + Lanes*ElementSize - 1) / (Lanes * ElementSize)
	for i := range n {
		w.points[i].Mul(k, &v[i], w)
	}
	w.scratch = scratch{} // which holds what the last digit chose
	DoubleEncode(dst, w.points[:n], w)
}

// MulEncodeEach is MulEncode with k[i] for v[i].
func MulEncodeEach(dst []byte, k []Scalars, v []Vector, w *Work) {
	n := (len(dst) + Lanes*ElementSize - 1) / (Lanes * ElementSize)
	for i := range n {
		w.points[i].Mul(&k[i], &v[i], w)
	}
	w.scratch = scratch{} // which holds what the last digit chose
	DoubleEncode(dst, w.points[:n], w)
}

// DecodeMulEncode decodes the elements in src, len(src)/32 of them and at most MaxElements, and does MulEncode. dst is as long as
// src and may be the same. It returns which elements were accepted: those canonical and not the identity. The results of
// the others are the identity, 32 zeros.
func DecodeMulEncode(dst, src []byte, k *Scalars, w *Work) (valid Valid) {
	n := 0
	for rest := src; len(rest) > 0; n++ {
		size := min(len(rest), Lanes*ElementSize)
		valid[n] = w.points[n].Decode(rest[:size], w)
		rest = rest[size:]
	}
	MulEncode(dst[:len(src)], k, w.points[:n], w)
	return valid
}
