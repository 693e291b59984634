package client

import (
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
)

// newDice returns a source for the order and the padding of requests, seeded with 32 bytes of Options.Rand. It returns
// the reader's error.
func newDice(random io.Reader) (*rand.Rand, error) {
	var seed [32]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("client: reading randomness: %w", err)
	}
	return rand.New(rand.NewChaCha8(seed)), nil
}

// shuffle puts s in random order. In the order of the evaluations, tags and prefixes would tell which element of the
// account's request is which contact.
func shuffle[T any](dice *rand.Rand, s []T) {
	dice.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// QuarterClass returns the smallest class of counts that holds n: quarter steps of powers of two from 4, that is 4, 5, 6,
// 7, 8, 10, 12, 14, 16, 20. Padding costs at most a quarter, and the server learns the size to that precision only.
func QuarterClass(n int) int {
	if n <= 4 {
		return 4
	}
	step := max(1, 1<<bits.Len(uint(n-1))>>3)
	return (n + step - 1) / step * step
}

// PowerClass returns the smallest power of two that holds n, at least 8. Labels are fetched in these coarser classes:
// their count is that of friends who use the app.
func PowerClass(n int) int {
	if n <= 8 {
		return 8
	}
	return 1 << bits.Len(uint(n-1))
}

// drawPrefixes returns n different prefixes of that many bits that are not in taken, uniformly, or all there are if
// they are fewer. It adds them to taken.
func drawPrefixes(dice *rand.Rand, prefixBits, n int, taken map[uint32]bool) []uint32 {
	space := uint64(1) << prefixBits
	n = int(min(uint64(n), space-uint64(len(taken))))
	drawn := make([]uint32, 0, max(n, 0))
	for len(drawn) < n {
		if p := uint32(dice.Uint64N(space)); !taken[p] {
			taken[p] = true
			drawn = append(drawn, p)
		}
	}
	return drawn
}
