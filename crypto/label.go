package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	labelNonceSize = 12
	// labelRandomSize is how many bytes of a nonce are random. A label key seals the labels of one number in one epoch, so that
	// these are enough: after 2^20 labels two had the same nonce with a chance below 2^-32, which is what SP 800-38D, Section 8,
	// asks for. The zeros after them need not be stored.
	labelRandomSize = 9
	paddedLabelSize = 1 + MaxLabelSize
)

var (
	// ErrLabel means a label of more than MaxLabelSize bytes or that is not UTF-8.
	ErrLabel = errors.New("crypto: label too long or not UTF-8")
	// ErrSealedLabel means a sealed label that does not open under this key and tag: it is another number's, or was
	// altered.
	ErrSealedLabel = errors.New("crypto: sealed label does not open")
)

// CheckLabel returns ErrLabel if label is more than MaxLabelSize bytes or not UTF-8. The empty label is allowed.
func CheckLabel(label string) error {
	if len(label) > MaxLabelSize || !utf8.ValidString(label) {
		return ErrLabel
	}
	return nil
}

// Seal encrypts label with AES-256-GCM under a nonce of 9 bytes of rand and 3 zeros, with the tag as additional data. The
// plaintext is padded to 48 bytes (one byte of length, the label, zeros), so that all sealed labels look alike. It returns
// ErrLabel, or the reader's error.
func (k LabelKey) Seal(rand io.Reader, tag Tag, label string) (SealedLabel, error) {
	var sealed SealedLabel
	if err := CheckLabel(label); err != nil {
		return sealed, err
	}
	if _, err := io.ReadFull(rand, sealed[:labelRandomSize]); err != nil {
		return SealedLabel{}, fmt.Errorf("crypto: reading randomness: %w", err)
	}
	var padded [paddedLabelSize]byte
	padded[0] = byte(len(label))
	copy(padded[1:], label)
	k.aead().Seal(sealed[:labelNonceSize], sealed[:labelNonceSize], padded[:], tag[:])
	return sealed, nil
}

// Open decrypts a label that Seal made for the same tag. It returns ErrSealedLabel for anything else, a label whose
// padding is not as Seal makes it included.
func (k LabelKey) Open(tag Tag, sealed SealedLabel) (string, error) {
	padded, err := k.aead().Open(nil, sealed[:labelNonceSize], sealed[labelNonceSize:], tag[:])
	if err != nil || int(padded[0]) > MaxLabelSize {
		return "", ErrSealedLabel
	}
	label, padding := padded[1:1+padded[0]], padded[1+padded[0]:]
	for _, b := range padding {
		if b != 0 {
			return "", ErrSealedLabel
		}
	}
	if !utf8.Valid(label) {
		return "", ErrSealedLabel
	}
	return string(label), nil
}

// Compact returns the stored form of a label that Seal has made, and false for one whose nonce does not end in zeros.
func (s *SealedLabel) Compact() (c CompactLabel, ok bool) {
	for _, b := range s[labelRandomSize:labelNonceSize] {
		if b != 0 {
			return CompactLabel{}, false
		}
	}
	copy(c[:], s[:labelRandomSize])
	copy(c[labelRandomSize:], s[labelNonceSize:])
	return c, true
}

// Sealed returns the sealed label whose stored form c is.
func (c *CompactLabel) Sealed() (s SealedLabel) {
	copy(s[:], c[:labelRandomSize])
	copy(s[labelNonceSize:], c[labelRandomSize:])
	return s
}

func (k LabelKey) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.Value[:])
	if err != nil {
		panic("crypto: AES-256 is not available: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("crypto: GCM is not available: " + err.Error())
	}
	return aead
}
