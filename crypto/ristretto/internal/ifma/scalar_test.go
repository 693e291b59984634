//go:build amd64 && !purego

package ifma

import (
	"fmt"
	"math/big"
	"testing"
)

var l25519 = func() *big.Int {
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	return l
}()

// scalarBytes returns v modulo the order, 32 bytes little-endian.
func scalarBytes(v *big.Int) (k [32]byte) {
	for i, b := range new(big.Int).Mod(v, l25519).FillBytes(make([]byte, 32)) {
		k[31-i] = b
	}
	return k
}

// edgeScalars are 0, 1, 2, the order less one and two and its half, and those of bits, nibbles and carries all alike.
func edgeScalars() (all [][32]byte) {
	one := big.NewInt(1)
	for _, v := range []int64{0, 1, 2, 7, 8, 9, 15, 16, 17, -1, -2, -8} {
		all = append(all, scalarBytes(big.NewInt(v)))
	}
	all = append(all, scalarBytes(new(big.Int).Rsh(l25519, 1)), scalarBytes(new(big.Int).Add(one, new(big.Int).Rsh(l25519, 1))))
	for _, nibble := range []string{"7", "8", "f"} {
		v, _ := new(big.Int).SetString("0fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 16)
		v.Div(v, big.NewInt(15))
		n, _ := new(big.Int).SetString(nibble, 16)
		all = append(all, scalarBytes(v.Mul(v, n)))
	}
	for _, bit := range []uint{3, 4, 63, 64, 127, 128, 251, 252} {
		v := new(big.Int).Lsh(one, bit)
		all = append(all, scalarBytes(v), scalarBytes(v.Sub(v, one)))
	}
	return all
}

// value returns the scalar of lane j, and fails if a digit is out of bounds.
func (s *Scalars) value(t *testing.T, j int) *big.Int {
	v := new(big.Int)
	for i := len(s) - 1; i >= 0; i-- {
		if s[i][j] < -8 || s[i][j] > 7 {
			t.Errorf("digit %d is %d", i, s[i][j])
		}
		v.Lsh(v, 4).Add(v, big.NewInt(int64(s[i][j])))
	}
	return v
}

func TestScalarsHaveTheirValue(t *testing.T) {
	scalars := edgeScalars()
	for range 1000 {
		scalars = append(scalars, randomScalar())
	}
	two := big.NewInt(2)
	for i, k := range scalars {
		want := new(big.Int).SetBytes(reversed(k))
		var s Scalars
		s.SetLane(i%Lanes, &k)
		if got := s.value(t, i%Lanes); got.Cmp(want) != 0 {
			t.Errorf("SetLane: got %x, want %x", got, want)
		}
		if other := s.value(t, (i+1)%Lanes); other.Sign() != 0 {
			t.Errorf("the next lane is %x", other)
		}
		s.SetAll(&k)
		var half Scalars
		half.SetAllHalf(&k)
		for j := range Lanes {
			if got := s.value(t, j); got.Cmp(want) != 0 {
				t.Errorf("SetAll: lane %d: got %x, want %x", j, got, want)
			}
			got := half.value(t, j)
			if got.Cmp(l25519) >= 0 || new(big.Int).Mod(new(big.Int).Mul(got, two), l25519).Cmp(want) != 0 {
				t.Errorf("SetAllHalf: lane %d: got %x, want half of %x", j, got, want)
			}
		}
	}
}

func reversed(k [32]byte) []byte {
	for i := range 16 {
		k[i], k[31-i] = k[31-i], k[i]
	}
	return k[:]
}

func TestSecretsDoNotPrint(t *testing.T) {
	k := randomScalar()
	var s Scalars
	s.SetAll(&k)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if got := fmt.Sprintf(format, &s); len(got) > 20 {
			t.Errorf("%s prints %d characters", format, len(got))
		}
	}
}
