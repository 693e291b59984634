package ristretto

import (
	"crypto/sha512"
	"encoding"
	"hash"
)

// Hasher hashes messages to scalars and elements under one domain separation tag: HashToScalar of RFC 9497, Section 4.1,
// and hash_to_ristretto255 of RFC 9380, Appendix B, both by expand_message_xmd (Section 5.3.1 there) with SHA-512. It is
// constant time in the message, except for its length. A Hasher must not be used by two goroutines at a time.
type Hasher struct {
	h        hash.Hash
	dstPrime []byte // the tag and its length
	digest   [sha512.Size]byte
	uniform  [UniformSize]byte
}

// padded is the state of SHA-512 after Z_pad, a block of zeros, with which every message begins.
var padded = func() []byte {
	h := sha512.New()
	h.Write(make([]byte, sha512.BlockSize))
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic(err)
	}
	return state
}()

// NewHasher returns a Hasher under the tag dst. One of more than 255 bytes is replaced by its hash, as in Section 5.3.3 of
// RFC 9380.
func NewHasher(dst string) *Hasher {
	if len(dst) > 255 {
		sum := sha512.Sum512([]byte("H2C-OVERSIZE-DST-" + dst))
		dst = string(sum[:])
	}
	return &Hasher{h: sha512.New(), dstPrime: append([]byte(dst), byte(len(dst)))}
}

// Scalar sets s to the scalar that message is hashed to.
func (h *Hasher) Scalar(s *Scalar, message []byte) {
	h.expand(message)
	s.SetUniformBytes(&h.uniform)
}

// Element sets e to the element that message is hashed to. That it is the identity can not be excluded, but has a
// probability of 2^-252.
func (h *Hasher) Element(e *Element, message []byte) {
	h.expand(message)
	e.SetUniformBytes(&h.uniform)
}

// What stands between the message and the tag: I2OSP(64, 2) || I2OSP(0, 1), and I2OSP(1, 1).
var lengthAndZero, first = []byte{0, UniformSize, 0}, []byte{1}

// expand sets h.uniform to expand_message_xmd(message, dst, 64), which is one hash of a hash:
//
//	b_0 = H(Z_pad || message || I2OSP(64, 2) || I2OSP(0, 1) || DST_prime)
//	b_1 = H(b_0 || I2OSP(1, 1) || DST_prime)
func (h *Hasher) expand(message []byte) {
	if err := h.h.(encoding.BinaryUnmarshaler).UnmarshalBinary(padded); err != nil {
		panic(err)
	}
	h.h.Write(message)
	h.h.Write(lengthAndZero)
	h.h.Write(h.dstPrime)
	h.h.Sum(h.digest[:0])
	h.h.Reset()
	h.h.Write(h.digest[:])
	h.h.Write(first)
	h.h.Write(h.dstPrime)
	h.h.Sum(h.uniform[:0])
}

// Wipe clears what is left of the last message.
func (h *Hasher) Wipe() {
	h.h.Reset()
	clear(h.digest[:])
	clear(h.uniform[:])
}
