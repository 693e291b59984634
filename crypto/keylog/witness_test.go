package keylog_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
	"golang.org/x/mod/sumdb/note"
)

func newCosigner(t testing.TB, name string, fill byte) *keylog.Cosigner {
	t.Helper()
	c, err := keylog.NewCosigner(name, seed(fill))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// line returns the cosignature of a checkpoint.
func line(t testing.TB, checkpoint string, c *keylog.Cosigner, at time.Time) string {
	t.Helper()
	line, err := c.Cosign(checkpoint, at)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// cosign returns the checkpoint with a cosignature more.
func cosign(t testing.TB, checkpoint string, c *keylog.Cosigner, at time.Time) string {
	t.Helper()
	out, err := keylog.AddCosignature(checkpoint, line(t, checkpoint, c, at), c.Witness())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestCosignatureBytes takes a cosignature apart by the words of C2SP tlog-cosignature alone.
func TestCosignatureBytes(t *testing.T) {
	const name = "witness.example/w1"
	s, c := newSigner(t, origin, 1), newCosigner(t, name, 7)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	body, _, _ := strings.Cut(m.Checkpoint, "\n\n")
	body += "\n"
	value := seed(7)
	public := ed25519.NewKeyFromSeed(value[:]).Public().(ed25519.PublicKey)
	id := sha256.Sum256([]byte(name + "\n\x04" + string(public)))

	encoded, found := strings.CutPrefix(line(t, m.Checkpoint, c, time.Unix(1679315147, 999)), "— "+name+" ")
	if !found {
		t.Fatal("the line does not begin with a dash and the name")
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 4+8+64 {
		t.Fatalf("got %d bytes and error %v, want 76 bytes", len(raw), err)
	}
	if got, want := raw[:4], id[:4]; string(got) != string(want) {
		t.Errorf("key ID: got %x, want %x", got, want)
	}
	if got := binary.BigEndian.Uint64(raw[4:]); got != 1679315147 {
		t.Errorf("timestamp: got %d, want 1679315147", got)
	}
	if !ed25519.Verify(public, []byte("cosignature/v1\ntime 1679315147\n"+body), raw[12:]) {
		t.Error("the signature is not of the message that the specification says")
	}
	want := fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(append([]byte{4}, public...)))
	if got := c.WitnessKey(); got != want {
		t.Errorf("witness key: got %s, want %s", got, want)
	}
}

// TestCosignatureTimestampsHave63Bits has a witness sign the time 2^63 seconds, and what that is with a sign.
func TestCosignatureTimestampsHave63Bits(t *testing.T) {
	const name = "w.example"
	s, c := newSigner(t, origin, 1), newCosigner(t, name, 7)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	body, _, _ := strings.Cut(m.Checkpoint, "\n\n")
	value := seed(7)
	private := ed25519.NewKeyFromSeed(value[:])
	for _, test := range []struct {
		seconds uint64
		text    string
		want    error
	}{
		{1<<63 - 1, "9223372036854775807", nil},
		{1 << 63, "9223372036854775808", keylog.ErrSignature},
		{1 << 63, "-9223372036854775808", keylog.ErrSignature},
		{1e9, "1000000000", nil},
		{1e9, "01000000000", keylog.ErrSignature},
		{1e9, "1000000001", keylog.ErrSignature},
	} {
		raw := binary.BigEndian.AppendUint32(nil, c.Witness().KeyHash())
		raw = binary.BigEndian.AppendUint64(raw, test.seconds)
		raw = append(raw, ed25519.Sign(private, []byte("cosignature/v1\ntime "+test.text+"\n"+body+"\n"))...)
		line := "— " + name + " " + base64.StdEncoding.EncodeToString(raw)
		if _, err := keylog.AddCosignature(m.Checkpoint, line, c.Witness()); err != test.want {
			t.Errorf("timestamp %d signed as %q: got %v, want %v", test.seconds, test.text, err, test.want)
		}
	}
}

// TestCosignatureOfAPublicWitness checks what others have made: see testdata/README.md.
func TestCosignatureOfAPublicWitness(t *testing.T) {
	checkpoint, err := os.ReadFile("testdata/cosigned-checkpoint.txt")
	if err != nil {
		t.Fatal(err)
	}
	w, err := keylog.ParseWitnessKey("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2")
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(checkpoint, note.VerifierList(w))
	if err != nil {
		t.Fatalf("the cosignature does not verify: %v", err)
	}
	if len(n.Sigs) != 1 || n.Sigs[0].Name != "remora.n621.de" || len(n.UnverifiedSigs) != 5 {
		t.Errorf("got %d verified signatures and %d others, want 1 and 5", len(n.Sigs), len(n.UnverifiedSigs))
	}
	if c, err := keylog.ParseCheckpoint(n.Text); err != nil || c.Size != 1432088532 || c.Text() != n.Text {
		t.Errorf("checkpoint: got %+v and error %v, want that of the text", c, err)
	}
	altered := strings.Replace(string(checkpoint), "1432088532", "1432088533", 1)
	if _, err := note.Open([]byte(altered), note.VerifierList(w)); err == nil {
		t.Error("the cosignature verifies for another size")
	}
}

func TestCosignRefuses(t *testing.T) {
	s, c := newSigner(t, origin, 1), newCosigner(t, "w.example", 7)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	extended, err := note.Sign(&note.Note{Text: strings.SplitAfter(m.Checkpoint, "\n\n")[0][:len("kith.example/keylog\n1\n")+45] +
		"extension\n"}, noteSigner(t, origin, 1))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1e9, 0)
	for _, test := range []struct {
		name       string
		checkpoint string
		at         time.Time
		want       error
	}{
		{"before 1970", m.Checkpoint, time.Unix(-1, 0), keylog.ErrTime},
		{"the zero time", m.Checkpoint, time.Time{}, keylog.ErrTime},
		{"nothing", "", now, keylog.ErrCheckpoint},
		{"a body without signatures", "kith.example/keylog\n0\noqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqI=\n", now, keylog.ErrCheckpoint},
		{"an extension line", string(extended), now, keylog.ErrCheckpoint},
		{"another text", "text\n\n— x AAAAAAAA\n", now, keylog.ErrCheckpoint},
		{"over MaxCheckpoint", m.Checkpoint + strings.Repeat("x", keylog.MaxCheckpoint), now, keylog.ErrTooLarge},
	} {
		if got, err := c.Cosign(test.checkpoint, test.at); err != test.want || got != "" {
			t.Errorf("%s: got %q and error %v, want %v", test.name, got, err, test.want)
		}
	}
	if got, err := c.Cosign(m.Checkpoint, time.Unix(0, 0)); err != nil || got == "" {
		t.Errorf("the first second of 1970: got %q and error %v, want a line", got, err)
	}
}

func TestAddCosignature(t *testing.T) {
	s, a, b := newSigner(t, origin, 1), newCosigner(t, "a.example", 7), newCosigner(t, "b.example", 8)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	later := grow(t, s, m, epochEntry(2, 2))
	at := time.Unix(1e9, 0)
	good := line(t, m.Checkpoint, a, at)
	if got, err := keylog.AddCosignature(m.Checkpoint, good, a.Witness()); err != nil || got != m.Checkpoint+good+"\n" {
		t.Errorf("got %q and error %v, want the checkpoint and the line", got, err)
	}
	if got, err := keylog.AddCosignature(m.Checkpoint, good+"\n", a.Witness()); err != nil || got != m.Checkpoint+good+"\n" {
		t.Errorf("line with its newline: got %q and error %v, want the checkpoint and the line", got, err)
	}
	renamed := strings.Replace(good, "a.example", "b.example", 1)
	logs := strings.TrimSuffix(m.Checkpoint[strings.Index(m.Checkpoint, "— "):], "\n")
	for _, test := range []struct {
		name, checkpoint, line string
		w                      *keylog.Witness
		want                   error
	}{
		{"of another witness", m.Checkpoint, good, b.Witness(), keylog.ErrSignature},
		{"under another name", m.Checkpoint, renamed, b.Witness(), keylog.ErrSignature},
		{"under another name, by the right key", m.Checkpoint, renamed, a.Witness(), keylog.ErrSignature},
		{"of another checkpoint", later.Checkpoint, good, a.Witness(), keylog.ErrSignature},
		{"nothing", m.Checkpoint, "", a.Witness(), keylog.ErrSignature},
		{"the log's own signature", m.Checkpoint, logs, a.Witness(), keylog.ErrSignature},
		{"two lines", m.Checkpoint, good + "\n" + good, a.Witness(), keylog.ErrSignature},
		{"two newlines", m.Checkpoint, good + "\n\n", a.Witness(), keylog.ErrSignature},
		{"a newline inside", m.Checkpoint, good[:40] + "\n" + good[40:], a.Witness(), keylog.ErrSignature},
		{"without the dash", m.Checkpoint, strings.TrimPrefix(good, "— "), a.Witness(), keylog.ErrSignature},
		{"a hyphen for the dash", m.Checkpoint, strings.Replace(good, "—", "-", 1), a.Witness(), keylog.ErrSignature},
		{"cut short", m.Checkpoint, good[:len(good)-4], a.Witness(), keylog.ErrSignature},
		{"on nothing", "", good, a.Witness(), keylog.ErrCheckpoint},
		{"on a checkpoint without a signature", strings.SplitAfter(m.Checkpoint, "\n\n")[0], good, a.Witness(), keylog.ErrCheckpoint},
		{"on too large a checkpoint", m.Checkpoint + strings.Repeat("x", keylog.MaxCheckpoint), good, a.Witness(), keylog.ErrTooLarge},
	} {
		if got, err := keylog.AddCosignature(test.checkpoint, test.line, test.w); err != test.want || got != "" {
			t.Errorf("%s: got %q and error %v, want %v", test.name, got, err, test.want)
		}
	}
	for i := range good {
		altered := good[:i] + string([]byte{good[i] ^ 1}) + good[i+1:]
		if _, err := keylog.AddCosignature(m.Checkpoint, altered, a.Witness()); err != keylog.ErrSignature {
			t.Errorf("byte %d of the line altered: got %v, want ErrSignature", i, err)
		}
	}
}

func TestAddCosignatureKeepsTheLatest(t *testing.T) {
	s, a, b := newSigner(t, origin, 1), newCosigner(t, "a.example", 7), newCosigner(t, "b.example", 8)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	early, late := time.Unix(1e9, 0).UTC(), time.Unix(1e9+1, 0).UTC()
	options := keylog.Options{Witnesses: []*keylog.Witness{a.Witness(), b.Witness()}, Quorum: 2}
	for name, times := range map[string][]time.Time{
		"early first": {early, late}, "late first": {late, early}, "twice": {late, late}, "three times": {early, late, early},
	} {
		t.Run(name, func(t *testing.T) {
			checkpoint := cosign(t, m.Checkpoint, b, early)
			for _, at := range times {
				checkpoint = cosign(t, checkpoint, a, at)
			}
			if got := strings.Count(checkpoint, "— "); got != 3 {
				t.Errorf("got %d signatures, want 3", got)
			}
			view := verify(t, keylog.Message{Entries: m.Entries, Checkpoint: checkpoint}, s.Verifier(), options)
			for _, c := range view.Cosignatures {
				want := map[string]time.Time{"a.example": late, "b.example": early}[c.Witness.Name()]
				if c.Time != want {
					t.Errorf("%s: got %v, want %v", c.Witness.Name(), c.Time, want)
				}
			}
		})
	}
	// A line that does not verify gives way whatever time it claims.
	wrong := line(t, grow(t, s, m, epochEntry(2, 2)).Checkpoint, a, late)
	fixed := cosign(t, m.Checkpoint+wrong+"\n", a, early)
	verify(t, keylog.Message{Entries: m.Entries, Checkpoint: fixed}, s.Verifier(), keylog.Options{Witnesses: options.Witnesses, Quorum: 1})
}

func TestAddCosignatureStopsAtMax(t *testing.T) {
	s := newSigner(t, origin, 1)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	at := time.Unix(1e9, 0)
	var options keylog.Options
	for i := range keylog.MaxCosignatures {
		c := newCosigner(t, fmt.Sprintf("w%d.example", i), byte(i+10))
		m.Checkpoint = cosign(t, m.Checkpoint, c, at)
		options.Witnesses = append(options.Witnesses, c.Witness())
	}
	options.Quorum = keylog.MaxCosignatures
	verify(t, m, s.Verifier(), options)
	more := newCosigner(t, "more.example", 9)
	if _, err := keylog.AddCosignature(m.Checkpoint, line(t, m.Checkpoint, more, at), more.Witness()); !errors.Is(err, keylog.ErrTooLarge) {
		t.Errorf("one more: got %v, want ErrTooLarge", err)
	}
	again := newCosigner(t, "w3.example", 13)
	m.Checkpoint = cosign(t, m.Checkpoint, again, at.Add(time.Minute))
	verify(t, m, s.Verifier(), options)
}
