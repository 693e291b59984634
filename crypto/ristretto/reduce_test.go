package ristretto

import (
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// checkReduce compares with math/big and with filippo.io/edwards25519.
func checkReduce(t *testing.T, b *[UniformSize]byte) {
	t.Helper()
	x := slices.Clone(b[:])
	slices.Reverse(x)
	want := new(big.Int).Mod(new(big.Int).SetBytes(x), order)
	s := new(Scalar).SetUniformBytes(b)
	if bigOf(s).Cmp(want) != 0 {
		t.Errorf("%x modulo l: got %v, want %v", x, bigOf(s), want)
	}
	other, err := new(edwards25519.Scalar).SetUniformBytes(b[:])
	if err != nil || other.Equal(&s.s) != 1 {
		t.Errorf("%x modulo l: got %x, edwards25519 has %x, %v", x, s.s.Bytes(), other.Bytes(), err)
	}
}

// checkReduceAround is checkReduce of x and its neighbours that have 512 bits.
func checkReduceAround(t *testing.T, x *big.Int) {
	t.Helper()
	for near := int64(-2); near <= 2; near++ {
		y := new(big.Int).Add(x, big.NewInt(near))
		if y.Sign() < 0 || y.BitLen() > 8*UniformSize {
			continue
		}
		var b [UniformSize]byte
		slices.Reverse(y.FillBytes(b[:]))
		checkReduce(t, &b)
	}
}

// TestReduceEdges has powers of two and what is next to them, multiples of l and of c, and each limb and each part of the sums at its
// ends.
func TestReduceEdges(t *testing.T) {
	one, c := big.NewInt(1), new(big.Int).Sub(order, new(big.Int).Lsh(big.NewInt(1), 252))
	if want := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(c1), 64), new(big.Int).SetUint64(c0)); c.Cmp(want) != 0 {
		t.Errorf("c: got %v, want %v", want, c)
	}
	for bit := range uint(8*UniformSize + 1) {
		power := new(big.Int).Lsh(one, bit)
		checkReduceAround(t, power)
		for _, factor := range []*big.Int{order, c} {
			multiple := new(big.Int).Mul(power, factor)
			checkReduceAround(t, multiple)
			if multiple.Sub(multiple, factor); multiple.Sign() > 0 {
				checkReduceAround(t, multiple)
			}
		}
		largest := new(big.Int).Lsh(one, 8*UniformSize)
		checkReduceAround(t, largest.Sub(largest, power))
	}
	last := new(big.Int).Div(new(big.Int).Lsh(one, 8*UniformSize), order)
	checkReduceAround(t, last.Mul(last, order))
	for pattern := range 1 << 8 {
		var b [UniformSize]byte
		for i := range b {
			b[i] = -byte(pattern >> (i / 8) & 1)
		}
		checkReduce(t, &b)
	}
}

func TestReduceRandom(t *testing.T) {
	for i := range 10_000 {
		checkReduce(t, uniform("reduce", i))
	}
}

// FuzzReduce compares with math/big and with filippo.io/edwards25519.
func FuzzReduce(f *testing.F) {
	f.Add(make([]byte, UniformSize))
	f.Add(uniform("reduce", 0)[:])
	f.Fuzz(func(t *testing.T, seed []byte) {
		var b [UniformSize]byte
		copy(b[:], seed)
		checkReduce(t, &b)
	})
}

// BenchmarkReduce is a scalar of 64 bytes, in turns with the same by filippo.io/edwards25519, which stands as one by one.
func BenchmarkReduce(b *testing.B) {
	var s Scalar
	var other edwards25519.Scalar
	x := uniform("reduce", 0)
	inTurns(b, 1, func() { s.SetUniformBytes(x) }, func() {
		if _, err := other.SetUniformBytes(x[:]); err != nil {
			b.Fatal(err)
		}
	})
}
