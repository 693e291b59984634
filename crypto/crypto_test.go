package crypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/voprf"
)

func testElement(t testing.TB, number string) voprf.UnblindedElement {
	t.Helper()
	key, err := voprf.DeriveKeyPair(make([]byte, voprf.SeedSize), []byte("crypto test"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := key.Evaluate([][]byte{[]byte("tel:" + number)})
	if err != nil {
		t.Fatal(err)
	}
	return n[0]
}

// TestDeriveIsHKDF computes RFC 5869 by hand.
func TestDeriveIsHKDF(t *testing.T) {
	n := testElement(t, "+14155550100")
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	prk := mac([]byte("kith directory v1"), n.Bytes())
	tag, key := Derive(n)
	if want := mac(prk, []byte("tag"), []byte{1})[:TagSize]; !bytes.Equal(tag[:], want) {
		t.Errorf("tag: got %x, want %x", tag, want)
	}
	if want := mac(prk, []byte("label"), []byte{1}); !bytes.Equal(key.Bytes(), want) {
		t.Errorf("label key: got %x, want %x", key.Bytes(), want)
	}
}

func TestPrefix(t *testing.T) {
	tag := Tag{0xab, 0xcd, 0xef, 0x12, 0xff}
	for bits, want := range map[int]uint32{0: 0, 1: 1, 3: 5, 8: 0xab, 12: 0xabc, 20: 0xabcde, 32: 0xabcdef12} {
		if got := tag.Prefix(bits); got != want {
			t.Errorf("Prefix(%d): got %#x, want %#x", bits, got, want)
		}
	}
	for _, bits := range []int{-1, 33} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Prefix(%d) did not panic", bits)
				}
			}()
			tag.Prefix(bits)
		}()
	}
}

func TestAppendShort(t *testing.T) {
	tag := Tag{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for _, c := range []struct {
		bits, n int
		want    []byte
	}{
		{0, 3, []byte{0, 1, 2}}, {7, 2, []byte{0, 1}}, {8, 2, []byte{1, 2}}, {20, 4, []byte{2, 3, 4, 5}},
		{24, 1, []byte{3}}, {32, 12, tag[4:]}, {0, 16, tag[:]}, {20, 0, nil},
	} {
		if got := tag.AppendShort([]byte{0xff}, c.bits, c.n); !bytes.Equal(got, append([]byte{0xff}, c.want...)) {
			t.Errorf("%d bytes after %d bits: got %x, want ff%x", c.n, c.bits, got, c.want)
		}
	}
	for _, c := range []struct{ bits, n int }{{-1, 1}, {33, 1}, {0, 17}, {32, 13}, {0, -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d bytes after %d bits did not panic", c.n, c.bits)
				}
			}()
			tag.AppendShort(nil, c.bits, c.n)
		}()
	}
}

func TestLabels(t *testing.T) {
	tag, key := Derive(testElement(t, "+14155550100"))
	for name, label := range map[string]string{
		"empty": "", "one byte": "a", "user id": "user:7f3a", "unicode": "Zoë ✨", "zero byte inside": "a\x00b",
		"longest": strings.Repeat("x", MaxLabelSize),
	} {
		sealed, err := key.Seal(rand.Reader, tag, label)
		if err != nil {
			t.Errorf("%s: Seal: %v", name, err)
			continue
		}
		if got, err := key.Open(tag, sealed); err != nil || got != label {
			t.Errorf("%s: Open: got %q, %v, want %q", name, got, err, label)
		}
	}
	for name, label := range map[string]string{
		"one byte too long": strings.Repeat("x", MaxLabelSize+1), "not UTF-8": "\xff", "cut rune": "✨"[:2],
	} {
		if _, err := key.Seal(rand.Reader, tag, label); !errors.Is(err, ErrLabel) {
			t.Errorf("%s: Seal: got %v, want ErrLabel", name, err)
		}
	}
	if _, err := key.Seal(strings.NewReader("short"), tag, ""); err == nil {
		t.Error("Seal with short randomness gave no error")
	}
}

func TestOpenRefuses(t *testing.T) {
	tag, key := Derive(testElement(t, "+14155550100"))
	otherTag, otherKey := Derive(testElement(t, "+14155550101"))
	sealed, err := key.Seal(rand.Reader, tag, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := otherKey.Open(tag, sealed); err != ErrSealedLabel {
		t.Errorf("another number's key: got %v, want ErrSealedLabel", err)
	}
	if _, err := key.Open(otherTag, sealed); err != ErrSealedLabel {
		t.Errorf("moved to another tag: got %v, want ErrSealedLabel", err)
	}
	for i := range sealed {
		bad := sealed
		bad[i] ^= 0x80
		if _, err := key.Open(tag, bad); err != ErrSealedLabel {
			t.Errorf("bit flipped in byte %d: got %v, want ErrSealedLabel", i, err)
		}
	}

	// Sealed correctly, but not as Seal pads.
	block, _ := aes.NewCipher(key.Value[:])
	gcm, _ := cipher.NewGCM(block)
	for name, change := range map[string]func(p []byte){
		"length beyond the field":  func(p []byte) { p[0] = MaxLabelSize + 1 },
		"length 255":               func(p []byte) { p[0] = 255 },
		"padding that is not zero": func(p []byte) { p[len(p)-1] = 1 },
		"label not UTF-8":          func(p []byte) { p[1] = 0xff },
	} {
		padded := make([]byte, 1+MaxLabelSize)
		padded[0] = 5
		copy(padded[1:], "alice")
		change(padded)
		var bad SealedLabel
		gcm.Seal(bad[:labelNonceSize], bad[:labelNonceSize], padded, tag[:])
		if _, err := key.Open(tag, bad); err != ErrSealedLabel {
			t.Errorf("%s: got %v, want ErrSealedLabel", name, err)
		}
	}
}

// TestSealedLabelsLookAlike shows that neither the length of a label nor that two are equal can be seen.
func TestSealedLabelsLookAlike(t *testing.T) {
	tag, key := Derive(testElement(t, "+14155550100"))
	a, err := key.Seal(rand.Reader, tag, "x")
	if err != nil {
		t.Fatal(err)
	}
	b, err := key.Seal(rand.Reader, tag, "x")
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error("the same label sealed twice is the same bytes")
	}
}

