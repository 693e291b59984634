package load

import (
	"math/bits"
	"math/rand/v2"
)

// quarterClass and powerClass are the classes of counts that package client fills requests up to: quarter steps of powers of
// two from 4, and powers of two from 8.
func quarterClass(n int) int {
	if n <= 4 {
		return 4
	}
	step := max(1, 1<<bits.Len(uint(n-1))>>3)
	return (n + step - 1) / step * step
}

func powerClass(n int) int {
	if n <= 8 {
		return 8
	}
	return 1 << bits.Len(uint(n-1))
}

// fillUp appends different prefixes of that many bits to those of a set, up to n in all or as many as there are, and adds
// them to the set.
func fillUp(dice *rand.Rand, prefixes []uint32, taken map[uint32]bool, prefixBits, n int) []uint32 {
	space := uint64(1) << prefixBits
	for len(prefixes) < n && uint64(len(taken)) < space {
		if p := uint32(dice.Uint64N(space)); !taken[p] {
			taken[p] = true
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}
