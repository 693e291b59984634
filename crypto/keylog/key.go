package keylog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The signature types of C2SP signed-note that are used here.
const (
	typeEd25519     = 0x01 // of the log
	typeCosignature = 0x04 // of witnesses
)

// publicKey is a named Ed25519 key for signatures of one type.
type publicKey struct {
	name string
	kind byte
	key  [ed25519.PublicKeySize]byte
}

// parseKey reads a verifier key of C2SP signed-note, <name>+<hash, 8 hexadecimal digits>+<base64 of type and key>, of
// the type given. It returns ErrKey unless it is written the one way that String writes it.
func parseKey(text string, kind byte) (publicKey, error) {
	if len(text) > MaxName+1+8+1+base64.StdEncoding.EncodedLen(1+ed25519.PublicKeySize) {
		return publicKey{}, ErrKey
	}
	parts := strings.Split(text, "+")
	if len(parts) < 3 || !validName(parts[0]) {
		return publicKey{}, ErrKey
	}
	// Base64 itself may have plus signs.
	raw, err := base64.StdEncoding.DecodeString(strings.Join(parts[2:], "+"))
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != kind {
		return publicKey{}, ErrKey
	}
	k := publicKey{name: parts[0], kind: kind, key: [ed25519.PublicKeySize]byte(raw[1:])}
	if k.String() != text {
		return publicKey{}, ErrKey
	}
	return k, nil
}

// encoded returns the type and the key, 33 bytes.
func (k publicKey) encoded() []byte { return append([]byte{k.kind}, k.key[:]...) }

// Name returns the origin of the log, or the name of the witness.
func (k publicKey) Name() string { return k.name }

// KeyHash returns the key ID of C2SP signed-note: the first four bytes of SHA-256(name || newline || type || key).
func (k publicKey) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(k.name+"\n"), k.encoded()...))
	return binary.BigEndian.Uint32(sum[:4])
}

// String returns the verifier key, in the form that is parsed.
func (k publicKey) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.KeyHash(), base64.StdEncoding.EncodeToString(k.encoded()))
}

// validName reports whether a name can stand in a note: C2SP signed-note forbids spaces, plus signs and control
// characters in it.
func validName(name string) bool {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r == '+' || unicode.IsSpace(r) || unicode.IsControl(r) })
}
