package ristretto

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cloudflare/circl/group"
)

// FuzzEvaluate compares decoding, multiplying and encoding with circl's, and decoding with encoding.
func FuzzEvaluate(f *testing.F) {
	v := loadVectors(f)
	for _, encoding := range append(slices.Concat(v.Invalid["non-canonical"], v.Invalid["negative-xy"]), v.Multiples...) {
		f.Add(unhex(f, encoding), unhex(f, v.Derived[0].Input))
	}
	f.Fuzz(func(t *testing.T, packed, seed []byte) {
		var wide [UniformSize]byte
		copy(wide[:], seed)
		k := new(Scalar).SetUniformBytes(&wide)
		for _, e := range engines() {
			ok := make([]bool, len(packed)/ElementSize)
			b := Batch{elements: e.newBatch()}
			if len(packed)%ElementSize != 0 {
				if err := b.Decode(packed); err != ErrLength {
					t.Errorf("%s: %d bytes: got %v, want ErrLength", e.name, len(packed), err)
				}
				continue
			}
			if _, err := b.DecodeEach(packed, ok); err != nil {
				t.Fatal(err)
			}
			again, products := b.AppendMultiply(nil, new(Scalar).setSmall(1)), b.AppendMultiply(nil, k)
			for i := range ok {
				in := packed[i*ElementSize : (i+1)*ElementSize]
				want := circlEvaluate(t, in, toCircl(k))
				if identity := make([]byte, ElementSize); want == nil || bytes.Equal(in, identity) {
					if ok[i] {
						t.Errorf("%s: accepted %x", e.name, in)
					}
					in, want = identity, identity
				} else if !ok[i] {
					t.Errorf("%s: refused %x", e.name, in)
				}
				if got := again[i*ElementSize : (i+1)*ElementSize]; !bytes.Equal(got, in) {
					t.Errorf("%s: %x encodes as %x", e.name, in, got)
				}
				if got := products[i*ElementSize : (i+1)*ElementSize]; !bytes.Equal(got, want) {
					t.Errorf("%s: a multiple of %x: got %x, want %x", e.name, in, got, want)
				}
			}
		}
	})
}

// FuzzScalar compares the decoding and the reduction of scalars with circl's.
func FuzzScalar(f *testing.F) {
	for _, s := range edgeScalars()[:12] {
		b := s.Bytes()
		f.Add(b[:])
		b[0]++
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Scalar
		c := group.Ristretto255.NewScalar()
		err, circlErr := s.SetCanonicalBytes(b), c.UnmarshalBinary(b)
		if (err == nil) != (circlErr == nil) {
			t.Fatalf("SetCanonicalBytes(%x): got %v, circl %v", b, err, circlErr)
		}
		if got := s.Bytes(); err == nil && (!bytes.Equal(got[:], b) || !toCircl(&s).IsEqual(c)) {
			t.Errorf("%x encodes as %x", b, got)
		}
	})
}

// FuzzHash compares both hashes with circl's.
func FuzzHash(f *testing.F) {
	f.Add("HashToGroup-OPRFV1-\x01-ristretto255-SHA512", []byte("tel:+14155552671"))
	f.Add("", []byte(nil))
	f.Add(string(make([]byte, 256)), make([]byte, 128))
	f.Fuzz(func(t *testing.T, dst string, message []byte) { checkHash(t, NewHasher(dst), dst, message) })
}
