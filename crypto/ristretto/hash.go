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
	h           hash.Hash
	dstPrime    []byte // the tag and its length
	digest      [sha512.Size]byte
	uniform     [expanderGroup * UniformSize]byte
	group       [expanderGroup][]byte
	newExpander func(dstPrime []byte) expander
	expander    expander // only where many messages were hashed
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
func NewHasher(dst string) *Hasher { return current.newHasher(dst) }

func (e engine) newHasher(dst string) *Hasher {
	if len(dst) > 255 {
		sum := sha512.Sum512([]byte("H2C-OVERSIZE-DST-" + dst))
		dst = string(sum[:])
	}
	return &Hasher{h: sha512.New(), dstPrime: append([]byte(dst), byte(len(dst))), newExpander: e.newExpander}
}

// Scalar sets s to the scalar that message is hashed to.
func (h *Hasher) Scalar(s *Scalar, message []byte) {
	h.expand(h.uniform[:], message)
	s.SetUniformBytes((*[UniformSize]byte)(h.uniform[:]))
}

// Element sets e to the element that message is hashed to. That it is the identity can not be excluded, but has a
// probability of 2^-252.
func (h *Hasher) Element(e *Element, message []byte) {
	h.expand(h.uniform[:], message)
	e.SetUniformBytes((*[UniformSize]byte)(h.uniform[:]))
}

// Scalars sets s[i] to the scalar that messages[i] is hashed to. It takes the least time for each where the lengths differ
// little.
func (h *Hasher) Scalars(s []Scalar, messages [][]byte) {
	mustMatchMessages(len(messages), len(s))
	for len(s) > 0 {
		n := min(len(s), expanderGroup)
		h.scalars(s[:n], messages[:n])
		s, messages = s[n:], messages[n:]
	}
}

// ScalarsPacked sets s[i] to the scalar that message i is hashed to, of messages of size bytes each, back to back.
func (h *Hasher) ScalarsPacked(s []Scalar, messages []byte, size int) {
	mustMatchMessages(len(messages), len(s)*size)
	for len(s) > 0 {
		n := min(len(s), expanderGroup)
		for i := range n {
			h.group[i] = messages[i*size : (i+1)*size]
		}
		h.scalars(s[:n], h.group[:n])
		s, messages = s[n:], messages[n*size:]
	}
	clear(h.group[:]) // so that it does not keep the messages
}

// scalars is Scalars of up to expanderGroup messages.
func (h *Hasher) scalars(s []Scalar, messages [][]byte) {
	h.expandGroup(h.uniform[:], messages)
	for i := range s {
		s[i].SetUniformBytes((*[UniformSize]byte)(h.uniform[i*UniformSize:]))
	}
}

// expandAll sets dst to the 64 bytes that each message is expanded to.
func (h *Hasher) expandAll(dst []byte, messages [][]byte) {
	for len(messages) > 0 {
		n := min(len(messages), expanderGroup)
		h.expandGroup(dst, messages[:n])
		dst, messages = dst[n*UniformSize:], messages[n:]
	}
}

// expandGroup is expandAll of up to expanderGroup messages. With an expander a group takes as long as nearly two messages one by
// one, however many it has, and as long as four if the expander must be made first.
func (h *Hasher) expandGroup(dst []byte, messages [][]byte) {
	few := 1
	if h.expander == nil {
		few = 4
	}
	if h.newExpander == nil || len(messages) <= few {
		for i, message := range messages {
			h.expand(dst[i*UniformSize:], message)
		}
		return
	}
	if h.expander == nil {
		h.expander = h.newExpander(h.dstPrime)
	}
	h.expander.expand(dst, messages)
}

// What stands between the message and the tag: I2OSP(64, 2) || I2OSP(0, 1), and I2OSP(1, 1).
var lengthAndZero, first = []byte{0, UniformSize, 0}, []byte{1}

// expand sets uniform, 64 bytes, to expand_message_xmd(message, dst, 64), which is one hash of a hash:
//
//	b_0 = H(Z_pad || message || I2OSP(64, 2) || I2OSP(0, 1) || DST_prime)
//	b_1 = H(b_0 || I2OSP(1, 1) || DST_prime)
func (h *Hasher) expand(uniform, message []byte) {
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
	h.h.Sum(uniform[:0])
}

// Wipe clears what is left of the last messages.
func (h *Hasher) Wipe() {
	h.h.Reset()
	clear(h.digest[:])
	clear(h.uniform[:])
	if h.expander != nil {
		h.expander.wipe()
	}
}

// mustMatchMessages panics if the counts differ.
func mustMatchMessages(got, want int) {
	if got != want {
		panic("ristretto: numbers of scalars and messages differ")
	}
}
