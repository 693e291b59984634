//go:build amd64 && !purego

package ifma

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

var (
	p25519 = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	seeded = rand.New(rand.NewPCG(1, 2))
)

// edges are limbs at which something could go wrong: the ends of what the formulas make, and of what carries.
var edges = []uint64{0, 1, 18, 19, 20, 1<<16 - 1, 1 << 50, 1<<51 - 20, 1<<51 - 19, 1<<51 - 18, 1<<51 - 1, 1 << 51, 1<<51 + 1, reducedLimb - 1, reducedLimb}

// edgeField returns an element with limbs from edges, and some random ones.
func edgeField() (f field) {
	for i := range f {
		for j := range f[i] {
			if n := seeded.IntN(len(edges) + 3); n < len(edges) {
				f[i][j] = edges[n]
			} else {
				f[i][j] = seeded.Uint64N(reducedLimb + 1)
			}
		}
	}
	return f
}

// allEdges returns an element whose limbs are all the same edge, another in each lane from the nth.
func allEdges(n int) (f field) {
	for i := range f {
		for j := range f[i] {
			f[i][j] = edges[(n+j)%len(edges)]
		}
	}
	return f
}

// edgeFields returns elements of both kinds.
func edgeFields(n int) []field {
	fields := make([]field, 0, n+len(edges))
	for i := range edges {
		fields = append(fields, allEdges(i))
	}
	for range n {
		fields = append(fields, edgeField())
	}
	return fields
}

// value returns lane j of f modulo p.
func (f *field) value(j int) *big.Int {
	v := new(big.Int)
	for i := len(f) - 1; i >= 0; i-- {
		v.Lsh(v, 51).Add(v, new(big.Int).SetUint64(f[i][j]))
	}
	return v.Mod(v, p25519)
}

// checkField fails if f is not reduced, or not equal to want in some lane.
func checkField(t *testing.T, name string, f *field, want func(j int) *big.Int) {
	t.Helper()
	for j := range Lanes {
		for i := range f {
			if f[i][j] > reducedLimb {
				t.Fatalf("%s: limb %d of lane %d is %#x", name, i, j, f[i][j])
			}
		}
		w := want(j)
		if got := f.value(j); got.Cmp(w.Mod(w, p25519)) != 0 {
			t.Fatalf("%s: lane %d: got %x, want %x", name, j, got, w)
		}
	}
}

func testFieldFunctionsEqualBig(t *testing.T) {
	n := new(big.Int)
	ys := edgeFields(200)
	for i, x := range edgeFields(200) {
		y := ys[seeded.IntN(len(ys))]
		if i < len(edges) {
			y = ys[(i*7)%len(edges)]
		}
		var z field
		mul(&z, &x, &y)
		checkField(t, "mul", &z, func(j int) *big.Int { return n.Mul(x.value(j), y.value(j)) })
		squareN(&z, &x, 1)
		checkField(t, "squareN 1", &z, func(j int) *big.Int { return n.Mul(x.value(j), x.value(j)) })
		squareN(&z, &x, 3)
		checkField(t, "squareN 3", &z, func(j int) *big.Int { return n.Exp(x.value(j), big.NewInt(8), p25519) })
		add(&z, &x, &y)
		checkField(t, "add", &z, func(j int) *big.Int { return n.Add(x.value(j), y.value(j)) })
		subtract(&z, &x, &y)
		checkField(t, "subtract", &z, func(j int) *big.Int { return n.Sub(x.value(j), y.value(j)) })
		z = x
		mul(&z, &z, &z)
		checkField(t, "mul in place", &z, func(j int) *big.Int { return n.Mul(x.value(j), x.value(j)) })
		lanes := uint8(seeded.Uint32())
		choose(&z, &x, &y, lanes)
		checkField(t, "choose", &z, func(j int) *big.Int {
			if lanes>>j&1 == 1 {
				return y.value(j)
			}
			return x.value(j)
		})
	}
}

