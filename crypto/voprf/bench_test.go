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
	for b.Loop() {
		e := group.Ristretto255.NewElement()
		if err := e.UnmarshalBinary(blinded); err != nil {
			b.Fatal(err)
		}
		if _, err := e.Mul(e, key.k).MarshalBinary(); err != nil {
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
