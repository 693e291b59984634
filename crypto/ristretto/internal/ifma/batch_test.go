//go:build amd64 && !purego

package ifma

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"
)

var ristretto255 = group.Ristretto255

// needIFMA leaves out a test on a processor that has not what it tests.
func needIFMA(tb testing.TB) {
	tb.Helper()
	if !Available() {
		tb.Skip("no AVX-512 IFMA")
	}
}

// randomElements returns n encoded elements.
func randomElements(n int) []byte {
	var b []byte
	for range n {
		b = append(b, encode(ristretto255.RandomElement(rand.Reader))...)
	}
	return b
}

func encode(e group.Element) []byte {
	b, err := e.MarshalBinaryCompress()
	if err != nil {
		panic(err)
	}
	return b
}

func randomScalar() (k [32]byte) {
	b, err := ristretto255.RandomScalar(rand.Reader).MarshalBinary()
	if err != nil {
		panic(err)
	}
	copy(k[:], b)
	return k
}

// multiplied returns what circl makes of k times each element.
func multiplied(tb testing.TB, src []byte, k *[32]byte) []byte {
	tb.Helper()
	s := ristretto255.NewScalar()
	if err := s.UnmarshalBinary(k[:]); err != nil {
		tb.Fatal(err)
	}
	var out []byte
	for i := 0; i < len(src); i += 32 {
		e := ristretto255.NewElement()
		if err := e.UnmarshalBinary(src[i : i+32]); err != nil {
			tb.Fatal(err)
		}
		out = append(out, encode(ristretto255.NewElement().Mul(e, s))...)
	}
	return out
}

func TestDecodeMulEncodeEqualsCircl(t *testing.T) {
	needIFMA(t)
	var w Work
	for _, n := range []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 127, 128} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			src, k := randomElements(n), randomScalar()
			var s Scalars
			s.SetAllHalf(&k)
			got := make([]byte, len(src))
			if valid := DecodeMulEncode(got, src, &s, &w); !valid.All(n) {
				t.Errorf("valid = %x", valid)
			}
			if want := multiplied(t, src, &k); !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

func BenchmarkDecodeMulEncode(b *testing.B) {
	needIFMA(b)
	src, k := randomElements(MaxElements), randomScalar()
	b.Run("ifma", func(b *testing.B) {
		var s Scalars
		var w Work
		s.SetAllHalf(&k)
		dst := make([]byte, len(src))
		b.ReportAllocs()
		for b.Loop() {
			DecodeMulEncode(dst, src, &s, &w)
		}
		perElement(b)
	})
	b.Run("circl", func(b *testing.B) {
		for b.Loop() {
			multiplied(b, src, &k)
		}
		perElement(b)
	})
}

// perElement reports the time of one of MaxElements elements.
func perElement(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxElements/1000, "µs/element")
	b.ReportMetric(0, "ns/op")
}
