//go:build !race && !large

package ristretto

// circlCount is the number of inputs that are compared with circl.
const circlCount = 10_000
