package filter_test

import (
	"bytes"
	"testing"

	"github.com/kith-project/kith/crypto/filter"
)

// FuzzUnmarshal expects no panic from asking whatever was accepted, and that it encodes to the same bytes.
func FuzzUnmarshal(f *testing.F) {
	for _, n := range []int{0, 1, 5, 100} {
		f.Add(marshal(f, build(f, keys(randomTags(1, n)))), uint64(n))
	}
	f.Add(header(1<<63, 1, 1, 6), uint64(1<<63))
	f.Add(header(0, 4, 1<<30+1, 24), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		decoded, err := filter.Unmarshal(b)
		if err != nil {
			return
		}
		for _, tag := range randomTags(seed, 100) {
			decoded.Contains(tag)
		}
		if again := marshal(t, decoded); !bytes.Equal(again, b) {
			t.Errorf("got %x, want %x", again, b)
		}
	})
}

func FuzzParseChanges(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("+12345678-87654321"))
	f.Add([]byte("+1234567"))
	f.Fuzz(func(t *testing.T, b []byte) {
		changes, err := filter.ParseChanges(b)
		if err != nil {
			return
		}
		var again []byte
		for _, c := range changes {
			again = filter.AppendChange(again, c)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("got %x, want %x", again, b)
		}
	})
}
