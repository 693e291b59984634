package keylog

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/kith-project/kith/crypto/secret"
	"golang.org/x/mod/sumdb/note"
)

// Witness is the public key of a witness.
type Witness struct{ publicKey }

// ParseWitnessKey reads a verifier key of C2SP signed-note, type 0x04 (tlog-cosignature, Ed25519), as
// Cosigner.WitnessKey writes it: <name>+<8 hexadecimal digits>+<44 characters of base64>. It returns ErrKey.
func ParseWitnessKey(text string) (*Witness, error) {
	key, err := parseKey(text, typeCosignature)
	if err != nil {
		return nil, err
	}
	return &Witness{key}, nil
}

// A cosignature is the time in seconds since 1970, 8 bytes big-endian, and an Ed25519 signature.
const cosignatureSize = 8 + ed25519.SignatureSize

// cosigned is the message that a witness signs.
func cosigned(text string, unix int64) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", unix, text)
}

// Verify reports whether sig is a cosignature of text, of 72 bytes; it implements note.Verifier.
func (w *Witness) Verify(text, sig []byte) bool {
	_, ok := w.open(string(text), sig)
	return ok
}

// open checks a cosignature and returns its time.
func (w *Witness) open(text string, sig []byte) (time.Time, bool) {
	if len(sig) != cosignatureSize {
		return time.Time{}, false
	}
	unix := binary.BigEndian.Uint64(sig)
	if unix > math.MaxInt64 || !ed25519.Verify(w.key[:], cosigned(text, int64(unix)), sig[8:]) {
		return time.Time{}, false
	}
	return time.Unix(int64(unix), 0).UTC(), true
}

// openSignature is open for a signature of a note.
func (w *Witness) openSignature(text string, s note.Signature) (time.Time, bool) {
	raw, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(raw) < 4 || s.Name != w.name || s.Hash != w.KeyHash() || binary.BigEndian.Uint32(raw) != s.Hash {
		return time.Time{}, false
	}
	return w.open(text, raw[4:])
}

// Cosigner makes the cosignatures of one witness. It prints as a placeholder.
type Cosigner struct {
	secret.Value // the seed

	key     publicKey
	private ed25519.PrivateKey
}

// NewCosigner returns the witness of that name, whose Ed25519 key has the seed given, 32 random bytes that serve nothing
// else. It returns ErrName.
func NewCosigner(name string, seed secret.Value) (*Cosigner, error) {
	key, private, err := newKey(name, typeCosignature, seed)
	if err != nil {
		return nil, err
	}
	return &Cosigner{Value: seed, key: key, private: private}, nil
}

// WitnessKey returns the text that ParseWitnessKey reads.
func (c *Cosigner) WitnessKey() string { return c.key.String() }

// Witness returns the public key.
func (c *Cosigner) Witness() *Witness { return &Witness{c.key} }

// Cosign returns the signature line, without a newline, that says: at that time, to the second, the checkpoint of this
// note was the latest one of its log that the witness has seen, and it extends all that it has seen before. The caller
// has checked that, with [Verify] and the checkpoint it remembers, and remembers this one before it gives the line away.
//
// It returns ErrTooLarge, ErrCheckpoint or ErrTime.
func (c *Cosigner) Cosign(signed string, at time.Time) (string, error) {
	n, err := openUnverified(signed)
	if err != nil {
		return "", err
	}
	unix := at.Unix()
	if unix < 0 {
		return "", ErrTime
	}
	sig := binary.BigEndian.AppendUint32(nil, c.key.KeyHash())
	sig = binary.BigEndian.AppendUint64(sig, uint64(unix))
	sig = append(sig, ed25519.Sign(c.private, cosigned(n.Text, unix))...)
	return fmt.Sprintf("— %s %s", c.key.name, base64.StdEncoding.EncodeToString(sig)), nil
}

// openUnverified parses a signed checkpoint without looking at its signatures. It returns ErrTooLarge or ErrCheckpoint.
func openUnverified(signed string) (*note.Note, error) {
	if len(signed) > MaxCheckpoint {
		return nil, ErrTooLarge
	}
	_, err := note.Open([]byte(signed), nil)
	unverified, ok := err.(*note.UnverifiedNoteError)
	if !ok {
		return nil, ErrCheckpoint
	}
	if _, err := ParseCheckpoint(unverified.Note.Text); err != nil {
		return nil, err
	}
	return unverified.Note, nil
}

// AddCosignature returns the signed checkpoint with the witness's signature line added, with or without its newline. Of
// two cosignatures of a witness the later one stays. The signatures of others are not looked at.
//
// It returns ErrSignature unless the line is a cosignature of this checkpoint by this witness, ErrCheckpoint for a
// malformed checkpoint, and ErrTooLarge for one cosignature more than MaxCosignatures.
func AddCosignature(signed, line string, w *Witness) (string, error) {
	n, err := openUnverified(signed)
	if err != nil {
		return "", err
	}
	added, err := parseLine(line)
	if err != nil {
		return "", err
	}
	at, ok := w.openSignature(n.Text, added)
	if !ok {
		return "", ErrSignature
	}
	kept := n.UnverifiedSigs[:0]
	for _, s := range n.UnverifiedSigs {
		if s.Name != added.Name || s.Hash != added.Hash {
			kept = append(kept, s)
		} else if earlier, ok := w.openSignature(n.Text, s); ok && !at.After(earlier) {
			added, at = s, earlier
		}
	}
	// One signature is the log's own.
	if len(kept) > MaxCosignatures {
		return "", ErrTooLarge
	}
	out, err := note.Sign(&note.Note{Text: n.Text, UnverifiedSigs: append(kept, added)})
	if err != nil {
		return "", ErrCheckpoint
	}
	if len(out) > MaxCheckpoint {
		return "", ErrTooLarge
	}
	return string(out), nil
}

// parseLine reads a signature line of a note, "— <name> <base64>", or returns ErrSignature.
func parseLine(line string) (note.Signature, error) {
	rest, dashed := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "— ")
	name, encoded, found := strings.Cut(rest, " ")
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !dashed || !found || err != nil || len(raw) != 4+cosignatureSize || strings.ContainsAny(encoded, "\r\n") {
		return note.Signature{}, ErrSignature
	}
	return note.Signature{Name: name, Hash: binary.BigEndian.Uint32(raw), Base64: encoded}, nil
}
