package ristretto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"slices"
	"testing"

	"filippo.io/edwards25519/field"
)

type vectors struct {
	Multiples []string
	Invalid   map[string][]string
	Derived   []struct{ Input, Output string }
}

func loadVectors(t testing.TB) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc9496.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestConstants compares the constants with the decimal values of RFC 9496, Section 4.1.
func TestConstants(t *testing.T) {
	for _, c := range []struct {
		name  string
		value *field.Element
		want  string
	}{
		{"D", constD, "37095705934669439343138083508754565189542113879843219016388785533085940283555"},
		{"SQRT_M1", sqrtM1, "19681161376707505956807079304988542015446066515923890162744021073123829784752"},
		{"SQRT_AD_MINUS_ONE", sqrtADMinusOne, "25063068953384623474111414158702152701244531502492656460079210482610430750235"},
		{"INVSQRT_A_MINUS_D", invSqrtAMinusD, "54469307008909316920995813868745141605393597292927456921205312896311721017578"},
		{"ONE_MINUS_D_SQ", oneMinusDSquare, "1159843021668779879193775521855586647937357759715417654439879720876111806838"},
		{"D_MINUS_ONE_SQ", dMinusOneSquare, "40440834346308536858101042469323190826248399146238708352240133220865137265952"},
	} {
		b := c.value.Bytes()
		slices.Reverse(b)
		if got := new(big.Int).SetBytes(b).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestVectorsMultiples(t *testing.T) {
	multiples := loadVectors(t).Multiples
	if len(multiples) != 16 {
		t.Fatalf("%d multiples, want 16", len(multiples))
	}
	var k Scalar
	var sum, e, g Element
	sum.SetIdentity()
	g.SetGenerator()
	for i, want := range multiples {
		k.setSmall(i)
		for _, got := range []struct {
			name  string
			bytes [ElementSize]byte
		}{
			{"Add", sum.Bytes()},
			{"Multiply", e.Multiply(&k, &g).Bytes()},
			{"MultiplyGenerator", e.MultiplyGenerator(&k).Bytes()},
		} {
			if encoded := hex.EncodeToString(got.bytes[:]); encoded != want {
				t.Errorf("%s: %d times the generator is %s, want %s", got.name, i, encoded, want)
			}
		}
		if i > 0 {
			if err := e.Decode(unhex(t, want)); err != nil || !e.Equal(&sum) {
				t.Errorf("Decode: %d times the generator: %v, or another element", i, err)
			}
		}
		sum.Add(&sum, &g)
	}
	eachEngine(t, func(t *testing.T, e engine) {
		g := g.Bytes()
		b := Batch{elements: e.newBatch()}
		if err := b.Decode(g[:]); err != nil {
			t.Fatal(err)
		}
		for i, want := range multiples {
			if got := hex.EncodeToString(b.AppendMultiply(nil, k.setSmall(i))); got != want {
				t.Errorf("AppendMultiply: %d times the generator is %s, want %s", i, got, want)
			}
		}
	})
}

// TestVectorsInvalid puts each of the encodings in every place of two vectors of eight, and of one that is not full.
func TestVectorsInvalid(t *testing.T) {
	const places = 17
	invalid := loadVectors(t).Invalid
	invalid["identity"] = []string{hex.EncodeToString(make([]byte, ElementSize))}
	good, count := randomElements("invalid", places), 0
	one := new(Scalar).setSmall(1)
	eachEngine(t, func(t *testing.T, e engine) {
		b, ok := Batch{elements: e.newBatch()}, make([]bool, places)
		for kind, encodings := range invalid {
			for _, encoding := range encodings {
				count++
				bad := unhex(t, encoding)
				for at := range places {
					packed := slices.Clone(good)
					copy(packed[at*ElementSize:], bad)
					if err := b.Decode(packed); err != ErrElement || b.Len() != 0 {
						t.Errorf("Decode of %s %s: got %v and %d elements, want ErrElement and none", kind, encoding, err, b.Len())
					}
					accepted, err := b.DecodeEach(packed, ok)
					if err != nil || accepted != places-1 || slices.Index(ok, false) != at {
						t.Errorf("DecodeEach of %s %s: %d accepted, %v (%v), want all but %d", kind, encoding, accepted, ok, err, at)
					}
					out := b.AppendMultiply(nil, one)
					clear(packed[at*ElementSize : (at+1)*ElementSize])
					if !bytes.Equal(out, packed) {
						t.Errorf("DecodeEach of %s %s at %d: the others changed", kind, encoding, at)
					}
				}
				var element Element
				if err := element.Decode(bad); err != ErrElement {
					t.Errorf("Element.Decode of %s %s: got %v, want ErrElement", kind, encoding, err)
				}
			}
		}
	})
	if want := 30 * len(engines()); count != want {
		t.Errorf("%d invalid encodings, want %d", count, want)
	}
}

func TestVectorsDerived(t *testing.T) {
	derived := loadVectors(t).Derived
	if len(derived) != 11 {
		t.Fatalf("%d vectors, want 11", len(derived))
	}
	var all, want []byte
	for _, v := range derived {
		var e Element
		input := unhex(t, v.Input)
		got := e.SetUniformBytes((*[UniformSize]byte)(input)).Bytes()
		if hex.EncodeToString(got[:]) != v.Output {
			t.Errorf("SetUniformBytes(%s): got %x, want %s", v.Input, got, v.Output)
		}
		all, want = append(all, input...), append(want, unhex(t, v.Output)...)
	}
	eachEngine(t, func(t *testing.T, e engine) {
		b := Batch{elements: e.newBatch(), uniform: all}
		if err := b.derive(); err != nil {
			t.Fatal(err)
		}
		if got := b.AppendMultiply(nil, new(Scalar).setSmall(1)); !bytes.Equal(got, want) {
			t.Errorf("derive: got %x, want %x", got, want)
		}
	})
}
