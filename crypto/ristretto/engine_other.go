//go:build !amd64 || purego

package ristretto

// engines returns the engines of this processor and build, the fastest first.
func engines() []engine { return []engine{portable} }