func testCanonical(t *testing.T) {
	fields := edgeFields(500)
	// The values around p and 2^255, whose limbs but the lowest are full.
	near := inAllLanes([5]uint64{0, 1<<51 - 1, 1<<51 - 1, 1<<51 - 1, 1<<51 - 1})
	for j := range near[0] {
		near[0][j] = 1<<51 - 22 + uint64(j)
	}
	fields = append(fields, near)
	for j := range near[0] {
		near[0][j] = 1<<51 - 3 + uint64(j)
	}
	fields = append(fields, near)
	for _, x := range fields {
		var z, y field
		canonical(&z, &x)
		for j := range Lanes {
			var b [32]byte
			for i := range z {
				if z[i][j] >= 1<<51 {
					t.Fatalf("limb %d is %#x", i, z[i][j])
				}
			}
			z.bytes(j, b[:])
			if less := y.setBytes(j, b[:]); less != 1 {
				t.Errorf("%x is not less than p", b)
			}
			if y.value(j).Cmp(x.value(j)) != 0 {
				t.Errorf("got %x, want %x", y.value(j), x.value(j))
			}
			isOdd := odd(&z)>>j&1 == 1
			if want := x.value(j).Bit(0) == 1; isOdd != want {
				t.Errorf("odd(%x) = %v", x.value(j), isOdd)
			}
		}
		if lanes := equal(&z, &y); lanes != 0xff {
			t.Errorf("equal lanes: %08b", lanes)
		}
	}
}

// testEqual changes one limb of one lane.
func testEqual(t *testing.T) {
	x := edgeField()
	for i := range x {
		for j := range x[i] {
			y := x
			y[i][j] ^= 1 << seeded.IntN(52)
			if got, want := equal(&x, &y), ^uint8(1<<j); got != want {
				t.Errorf("limb %d: equal lanes %08b, want %08b", i, got, want)
			}
		}
	}
}

func TestSetBytesRefusesFromP(t *testing.T) {
	for _, c := range []struct {
		offset int64
		want   uint8
	}{{-2, 1}, {-1, 1}, {0, 0}, {1, 0}, {18, 0}, {19, 0}} {
		b := make([]byte, 32)
		new(big.Int).Add(p25519, big.NewInt(c.offset)).FillBytes(b)
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		if got := new(field).setBytes(0, b); got != c.want {
			t.Errorf("p%+d: less than p: %d, want %d", c.offset, got, c.want)
		}
	}
}

func testInvertAndRoot(t *testing.T) {
	var w fieldWork
	i := sqrtM1.value(0)
	for _, x := range edgeFields(30) {
		u := edgeField()
		canonical(&u, &u)
		var z field
		w.invert(&z, &x)
		checkField(t, "invert", &z, func(j int) *big.Int {
			return new(big.Int).Exp(x.value(j), new(big.Int).Sub(p25519, big.NewInt(2)), p25519)
		})
		square := w.root(&z, &u, &x)
		for j := range Lanes {
			ratio := new(big.Int)
			if x.value(j).Sign() != 0 {
				ratio.Mul(u.value(j), new(big.Int).ModInverse(x.value(j), p25519)).Mod(ratio, p25519)
			}
			isSquare := big.Jacobi(ratio, p25519) != -1 && (x.value(j).Sign() != 0 || u.value(j).Sign() == 0)
			if got := square>>j&1 == 1; got != isSquare {
				t.Errorf("%x/%x is a square: %v", u.value(j), x.value(j), got)
			}
			if big.Jacobi(ratio, p25519) == -1 {
				ratio.Mul(ratio, i).Mod(ratio, p25519)
			}
			r := z.value(j)
			if r.Bit(0) == 1 || new(big.Int).Mod(new(big.Int).Mul(r, r), p25519).Cmp(ratio) != 0 {
				t.Errorf("root of %x is %x", ratio, r)
			}
		}
	}
}

// TestConstants compares with the decimal values of RFC 9496, Section 4.1.
func TestConstants(t *testing.T) {
	for _, c := range []struct {
		name string
		got  *field
		want string
	}{
		{"D", &d, "37095705934669439343138083508754565189542113879843219016388785533085940283555"},
		{"SQRT_M1", &sqrtM1, "19681161376707505956807079304988542015446066515923890162744021073123829784752"},
		{"SQRT_AD_MINUS_ONE", &sqrtADMinusOne, "25063068953384623474111414158702152701244531502492656460079210482610430750235"},
		{"INVSQRT_A_MINUS_D", &invSqrtAMinusD, "54469307008909316920995813868745141605393597292927456921205312896311721017578"},
		{"ONE_MINUS_D_SQ", &oneMinusDSq, "1159843021668779879193775521855586647937357759715417654439879720876111806838"},
		{"D_MINUS_ONE_SQ", &dMinusOneSq, "40440834346308536858101042469323190826248399146238708352240133220865137265952"},
	} {
		want, _ := new(big.Int).SetString(c.want, 10)
		checkField(t, c.name, c.got, func(int) *big.Int { return want })
	}
	checkField(t, "2D", &twoD, func(j int) *big.Int { return new(big.Int).Add(d.value(j), d.value(j)) })
}
