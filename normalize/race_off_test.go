//go:build !race

package normalize

// memoryTestBytes is the size of TestMemory's file: 50 MB, as the package promises.
const memoryTestBytes = 50 << 20
