package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kith-project/kith/crypto/secret"
)

const (
	sealNonceSize = 12
	sealTagSize   = 16
	// sealedSize is the length of a sealed key: nonce 12, ciphertext 32, authentication tag 16.
	sealedSize = sealNonceSize + secret.Size + sealTagSize
)

var (
	// ErrMasterKeyFormat means text that is not 64 hexadecimal digits.
	ErrMasterKeyFormat = errors.New("keyring: a master key is 64 hexadecimal digits")
	// ErrMasterKey means that the keyring was sealed under another master key.
	ErrMasterKey = errors.New("keyring: sealed under another master key")
	// ErrSealed means a sealed key that does not open though the master key is the right one: the store was altered.
	ErrSealed = errors.New("keyring: a sealed key does not open")
)

// MasterKey seals the other keys, 32 bytes. It never enters the store.
type MasterKey struct{ secret.Value }

// NewMasterKey makes a master key from 32 bytes of rand. It returns the reader's error.
func NewMasterKey(rand io.Reader) (MasterKey, error) {
	var m MasterKey
	if _, err := io.ReadFull(rand, m.Value[:]); err != nil {
		return MasterKey{}, fmt.Errorf("keyring: reading randomness: %w", err)
	}
	return m, nil
}

// ParseMasterKey reads the text form, 64 hexadecimal digits with white space around them. It returns
// ErrMasterKeyFormat, which never quotes the text.
func ParseMasterKey(text string) (MasterKey, error) {
	var m MasterKey
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != secret.Size {
		return MasterKey{}, ErrMasterKeyFormat
	}
	copy(m.Value[:], b)
	clear(b)
	return m, nil
}

// Text returns the form that ParseMasterKey reads, for the file that an operator keeps.
func (m MasterKey) Text() string { return hex.EncodeToString(m.Value[:]) }

// choose returns the master key of this id, or ErrMasterKey.
func choose(masters []MasterKey, id string) (MasterKey, error) {
	for _, m := range masters {
		if m.id() == id {
			return m, nil
		}
	}
	return MasterKey{}, ErrMasterKey
}

// id tells this master key from another without telling anything else of it, 16 hexadecimal digits.
func (m MasterKey) id() string { return hex.EncodeToString(m.derive("id", 8)) }

func (m MasterKey) derive(info string, n int) []byte {
	out, err := hkdf.Key(sha256.New, m.Value[:], []byte("kith keyring v1"), info, n)
	if err != nil {
		panic("keyring: HKDF-SHA256 is not available: " + err.Error())
	}
	return out
}

func (m MasterKey) aead() cipher.AEAD {
	key := m.derive("seal", secret.Size)
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("keyring: AES-256 is not available: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("keyring: GCM is not available: " + err.Error())
	}
	return aead
}

// seal encrypts one key for one purpose, such as "epoch:1 private": a sealed key moved to another place does not open.
func (m MasterKey) seal(rand io.Reader, purpose string, key secret.Value) ([]byte, error) {
	return m.sealBytes(rand, purpose, key[:])
}

// open decrypts what seal made for the same purpose, or returns ErrSealed.
func (m MasterKey) open(purpose string, sealed []byte) (secret.Value, error) {
	var key secret.Value
	if len(sealed) != sealedSize {
		return key, ErrSealed
	}
	b, err := m.openBytes(purpose, sealed)
	if err != nil {
		return key, err
	}
	copy(key[:], b)
	clear(b)
	return key, nil
}

// sealBytes encrypts any number of bytes for one purpose: nonce 12, ciphertext, authentication tag 16.
func (m MasterKey) sealBytes(rand io.Reader, purpose string, plain []byte) ([]byte, error) {
	sealed := make([]byte, sealNonceSize, sealNonceSize+len(plain)+sealTagSize)
	if _, err := io.ReadFull(rand, sealed); err != nil {
		return nil, fmt.Errorf("keyring: reading randomness: %w", err)
	}
	return m.aead().Seal(sealed, sealed, plain, []byte(purpose)), nil
}

// openBytes decrypts what sealBytes made for the same purpose, or returns ErrSealed.
func (m MasterKey) openBytes(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealNonceSize+sealTagSize {
		return nil, ErrSealed
	}
	plain, err := m.aead().Open(nil, sealed[:sealNonceSize], sealed[sealNonceSize:], []byte(purpose))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
