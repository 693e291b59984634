package registry

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// BenchmarkParseLine reads a line of an import, by country of its number.
func BenchmarkParseLine(b *testing.B) {
	for _, number := range []string{"+14155552671", "+4915112345678", "+5511961234567", "+1 415 555 2671"} {
		b.Run(number, func(b *testing.B) {
			p, line := lineParser{}, []byte(number+",user-0000001")
			b.ReportAllocs()
			for b.Loop() {
				if _, reason := p.parse(line); reason != "" {
					b.Fatal(reason)
				}
			}
		})
	}
}

// BenchmarkPrepareAll makes the records of a batch of an import: all of an import but reading lines and the store.
func BenchmarkPrepareAll(b *testing.B) {
	key, err := voprf.GenerateKeyPair(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	e := &keyring.Epoch{Key: key}
	changes := make([]change, importBatch)
	for i := range changes {
		changes[i] = change{number: fmt.Sprintf("+1415555%04d", i), label: "user-0000001", format: directory.Visible, version: 1}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := prepareAll(e, changes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/importBatch, "ns/registration")
}
