//go:build !amd64 || purego

package ifma

// Available reports false: this build has no such code.
func Available() bool { return false }
