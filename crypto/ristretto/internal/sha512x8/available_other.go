//go:build !amd64 || purego

package sha512x8

// Available reports false: this build has no such code.
func Available() bool { return false }
