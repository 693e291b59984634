package load

import "math/rand/v2"

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
