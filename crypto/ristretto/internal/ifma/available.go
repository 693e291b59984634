//go:build amd64 && !purego

package ifma

import "golang.org/x/sys/cpu"

var available = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512IFMA

// Available reports whether the processor has the instructions this package is made of, AVX-512 F, DQ and IFMA, and the
// operating system keeps the registers they need. Where it has not, no other function may be called.
func Available() bool { return available }
