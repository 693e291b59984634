package crypto

// Sizes in bytes of the values that a directory is made of.
const (
	// TagSize is the length of a Tag.
	TagSize = 16
	// MaxLabelSize is the longest label, in bytes of UTF-8, that a SealedLabel can hold.
	MaxLabelSize = 47
	// SealedLabelSize is the length of a SealedLabel: nonce 12, padded label 48, authentication tag 16.
	SealedLabelSize = 76
	// CompactLabelSize is the length of a CompactLabel: a SealedLabel without the zeros that end its nonce.
	CompactLabelSize = 73
	// WrappedSize is the length of a WrappedElement.
	WrappedSize = 32
	// StorageKeySize is the length of the key that wraps stored elements.
	StorageKeySize = 32
	// MaxPrefixBits is the largest number of bits that Tag.Prefix gives.
	MaxPrefixBits = 32
)

// Tag is the pseudonym under which a registration is stored and looked up in one epoch, 16 bytes derived from the
// unblinded element of the number. Without the epoch's private key it cannot be computed from the number.
type Tag [TagSize]byte

// SealedLabel is a label encrypted under the label key of its number: 12 bytes of nonce, 48 bytes of ciphertext, and
// 16 bytes of authentication tag. All sealed labels are the same length.
type SealedLabel [SealedLabelSize]byte

// CompactLabel is a SealedLabel as it is stored: without the three zeros that end the nonce of what LabelKey.Seal makes. Any
// bytes are the form of one.
type CompactLabel [CompactLabelSize]byte

// WrappedElement is an unblinded element encrypted under an epoch's storage key, with the tag as synthetic IV.
type WrappedElement [WrappedSize]byte

// Prefix returns the top bits of the tag as a number, bits between 0 and MaxPrefixBits: the number of its bucket in an
// epoch of that many bucket bits. It panics outside that range, which is a programming error.
func (t Tag) Prefix(bits int) uint32 {
	if bits < 0 || bits > MaxPrefixBits {
		panic("crypto: prefix bits out of range")
	}
	top := uint64(t[0])<<24 | uint64(t[1])<<16 | uint64(t[2])<<8 | uint64(t[3])
	return uint32(top >> (MaxPrefixBits - bits))
}

// AppendShort appends the short form of the tag to dst, and returns the result: the n bytes after the whole bytes of its
// prefix, t[prefixBits/8 : prefixBits/8+n]. Where prefixBits is no multiple of 8, the first of them begins with the last
// bits of the prefix. It panics unless prefixBits is between 0 and MaxPrefixBits and the tag has the bytes, which is a
// programming error.
func (t Tag) AppendShort(dst []byte, prefixBits, n int) []byte {
	if prefixBits < 0 || prefixBits > MaxPrefixBits {
		panic("crypto: prefix bits out of range")
	}
	return append(dst, t[prefixBits/8:prefixBits/8+n]...)
}
