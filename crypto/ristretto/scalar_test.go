package ristretto

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/secret"
	"pgregory.net/rapid"
)

// order is l.
var order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func bigOf(s *Scalar) *big.Int {
	b := s.Bytes()
	slices.Reverse(b[:])
	return new(big.Int).SetBytes(b[:])
}

// drawScalar draws a scalar from the edges or from 64 bytes.
func drawScalar(t *rapid.T, label string) *Scalar {
	edges := edgeScalars()
	if i := rapid.IntRange(-len(edges), len(edges)-1).Draw(t, label); i >= 0 {
		return &edges[i]
	}
	b := rapid.SliceOfN(rapid.Byte(), UniformSize, UniformSize).Draw(t, label)
	return new(Scalar).SetUniformBytes((*[UniformSize]byte)(b))
}

// TestScalarArithmetic compares every operation with math/big, with receivers that are arguments and ones that are not.
func TestScalarArithmetic(t *testing.T) {
	two := big.NewInt(2)
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawScalar(t, "x"), drawScalar(t, "y")
		bx, by := bigOf(x), bigOf(y)
		inverse := new(big.Int).Exp(bx, new(big.Int).Sub(order, two), order)
		for _, op := range []struct {
			name string
			f    func(s, x, y *Scalar) *Scalar
			want *big.Int
		}{
			{"Add", (*Scalar).Add, new(big.Int).Add(bx, by)},
			{"Subtract", (*Scalar).Subtract, new(big.Int).Sub(bx, by)},
			{"Multiply", (*Scalar).Multiply, new(big.Int).Mul(bx, by)},
			{"Halve", func(s, x, _ *Scalar) *Scalar { return s.Halve(x) }, new(big.Int).Mul(bx, new(big.Int).ModInverse(two, order))},
			{"Invert", func(s, x, _ *Scalar) *Scalar { return s.Invert(x) }, inverse},
			{"Set", func(s, x, _ *Scalar) *Scalar { return s.Set(x) }, bx},
		} {
			want := op.want.Mod(op.want, order)
			first, second := *x, *y
			for _, got := range []*Scalar{op.f(new(Scalar), x, y), op.f(&first, &first, y), op.f(&second, x, &second)} {
				if bigOf(got).Cmp(want) != 0 {
					t.Errorf("%s: got %v, want %v", op.name, bigOf(got), want)
				}
			}
		}
		if x.Equal(y) != (bx.Cmp(by) == 0) || x.IsZero() != (bx.Sign() == 0) {
			t.Errorf("Equal %t, IsZero %t of %v and %v", x.Equal(y), x.IsZero(), bx, by)
		}
	})
}

func TestSetUniformBytesReduces(t *testing.T) {
	for i := range 100 {
		b := uniform("reduce", i)
		if i == 0 {
			b = (*[UniformSize]byte)(bytes.Repeat([]byte{0xff}, UniformSize))
		}
		reversed := slices.Clone(b[:])
		slices.Reverse(reversed)
		want := new(big.Int).SetBytes(reversed)
		want.Mod(want, order)
		if got := bigOf(new(Scalar).SetUniformBytes(b)); got.Cmp(want) != 0 {
			t.Errorf("SetUniformBytes(%x): got %v, want %v", b[:], got, want)
		}
	}
}

func TestSetCanonicalBytes(t *testing.T) {
	minusOne := new(Scalar).Subtract(&Scalar{}, new(Scalar).setSmall(1)).Bytes()
	l := minusOne
	l[0]++
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"zero", make([]byte, 32), nil},
		{"l-1", minusOne[:], nil},
		{"l", l[:], ErrScalar},
		{"2^256-1", bytes.Repeat([]byte{0xff}, 32), ErrScalar},
		{"2^255", append(make([]byte, 31), 0x80), ErrScalar},
		{"empty", nil, ErrScalar},
		{"31 bytes", make([]byte, 31), ErrScalar},
		{"33 bytes", make([]byte, 33), ErrScalar},
	} {
		s := randomScalar("before")
		before := *s
		if err := s.SetCanonicalBytes(c.b); err != c.want {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if got := s.Bytes(); c.want == nil && !bytes.Equal(got[:], c.b) {
			t.Errorf("%s: got %x, want %x", c.name, got, c.b)
		}
		if c.want != nil && !s.Equal(&before) {
			t.Errorf("%s: the receiver changed", c.name)
		}
	}
}

func TestInvertScalars(t *testing.T) {
	InvertScalars(nil)
	for n := range 10 {
		scalars := append(randomScalars("invert", n), edgeScalars()[:n]...)
		want := make([]Scalar, len(scalars))
		for i := range scalars {
			want[i].Invert(&scalars[i])
		}
		InvertScalars(scalars)
		for i := range scalars {
			if !scalars[i].Equal(&want[i]) {
				t.Errorf("of %d: inverse %d: got %v, want %v", len(scalars), i, bigOf(&scalars[i]), bigOf(&want[i]))
			}
		}
	}
}

func TestScalarPrintsNothing(t *testing.T) {
	s := randomScalar("secret")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("k", "k", *s, "pointer", s)
	for _, got := range []string{fmt.Sprint(*s), fmt.Sprintf("%+v %#v %x %d %s", s, *s, s, *s, s), s.String(), s.GoString(), log.String()} {
		if rest := strings.ReplaceAll(got, secret.Placeholder, ""); !strings.Contains(got, secret.Placeholder) || strings.Contains(rest, "0x") ||
			strings.Contains(rest, "{") {
			t.Errorf("a scalar prints as %s", got)
		}
	}
	if s.Wipe(); !s.IsZero() {
		t.Error("Wipe: the scalar is not zero")
	}
}
