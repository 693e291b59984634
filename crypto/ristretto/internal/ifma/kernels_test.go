//go:build amd64 && !purego

package ifma

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// kernels are the tests of what only a processor with AVX-512 IFMA runs.
var kernels = []struct {
	name string
	test func(*testing.T)
}{
	{"DecodeMulEncodeEqualsCircl", testDecodeMulEncodeEqualsCircl},
	{"EdgeScalarsEqualCircl", testEdgeScalarsEqualCircl},
	{"RefusedElementsPoisonNoOther", testRefusedElementsPoisonNoOther},
	{"MulEncodeEachHasItsOwnScalars", testMulEncodeEachHasItsOwnScalars},
	{"NothingIsAllocated", testNothingIsAllocated},
	{"GoroutinesDoNotMeet", testGoroutinesDoNotMeet},
	{"Wipe", testWipe},
	{"MultiplesOfRFC", testMultiplesOfRFC},
	{"DecodeRefuses", testDecodeRefuses},
	{"DecodePart", testDecodePart},
	{"EncodeIsOfTheClass", testEncodeIsOfTheClass},
	{"PointsEqualEdwards25519", testPointsEqualEdwards25519},
	{"DeriveOfRFC", testDeriveOfRFC},
	{"DeriveIdentity", testDeriveIdentity},
	{"FieldFunctionsEqualBig", testFieldFunctionsEqualBig},
	{"Canonical", testCanonical},
	{"Equal", testEqual},
	{"InvertAndRoot", testInvertAndRoot},
	{"PippengerEqualsSum", testPippengerEqualsSum},
	{"AddEach", testAddEach},
	{"DoubleEqualsFormula", testDoubleEqualsFormula},
	{"AddCachedEqualsFormula", testAddCachedEqualsFormula},
	{"StrausAddsEachDigit", testStrausAddsEachDigit},
	{"SumEqualsCircl", testSumEqualsCircl},
	{"SumOfEdges", testSumOfEdges},
}

// TestKernels runs the tests of kernels where they can run. Elsewhere none of them is reported as passed, and what is left to be shown is
// that nothing is missed: the processor has not what they need. Package ristretto is then tested with the engine that it uses instead.
func TestKernels(t *testing.T) {
	if !Available() {
		if processorHas(t, "avx512f", "avx512dq", "avx512ifma") {
			t.Fatal("the processor has what the kernels need, and Available says no")
		}
		t.Log("no AVX-512 IFMA here: only the portable engine is used")
		return
	}
	for _, k := range kernels {
		t.Run(k.name, k.test)
	}
}

// processorHas tells whether Linux lists all of the flags; elsewhere, and in an emulator, which lists those of another processor, it is
// not known, and so not.
func processorHas(t *testing.T, flags ...string) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || os.Getenv("KITH_TEST_EMULATOR") != "" {
		return false
	}
	have := strings.Fields(string(text))
	return !slices.ContainsFunc(flags, func(flag string) bool { return !slices.Contains(have, flag) })
}

// runnable reports whether a benchmark or a fuzz target can run here, and has its log say so if not.
func runnable(tb testing.TB) bool {
	tb.Helper()
	if !Available() {
		tb.Log("no AVX-512 IFMA here")
	}
	return Available()
}
