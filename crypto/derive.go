package crypto

import (
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
)

// The salt and info strings of the derivation. A change of any is another protocol.
const (
	deriveSalt = "kith directory v1"
	infoTag    = "tag"
	infoLabel  = "label"
)

// LabelKey seals the label of one number in one epoch, 32 bytes.
type LabelKey struct{ secret.Value }

// Derive returns the tag and the label key of an unblinded element.
func Derive(n voprf.UnblindedElement) (Tag, LabelKey) {
	prk, err := hkdf.Extract(sha256.New, n.Value[:], []byte(deriveSalt))
	if err != nil {
		panic("crypto: HKDF-SHA256 is not available: " + err.Error())
	}
	defer clear(prk)
	var tag Tag
	var key LabelKey
	expand(tag[:], prk, infoTag)
	expand(key.Value[:], prk, infoLabel)
	return tag, key
}

// expand fills dst, at most 32 bytes, with HKDF-Expand(prk, info).
func expand(dst, prk []byte, info string) {
	out, err := hkdf.Expand(sha256.New, prk, info, len(dst))
	if err != nil {
		panic("crypto: HKDF-SHA256 is not available: " + err.Error())
	}
	copy(dst, out)
	clear(out)
}
