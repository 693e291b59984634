//go:build amd64 && !purego

package ifma

// MaxVectors and MaxElements are how much of a batch is done at a time. More than sixteen vectors to an inversion would save
// under 1 % of a multiplication.
const (
	MaxVectors  = 16
	MaxElements = MaxVectors * Lanes
)

// Work is the space that functions compute in, for one goroutine at a time. It needs no initialisation and may be used
// again as it is, but holds what it last computed until Wipe.
type Work struct {
	scratch   scratch
	multiple  Vector
	table     table
	doublings [MaxVectors]doubling
	points    [MaxVectors]Vector
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

// DecodeMulEncode decodes the elements in src, len(src)/32 of them and at most MaxElements, multiplies each by 2 and by the
// scalar of its lane, and encodes the product to dst, which is as long as src and may be the same. With k from
// Scalars.SetAllHalf that is the product by the scalar given there.
//
// It returns which elements were accepted: those canonical and not the identity. The results of the others are the
// identity, 32 zeros.
func DecodeMulEncode(dst, src []byte, k *Scalars, w *Work) (valid Valid) {
	n := 0
	for rest := src; len(rest) > 0; n++ {
		size := min(len(rest), Lanes*ElementSize)
		valid[n] = w.points[n].Decode(rest[:size])
		rest = rest[size:]
	}
	for i := range n {
		w.points[i].Mul(k, &w.points[i], w)
	}
	DoubleEncode(dst[:len(src)], w.points[:n], w)
	return valid
}
