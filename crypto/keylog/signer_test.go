package keylog_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/keylog"
	"golang.org/x/mod/sumdb/note"
)

// noteSigner is x/mod's own signer with the key of a seed of one value.
func noteSigner(t testing.TB, name string, fill byte) note.Signer {
	t.Helper()
	value := seed(fill)
	vkey, err := note.NewEd25519VerifierKey(name, ed25519.NewKeyFromSeed(value[:]).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.Split(vkey, "+")[1]
	private := base64.StdEncoding.EncodeToString(append([]byte{1}, value[:]...))
	s, err := note.NewSigner("PRIVATE+KEY+" + name + "+" + hash + "+" + private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCheckpointsAreNotes has x/mod's own implementation of signed notes read and write what this one does.
func TestCheckpointsAreNotes(t *testing.T) {
	s := newSigner(t, origin, 1)
	c := keylog.Checkpoint{Origin: origin, Size: 3, Root: keylog.Root([]string{"a", "b", "c"})}
	signed, err := s.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(s.VerifierKey())
	if err != nil {
		t.Fatalf("x/mod does not read the verifier key: %v", err)
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		t.Fatalf("x/mod does not open the checkpoint: %v", err)
	}
	if opened.Text != c.Text() || len(opened.Sigs) != 1 || len(opened.UnverifiedSigs) != 0 {
		t.Errorf("got text %q with %d and %d signatures, want %q with 1 and 0", opened.Text, len(opened.Sigs),
			len(opened.UnverifiedSigs), c.Text())
	}
	theirs, err := note.Sign(&note.Note{Text: c.Text()}, noteSigner(t, origin, 1))
	if err != nil {
		t.Fatal(err)
	}
	if string(theirs) != signed {
		t.Errorf("got %q, x/mod signs it as %q", signed, theirs)
	}
}

func TestSignRefuses(t *testing.T) {
	s := newSigner(t, origin, 1)
	for _, test := range []struct {
		name string
		c    keylog.Checkpoint
		want error
	}{
		{"another origin", keylog.Checkpoint{Origin: "other.example/keylog"}, keylog.ErrOrigin},
		{"no origin", keylog.Checkpoint{}, keylog.ErrOrigin},
		{"a negative size", keylog.Checkpoint{Origin: origin, Size: -1}, keylog.ErrCheckpoint},
	} {
		if got, err := s.Sign(test.c); err != test.want || got != "" {
			t.Errorf("%s: got %q and error %v, want %v", test.name, got, err, test.want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]error{
		"kith.example/keylog":                 nil,
		"localhost:8080":                      nil,
		"straße.example":                      nil,
		strings.Repeat("n", keylog.MaxName):   nil,
		"":                                    keylog.ErrName,
		strings.Repeat("n", keylog.MaxName+1): keylog.ErrName,
		"two words":                           keylog.ErrName,
		"no\u00a0break":                       keylog.ErrName,
		"a+b":                                 keylog.ErrName,
		"two\nlines":                          keylog.ErrName,
		"bell\a":                              keylog.ErrName,
		"delete\x7f":                          keylog.ErrName,
		"\xff":                                keylog.ErrName,
		strings.Repeat("ß", keylog.MaxName/2) + "ß": keylog.ErrName,
	} {
		s, err := keylog.NewSigner(name, seed(1))
		if err != want || (s == nil) != (err != nil) {
			t.Errorf("NewSigner(%q): got %v, want %v", name, err, want)
		}
		c, err := keylog.NewCosigner(name, seed(1))
		if err != want || (c == nil) != (err != nil) {
			t.Errorf("NewCosigner(%q): got %v, want %v", name, err, want)
		}
		if want != nil {
			continue
		}
		if v, err := keylog.ParseVerifierKey(s.VerifierKey()); err != nil || v.Name() != name || v.String() != s.VerifierKey() {
			t.Errorf("verifier key of %q: got %v and error %v", name, v, err)
		}
		if w, err := keylog.ParseWitnessKey(c.WitnessKey()); err != nil || w.Name() != name || w.String() != c.WitnessKey() {
			t.Errorf("witness key of %q: got %v and error %v", name, w, err)
		}
	}
}

func TestParseKeysRefuse(t *testing.T) {
	s, c := newSigner(t, origin, 1), newCosigner(t, origin, 1)
	parse := map[string]func(string) error{
		"verifier": func(text string) error { _, err := keylog.ParseVerifierKey(text); return err },
		"witness":  func(text string) error { _, err := keylog.ParseWitnessKey(text); return err },
	}
	own := map[string]string{"verifier": s.VerifierKey(), "witness": c.WitnessKey()}
	other := map[string]string{"verifier": c.WitnessKey(), "witness": s.VerifierKey()}
	for kind, parse := range parse {
		key := own[kind]
		if err := parse(key); err != nil {
			t.Fatalf("%s key: %v", kind, err)
		}
		for i := range key {
			for _, flip := range []byte{1, 2, 0x20} {
				altered := key[:i] + string([]byte{key[i] ^ flip}) + key[i+1:]
				if err := parse(altered); err != keylog.ErrKey {
					t.Errorf("%s key %q with byte %d altered: got %v, want ErrKey", kind, altered, i, err)
				}
			}
			if err := parse(key[:i]); err != keylog.ErrKey {
				t.Errorf("the first %d bytes of a %s key: got %v, want ErrKey", i, kind, err)
			}
		}
		parts := strings.SplitN(key, "+", 3)
		for name, text := range map[string]string{
			"of the other kind":      other[kind],
			"followed by a newline":  key + "\n",
			"after a space":          " " + key,
			"with a newline inside":  parts[0] + "+" + parts[1] + "+" + parts[2][:8] + "\n" + parts[2][8:],
			"hash in capitals":       parts[0] + "+" + strings.ToUpper(parts[1]) + "+" + parts[2],
			"with another part":      key + "+",
			"very long":              strings.Repeat("n", 1<<20),
			"private":                "PRIVATE+KEY+" + key,
			"of no type":             "x+00000000+",
			"with a name of another": "other.example" + key[len(origin):],
		} {
			if err := parse(text); err != keylog.ErrKey {
				t.Errorf("%s key %s: got %v, want ErrKey", kind, name, err)
			}
		}
	}
}

// TestVerifierKeysOfNote reads verifier keys that x/mod makes.
func TestVerifierKeysOfNote(t *testing.T) {
	for range 50 {
		_, vkey, err := note.GenerateKey(rand.Reader, origin)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := keylog.ParseVerifierKey(vkey); err != nil || v.String() != vkey {
			t.Errorf("%s: got %v and error %v", vkey, v, err)
		}
	}
}

func TestSignersPrintNothing(t *testing.T) {
	for name, v := range map[string]any{"signer": newSigner(t, origin, 1), "cosigner": newCosigner(t, origin, 1)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%s of a %s printed %q, want [secret]", verb, name, got)
			}
		}
	}
}