// TestNonceOfLabel reads it: the bytes of the reader and zeros, so that a label can be stored without these, and no two of many
// alike.
func TestNonceOfLabel(t *testing.T) {
	tag, key := Derive(testElement(t, "+14155550100"))
	sealed, err := key.Seal(strings.NewReader("123456789abcdef"), tag, "x")
	if got := string(sealed[:labelNonceSize]); err != nil || got != "123456789\x00\x00\x00" {
		t.Errorf("got the nonce %q, %v", got, err)
	}
	nonces := make(map[string]bool)
	for range 1000 {
		sealed, err := key.Seal(rand.Reader, tag, "x")
		if err != nil {
			t.Fatal(err)
		}
		nonces[string(sealed[:labelNonceSize])] = true
	}
	if len(nonces) != 1000 {
		t.Errorf("got %d nonces of 1000 labels", len(nonces))
	}
}

func TestCompactLabel(t *testing.T) {
	tag, key := Derive(testElement(t, "+14155550100"))
	sealed, err := key.Seal(rand.Reader, tag, "ann")
	if err != nil {
		t.Fatal(err)
	}
	compact, ok := sealed.Compact()
	if back := compact.Sealed(); !ok || back != sealed {
		t.Errorf("got %x, %t, want %x", back, ok, sealed)
	}
	for i := range sealed {
		other := sealed
		other[i] ^= 0x80
		compact, ok := other.Compact()
		if zeros := i >= 9 && i < 12; ok == zeros {
			t.Errorf("byte %d: got %t", i, ok)
		} else if ok && compact.Sealed() != other {
			t.Errorf("byte %d: another came back", i)
		} else if !ok && compact != (CompactLabel{}) {
			t.Errorf("byte %d: refused, and returned", i)
		}
	}
}

func TestWrap(t *testing.T) {
	n := testElement(t, "+14155550100")
	tag, _ := Derive(n)
	var key, otherKey StorageKey
	key.Value[0], otherKey.Value[0] = 1, 2
	w := key.Wrap(tag, n)
	got, err := key.Unwrap(tag, w)
	if err != nil || !got.Equal(n.Value) {
		t.Errorf("Unwrap: got error %v, equal %t", err, got.Equal(n.Value))
	}
	if bytes.Contains(w[:], n.Value[:8]) {
		t.Error("the wrapped element shows the element")
	}
	if _, err := otherKey.Unwrap(tag, w); err != ErrWrapped {
		t.Errorf("another storage key: got %v, want ErrWrapped", err)
	}
	otherTag, _ := Derive(testElement(t, "+14155550101"))
	if _, err := key.Unwrap(otherTag, w); err != ErrWrapped {
		t.Errorf("another tag: got %v, want ErrWrapped", err)
	}
	for i := range w {
		bad := w
		bad[i] ^= 1
		if _, err := key.Unwrap(tag, bad); err != ErrWrapped {
			t.Errorf("bit flipped in byte %d: got %v, want ErrWrapped", i, err)
		}
	}
}

func TestSecretsPrintNothing(t *testing.T) {
	_, key := Derive(testElement(t, "+14155550100"))
	for name, v := range map[string]any{"label key": key, "storage key": StorageKey{}} {
		for _, verb := range []string{"%v", "%#v", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%s of a %s printed %q, want [secret]", verb, name, got)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	n := testElement(f, "+14155550100")
	tag, key := Derive(n)
	sealed, err := key.Seal(rand.Reader, tag, "alice")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed[:])
	f.Add(make([]byte, SealedLabelSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s SealedLabel
		copy(s[:], b)
		if label, err := key.Open(tag, s); err == nil && CheckLabel(label) != nil {
			t.Error("opened a label that could not have been sealed")
		}
	})
}

func BenchmarkDerive(b *testing.B) {
	n := testElement(b, "+14155550100")
	for b.Loop() {
		Derive(n)
	}
}

func BenchmarkSealOpen(b *testing.B) {
	tag, key := Derive(testElement(b, "+14155550100"))
	for b.Loop() {
		sealed, err := key.Seal(rand.Reader, tag, "user-000001")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := key.Open(tag, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	n := testElement(b, "+14155550100")
	tag, _ := Derive(n)
	var key StorageKey
	w := key.Wrap(tag, n)
	for b.Loop() {
		if _, err := key.Unwrap(tag, w); err != nil {
			b.Fatal(err)
		}
	}
}
