//go:build amd64 && !purego

package sha512x8

import "golang.org/x/sys/cpu"

var available = cpu.X86.HasAVX512F

// Available reports whether the processor has the instructions this package is made of, AVX-512 F, and the operating system
// keeps the registers they need. Where it has not, no other function may be called.
func Available() bool { return available }
