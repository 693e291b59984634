package keylog

import (
	"crypto/ed25519"

	"github.com/kith-project/kith/crypto/secret"
	"golang.org/x/mod/sumdb/note"
)

// Signer signs the checkpoints of one log. It prints as a placeholder.
type Signer struct {
	secret.Value // the seed

	key     publicKey
	private ed25519.PrivateKey
}

// NewSigner returns the signer of the log with the name origin, whose Ed25519 key (RFC 8032) has the seed given, 32
// random bytes. It returns ErrName. An origin should be a URL without scheme that the operator has the domain of, such
// as "kith.example.com/keylog".
func NewSigner(origin string, seed secret.Value) (*Signer, error) {
	key, private, err := newKey(origin, typeEd25519, seed)
	if err != nil {
		return nil, err
	}
	return &Signer{Value: seed, key: key, private: private}, nil
}

// newKey makes a key pair of a seed, or returns ErrName.
func newKey(name string, kind byte, seed secret.Value) (publicKey, ed25519.PrivateKey, error) {
	if !validName(name) {
		return publicKey{}, nil, ErrName
	}
	private := ed25519.NewKeyFromSeed(seed[:])
	k := publicKey{name: name, kind: kind}
	copy(k.key[:], private.Public().(ed25519.PublicKey))
	return k, private, nil
}

// Origin returns the name of the log.
func (s *Signer) Origin() string { return s.key.name }

// VerifierKey returns the text that ParseVerifierKey reads, and that clients pin.
func (s *Signer) VerifierKey() string { return s.key.String() }

// Verifier returns the verifier of this signer's checkpoints.
func (s *Signer) Verifier() *Verifier { return &Verifier{s.key} }

// Sign returns the checkpoint as a note (C2SP signed-note) with one signature. It returns ErrOrigin for a checkpoint of
// another log, and ErrCheckpoint for a negative size. Whoever calls it has made sure that the checkpoint extends the one
// that was signed last: two that do not extend each other are proof of a log that cheats.
func (s *Signer) Sign(c Checkpoint) (string, error) {
	if c.Origin != s.key.name {
		return "", ErrOrigin
	}
	if c.Size < 0 {
		return "", ErrCheckpoint
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, noteSigner{s.key, s.private})
	if err != nil {
		return "", ErrCheckpoint
	}
	return string(signed), nil
}

// noteSigner signs the text of a note as it is; it implements note.Signer.
type noteSigner struct {
	publicKey
	private ed25519.PrivateKey
}

func (s noteSigner) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.private, text), nil }

// Verifier is the public key of a log.
type Verifier struct{ publicKey }

// ParseVerifierKey reads a verifier key of C2SP signed-note, type 0x01, as Signer.VerifierKey writes it:
// <origin>+<8 hexadecimal digits>+<44 characters of base64>. It returns ErrKey.
func ParseVerifierKey(text string) (*Verifier, error) {
	key, err := parseKey(text, typeEd25519)
	if err != nil {
		return nil, err
	}
	return &Verifier{key}, nil
}

// Verify reports whether sig is the log's signature of text; it implements note.Verifier.
func (v *Verifier) Verify(text, sig []byte) bool { return ed25519.Verify(v.key[:], text, sig) }
