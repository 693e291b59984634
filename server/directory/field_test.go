package directory

import (
	"math/rand/v2"
	"testing"

	"github.com/kith-project/kith/crypto"
)

// TestFieldsAreOfOneTag holds for each number of bits that a bucket and a field give the tag back, and that a field which no tag of
// the bucket has is none.
func TestFieldsAreOfOneTag(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for bits := uint8(0); bits <= crypto.MaxPrefixBits; bits++ {
		l := Layout{Epoch: 1, BucketBits: bits}
		for range 200 {
			var tag crypto.Tag
			for i := range tag {
				tag[i] = byte(random.Uint32())
			}
			bucket, field := l.Bucket(tag), l.Field(tag)
			if len(field) != 16-int(bits)/8 || field != string(tag[16-len(field):]) {
				t.Fatalf("%d bits: got the field %x of %x", bits, field, tag)
			}
			if got, ok := l.tag(bucket, field); !ok || got != tag {
				t.Fatalf("%d bits: got %x, %t, want %x", bits, got, ok, tag)
			}
			for _, other := range []string{"", field[1:], field + "x"} {
				if _, ok := l.tag(bucket, other); ok {
					t.Fatalf("%d bits: %x is taken for a field", bits, other)
				}
			}
			for bit := range bits % 8 { // what the bucket gives of the field's first byte
				other := []byte(field)
				other[0] ^= 0x80 >> bit
				if _, ok := l.tag(bucket, string(other)); ok {
					t.Fatalf("%d bits: a field of another bucket is taken", bits)
				}
			}
		}
	}
}

// FuzzField holds that a field is taken only for the tag that has it.
func FuzzField(f *testing.F) {
	f.Add(uint8(12), uint32(0xc12), "\x2f0123456789abcd")
	f.Add(uint8(32), uint32(0xffffffff), "0123456789ab")
	f.Fuzz(func(t *testing.T, bits uint8, bucket uint32, field string) {
		l := Layout{Epoch: 1, BucketBits: bits % (crypto.MaxPrefixBits + 1)}
		if l.validBuckets([]uint32{bucket}) != nil {
			return
		}
		if tag, ok := l.tag(bucket, field); ok && (l.Field(tag) != field || l.Bucket(tag) != bucket) {
			t.Fatalf("%d bits, bucket %d: %x became %x", l.BucketBits, bucket, field, tag)
		}
	})
}
