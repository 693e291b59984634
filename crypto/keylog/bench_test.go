package keylog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
)

// BenchmarkVerify has a log of five years of monthly rotations, with two cosignatures, and one of the largest size.
func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{60, keylog.MaxEntries} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, w1, w2 := newSigner(b, origin, 1), newCosigner(b, "w1.example", 7), newCosigner(b, "w2.example", 8)
			texts := make([]string, n)
			for i := range texts {
				texts[i] = epochEntry(uint32(i+1), byte(i)).String()
			}
			m := signed(b, s, texts...)
			for _, w := range []*keylog.Cosigner{w1, w2} {
				m.Checkpoint = cosign(b, m.Checkpoint, w, time.Unix(1e9, 0))
			}
			last := keylog.Checkpoint{Origin: origin, Size: int64(n - 1), Root: keylog.Root(texts[:n-1])}
			options := keylog.Options{Witnesses: []*keylog.Witness{w1.Witness(), w2.Witness()}, Quorum: 2, Last: &last}
			for b.Loop() {
				if _, err := keylog.Verify(m, s.Verifier(), options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	s := newSigner(b, origin, 1)
	texts := make([]string, 60)
	for i := range texts {
		texts[i] = epochEntry(uint32(i+1), byte(i)).String()
	}
	m := signed(b, s, texts...)
	for b.Loop() {
		if _, err := keylog.Append(m, s, epochEntry(61, 61)); err != nil {
			b.Fatal(err)
		}
	}
}
