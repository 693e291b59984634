//go:build large

package ristretto

// circlCount is what `make ristretto-1m` compares: minutes.
const circlCount = 1_000_000
