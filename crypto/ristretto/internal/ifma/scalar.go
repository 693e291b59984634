//go:build amd64 && !purego

package ifma

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// digits is how many digits of radix 16 a scalar has.
const digits = 64

// order is l = 2^252 + 27742317777372353535851937790883648493, the order of ristretto255, lowest word first.
var order = [4]uint64{0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000}

// Scalars is a scalar for each lane, as 64 signed digits of radix 16, each from -8 to 7: that of 16^i for lane j is
// Scalars[i][j]. It is as secret as the scalars. The zero value is 0 in every lane.
type Scalars [digits][Lanes]int8

// SetAll sets every lane to k, 32 bytes little-endian and less than the order of the group.
func (s *Scalars) SetAll(k *[32]byte) {
	s.SetLane(0, k)
	s.spread()
}

// SetAllHalf sets every lane to k/2 modulo the order of the group, k as for SetAll.
func (s *Scalars) SetAllHalf(k *[32]byte) {
	s.SetLaneHalf(0, k)
	s.spread()
}

// spread copies lane 0 to the others.
func (s *Scalars) spread() {
	for i := range s {
		for j := range s[i] {
			s[i][j] = s[i][0]
		}
	}
}

// SetLaneHalf sets lane j to k/2 modulo the order of the group, k as for SetAll. The order is odd, so k/2 = (k + l)/2 for odd k.
func (s *Scalars) SetLaneHalf(j int, k *[32]byte) {
	w := words(k)
	odd := -(w[0] & 1)
	var carry uint64
	for i := range w {
		w[i], carry = bits.Add64(w[i], order[i]&odd, carry)
	}
	var half [32]byte
	for i := range w {
		high := uint64(0)
		if i < 3 {
			high = w[i+1] << 63
		}
		binary.LittleEndian.PutUint64(half[8*i:], w[i]>>1|high)
	}
	s.SetLane(j, &half)
	clear(half[:])
	clear(w[:])
}

// SetLane sets lane j to k, as for SetAll.
func (s *Scalars) SetLane(j int, k *[32]byte) {
	carry := int8(0)
	for i, b := range k {
		carry = s.setDigit(2*i, j, int8(b&15)+carry)
		carry = s.setDigit(2*i+1, j, int8(b>>4)+carry)
	}
}

// setDigit stores v, from 0 to 16, as a digit from -8 to 7 and returns the carry to the next digit, 0 or 1.
func (s *Scalars) setDigit(i, j int, v int8) (carry int8) {
	carry = (v + 8) >> 4
	s[i][j] = v - carry<<4
	return carry
}

// Format writes a placeholder for every verb.
func (s *Scalars) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// Wipe clears s.
func (s *Scalars) Wipe() { *s = Scalars{} }

// words returns k as four words, lowest first.
func words(k *[32]byte) (w [4]uint64) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(k[8*i:])
	}
	return w
}
