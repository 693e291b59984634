//go:build race && !large

package ristretto

// circlCount is smaller under the race detector, which makes circl ten times slower.
const circlCount = 1_000
