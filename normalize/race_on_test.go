//go:build race

package normalize

// memoryTestBytes is the size of TestMemory's file. The race detector slows reading down about ten times.
const memoryTestBytes = 20 << 20
