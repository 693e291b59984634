package voprf

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"
)

// perElement reports the time of one element of a batch, in microseconds.
func perElement(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N)/float64(n), "µs/element")
}

func BenchmarkBlind(b *testing.B) {
	const n = 1000
	blinds, err := RandomBlinds(rand.Reader, n)
	if err != nil {
		b.Fatal(err)
	}
	inputs := make([][]byte, n)
	for i := range inputs {
		inputs[i] = fmt.Appendf(nil, "tel:+1415555%04d", i)
	}
	for b.Loop() {
		if _, err := Blind(inputs, blinds); err != nil {
			b.Fatal(err)
		}
	}
	perElement(b, n)
}

func BenchmarkBlindEvaluate(b *testing.B) {
	for _, n := range []int{1, 16, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			key, _, blinded := testBatch(b, n)
			for b.Loop() {
				if _, _, err := key.BlindEvaluate(rand.Reader, blinded); err != nil {
					b.Fatal(err)
				}
			}
			perElement(b, n)
		})
	}
}

// BenchmarkCirclMultiply is the alternative to measure against: circl's decode, multiply and encode, without a proof.
func BenchmarkCirclMultiply(b *testing.B) {
	key, _, blinded := testBatch(b, 1)
	k := group.Ristretto255.NewScalar()
	if err := k.UnmarshalBinary(key.Bytes()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e := group.Ristretto255.NewElement()
		if err := e.UnmarshalBinary(blinded); err != nil {
			b.Fatal(err)
		}
		if _, err := e.Mul(e, k).MarshalBinary(); err != nil {
			b.Fatal(err)
		}
	}
	perElement(b, 1)
}

func BenchmarkVerifyProof(b *testing.B) {
	for _, n := range []int{1, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			key, _, blinded := testBatch(b, n)
			evaluated, proof, err := key.BlindEvaluate(rand.Reader, blinded)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := key.PublicKey().VerifyProof(blinded, evaluated, proof); err != nil {
					b.Fatal(err)
				}
			}
			perElement(b, n)
		})
	}
}

func BenchmarkUnblind(b *testing.B) {
	const n = 1024
	key, blinds, blinded := testBatch(b, n)
	evaluated, _, err := key.BlindEvaluate(rand.Reader, blinded)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Unblind(blinds, evaluated); err != nil {
			b.Fatal(err)
		}
	}
	perElement(b, n)
}

// moveSizes are the numbers of elements of a bucket, and of some twenty.
var moveSizes = []int{50, 1024}

func BenchmarkRekey(b *testing.B) {
	for _, n := range moveSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			from, to, elements, _ := testMove(b, n)
			factor := NewFactor(from, to)
			for b.Loop() {
				if _, err := factor.Rekey(elements); err != nil {
					b.Fatal(err)
				}
			}
			perElement(b, n)
		})
	}
}

func BenchmarkProveRekey(b *testing.B) {
	for _, n := range moveSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			from, to, elements, moved := testMove(b, n)
			factor := NewFactor(from, to)
			for b.Loop() {
				if _, err := factor.Prove(rand.Reader, elements, moved); err != nil {
					b.Fatal(err)
				}
			}
			perElement(b, n)
		})
	}
}

func BenchmarkVerifyRekey(b *testing.B) {
	for _, n := range moveSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			from, to, elements, moved := testMove(b, n)
			proof, err := NewFactor(from, to).Prove(rand.Reader, elements, moved)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := VerifyRekey(from.PublicKey(), to.PublicKey(), elements, moved, proof); err != nil {
					b.Fatal(err)
				}
			}
			perElement(b, n)
		})
	}
}
