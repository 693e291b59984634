package ristretto

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"
)

// edgeScalars are zero, one, their neighbours, the ends of digits and limbs, and the largest.
func edgeScalars() []Scalar {
	edges := make([]Scalar, 6, 80)
	var one, minus Scalar
	one.setSmall(1)
	for i := range edges[:4] {
		edges[i].setSmall(i)
	}
	edges[4].Set(half)
	edges[5].Subtract(half, &one)
	for power, i := *new(Scalar).setSmall(8), 3; i < 253; i++ {
		if i%32 == 3 || i%51 == 0 || i > 250 {
			edges = append(edges, power, *new(Scalar).Subtract(&power, &one))
		}
		power.Add(&power, &power)
	}
	for i := range edges {
		edges = append(edges, *minus.Subtract(&Scalar{}, &edges[i]))
	}
	return edges
}

// edgeBytes are 32 bytes that may be the encoding of an element: random ones, with bits or bytes changed, or near the ends.
func edgeBytes(i int) []byte {
	b := uniform("bytes", i)[:ElementSize]
	switch i % 8 {
	case 0, 1: // a valid one
		e := new(Element).SetUniformBytes(uniform("valid", i)).Bytes()
		return e[:]
	case 2: // with one bit changed
		e := new(Element).SetUniformBytes(uniform("valid", i)).Bytes()
		e[b[0]%ElementSize] ^= 1 << (b[1] % 8)
		return e[:]
	case 3: // a small number
		clear(b[2:])
	case 4: // a number close to 2^255 or 2^256
		copy(b[1:], bytes.Repeat([]byte{0xff}, ElementSize-1))
		b[31] = 0xff >> (b[0] & 1)
	case 5, 6: // not negative, and below 2^255
		b[0], b[31] = b[0]&^1, b[31]&^0x80
	}
	return b
}

// compareWithCircl evaluates count inputs, of which some are at the edges, in batches of up to 17, with one scalar and with
// one each, and compares what was accepted and every result with circl's.
func compareWithCircl(t *testing.T, count int) {
	edges := edgeScalars()
	scalar := func(i int) *Scalar {
		if i%3 == 0 {
			return &edges[i/3%len(edges)]
		}
		return randomScalar(fmt.Sprint("circl ", i))
	}
	eachEngine(t, func(t *testing.T, e engine) {
		b, accepted := Batch{elements: e.newBatch()}, 0
		for done, round := 0, 0; done < count; round++ {
			n := min(round%17+1, count-done)
			var packed []byte
			for i := range n {
				packed = append(packed, edgeBytes(done+i)...)
			}
			ok, k := make([]bool, n), scalar(round)
			if _, err := b.DecodeEach(packed, ok); err != nil {
				t.Fatal(err)
			}
			out := b.AppendMultiply(nil, k)
			for i := range n {
				in, got := packed[i*ElementSize:(i+1)*ElementSize], out[i*ElementSize:(i+1)*ElementSize]
				want := circlEvaluate(t, in, toCircl(k))
				if bytes.Equal(in, make([]byte, ElementSize)) {
					want = nil
				}
				if ok[i] != (want != nil) {
					t.Fatalf("%x: accepted is %t, by circl %t", in, ok[i], want != nil)
				}
				if ok[i] {
					accepted++
				} else {
					want = make([]byte, ElementSize)
				}
				if !bytes.Equal(got, want) {
					kb := k.Bytes()
					t.Fatalf("%x times %x: got %x, want %x", kb, in, got, want)
				}
			}
			done += n
		}
		if accepted < count/5 {
			t.Errorf("%d of %d accepted", accepted, count)
		}
	})
}

func TestEqualsCircl(t *testing.T) { compareWithCircl(t, circlCount) }

func TestMultiplyEachEqualsCircl(t *testing.T) {
	scalars := edgeScalars()
	scalars = append(scalars, randomScalars("each", 17)...)
	packed := randomElements("each", len(scalars))
	eachEngine(t, func(t *testing.T, e engine) {
		b := Batch{elements: e.newBatch()}
		if err := b.Decode(packed); err != nil {
			t.Fatal(err)
		}
		out := b.AppendMultiplyEach(nil, scalars)
		for i := range scalars {
			want := circlEvaluate(t, packed[i*ElementSize:(i+1)*ElementSize], toCircl(&scalars[i]))
			if got := out[i*ElementSize : (i+1)*ElementSize]; !bytes.Equal(got, want) {
				t.Errorf("element %d: got %x, want %x", i, got, want)
			}
		}
	})
}

func TestHashEqualsCircl(t *testing.T) {
	long := string(bytes.Repeat([]byte("d"), 300))
	for _, dst := range []string{"", "HashToGroup-OPRFV1-\x01-ristretto255-SHA512", long[:255], long[:256], long} {
		h := NewHasher(dst)
		var messages [][]byte
		for _, n := range []int{0, 1, 16, 63, 64, 111, 112, 127, 128, 300} {
			messages = append(messages, bytes.Repeat([]byte{byte(n)}, n))
		}
		var want []byte
		for _, message := range messages {
			checkHash(t, h, dst, message)
			var e Element
			h.Element(&e, message)
			encoded := e.Bytes()
			want = append(want, encoded[:]...)
		}
		eachEngine(t, func(t *testing.T, e engine) {
			b := Batch{elements: e.newBatch()}
			if err := b.Hash(h, messages); err != nil {
				t.Fatal(err)
			}
			if got := b.AppendMultiply(nil, new(Scalar).setSmall(1)); !bytes.Equal(got, want) {
				t.Errorf("Batch.Hash under %q: got %x, want %x", dst, got, want)
			}
		})
	}
}

// checkHash compares both hashes with circl's.
func checkHash(t *testing.T, h *Hasher, dst string, message []byte) {
	t.Helper()
	var s Scalar
	var e Element
	h.Scalar(&s, message)
	h.Element(&e, message)
	if !toCircl(&s).IsEqual(group.Ristretto255.HashToScalar(message, []byte(dst))) {
		t.Errorf("Scalar(%x) under %q is not what circl has", message, dst)
	}
	want, err := group.Ristretto255.HashToElement(message, []byte(dst)).MarshalBinary()
	if got := e.Bytes(); err != nil || !bytes.Equal(got[:], want) {
		t.Errorf("Element(%x) under %q: got %x, want %x", message, dst, got, want)
	}
}
