package keylog_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
	"golang.org/x/mod/sumdb/note"
)

func TestViewKey(t *testing.T) {
	s := newSigner(t, origin, 1)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 0xa1), epochEntry(3, 0xa3), abortedEntry(3), epochEntry(7, 0xa7))
	view := verify(t, m, s.Verifier(), keylog.Options{})
	for _, test := range []struct {
		epoch  uint32
		key    [32]byte
		logged bool
	}{
		{0, [32]byte{}, false}, {1, seed(0xa1), true}, {2, [32]byte{}, false}, {3, [32]byte{}, false}, {7, seed(0xa7), true},
		{8, [32]byte{}, false},
	} {
		if key, logged := view.Key(test.epoch); key != test.key || logged != test.logged {
			t.Errorf("epoch %d: got %x, %t, want %x, %t", test.epoch, key, logged, test.key, test.logged)
		}
	}
}

func TestVerifyRefusesAlteredEntries(t *testing.T) {
	s := newSigner(t, origin, 1)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1), epochEntry(2, 2), abortedEntry(2), epochEntry(3, 3))
	for i, text := range m.Entries {
		for at := range text {
			altered := slices.Clone(m.Entries)
			altered[i] = text[:at] + string([]byte{text[at] ^ 1}) + text[at+1:]
			if _, err := keylog.Verify(keylog.Message{Entries: altered, Checkpoint: m.Checkpoint}, s.Verifier(), keylog.Options{}); err != keylog.ErrRoot {
				t.Errorf("byte %d of entry %d altered: got %v, want ErrRoot", at, i, err)
			}
		}
	}
	e := m.Entries
	for name, entries := range map[string][]string{
		"no entries":          nil,
		"the last one gone":   e[:3],
		"the first one gone":  e[1:],
		"one gone inside":     {e[0], e[2], e[3]},
		"one more":            append(slices.Clone(e), epochEntry(4, 4).String()),
		"the last one twice":  append(slices.Clone(e), e[3]),
		"two swapped":         {e[1], e[0], e[2], e[3]},
		"one of another key":  {e[0], e[1], e[2], epochEntry(3, 4).String()},
		"two made one":        {e[0] + e[1], e[2], e[3]},
		"an empty one":        {e[0], e[1], e[2], ""},
		"an empty one at end": append(slices.Clone(e), ""),
	} {
		if _, err := keylog.Verify(keylog.Message{Entries: entries, Checkpoint: m.Checkpoint}, s.Verifier(), keylog.Options{}); err != keylog.ErrRoot {
			t.Errorf("%s: got %v, want ErrRoot", name, err)
		}
	}
}

// TestVerifyRefusesAlteredCheckpoints changes each byte of a signed and cosigned checkpoint. In the name or the key ID of a
// signature that makes it one of somebody unknown; of the log's own one nothing may be altered.
func TestVerifyRefusesAlteredCheckpoints(t *testing.T) {
	s, w := newSigner(t, origin, 1), newCosigner(t, "w.example", 7)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1), epochEntry(2, 2))
	cosigned := cosign(t, m.Checkpoint, w, time.Unix(1e9, 0))
	options := keylog.Options{Witnesses: []*keylog.Witness{w.Witness()}, Quorum: 1}
	for i := range cosigned {
		for _, flip := range []byte{1, 2, 0x20, 0x80} {
			altered := cosigned[:i] + string([]byte{cosigned[i] ^ flip}) + cosigned[i+1:]
			_, err := keylog.Verify(keylog.Message{Entries: m.Entries, Checkpoint: altered}, s.Verifier(), options)
			named := err == keylog.ErrSignature || err == keylog.ErrCheckpoint
			if i >= len(m.Checkpoint) {
				named = named || err == keylog.ErrQuorum
			}
			if !named {
				t.Errorf("byte %d xor %#x: got %v, want ErrSignature, ErrCheckpoint or, behind the log's signature, ErrQuorum", i, flip, err)
			}
		}
	}
	for i := range cosigned {
		_, err := keylog.Verify(keylog.Message{Entries: m.Entries, Checkpoint: cosigned[:i]}, s.Verifier(), options)
		if i == len(m.Checkpoint) {
			if err != keylog.ErrQuorum {
				t.Errorf("without the cosignature: got %v, want ErrQuorum", err)
			}
		} else if err != keylog.ErrCheckpoint {
			t.Errorf("cut to %d bytes: got %v, want ErrCheckpoint", i, err)
		}
	}
}

// sign signs any text with the key of newSigner(t, origin, fill).
func sign(t *testing.T, text string, fill byte) string {
	t.Helper()
	out, err := note.Sign(&note.Note{Text: text}, noteSigner(t, origin, fill))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestVerifyRefusesWhatTheLogSigned has checkpoints and entries with a good signature that are wrong otherwise.
func TestVerifyRefusesWhatTheLogSigned(t *testing.T) {
	s, other := newSigner(t, origin, 1), newSigner(t, origin, 2)
	elsewhere := newSigner(t, "other.example/keylog", 1)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1), epochEntry(2, 2))
	body := func(c keylog.Checkpoint) string { return sign(t, c.Text(), 1) }
	root := keylog.Root(m.Entries)
	epoch := func(n uint32) string { return epochEntry(n, byte(n)).String() }
	gone := func(n uint32) string { return abortedEntry(n).String() }
	long := epochEntry(1, 1).String() + strings.Repeat("x", keylog.MaxEntry)
	with := func(checkpoint string) keylog.Message {
		return keylog.Message{Entries: m.Entries, Checkpoint: checkpoint}
	}
	tests := []struct {
		name string
		m    keylog.Message
		want error
	}{
		{"signed by another key", signed(t, other, m.Entries...), keylog.ErrSignature},
		{"of another log with the same key", signed(t, elsewhere, m.Entries...), keylog.ErrSignature},
		{"another origin under the log's signature", with(body(keylog.Checkpoint{Origin: "x", Size: 2, Root: root})), keylog.ErrOrigin},
		{"a smaller size", with(body(keylog.Checkpoint{Origin: origin, Size: 1, Root: root})), keylog.ErrRoot},
		{"a larger size", with(body(keylog.Checkpoint{Origin: origin, Size: 3, Root: root})), keylog.ErrRoot},
		{"size 0", with(body(keylog.Checkpoint{Origin: origin, Root: root})), keylog.ErrRoot},
		{"the size of an empty log and its root", with(body(keylog.Checkpoint{Origin: origin, Root: keylog.Root(nil)})), keylog.ErrRoot},
		{"a huge size", with(body(keylog.Checkpoint{Origin: origin, Size: 1<<63 - 1, Root: root})), keylog.ErrRoot},
		{"a negative size", with(body(keylog.Checkpoint{Origin: origin, Size: -2, Root: root})), keylog.ErrCheckpoint},
		{"another root", with(body(keylog.Checkpoint{Origin: origin, Size: 2})), keylog.ErrRoot},
		{"an extension line", with(sign(t, keylog.Checkpoint{Origin: origin, Size: 2, Root: root}.Text()+"more\n", 1)), keylog.ErrCheckpoint},
		{"another text", with(sign(t, "text\n", 1)), keylog.ErrCheckpoint},
		{"no signature", with(keylog.Checkpoint{Origin: origin, Size: 2, Root: root}.Text() + "\n"), keylog.ErrCheckpoint},
		{"no checkpoint", with(""), keylog.ErrCheckpoint},
		{"the zero message", keylog.Message{}, keylog.ErrCheckpoint},
		{"too large a checkpoint", with(m.Checkpoint + strings.Repeat("x", keylog.MaxCheckpoint)), keylog.ErrTooLarge},
		{"an entry too large", signed(t, s, long), keylog.ErrTooLarge},
		{"an entry too large that is not in the root", keylog.Message{Entries: []string{long}, Checkpoint: m.Checkpoint}, keylog.ErrTooLarge},
		{"an entry that is none", signed(t, s, epoch(1), "text"), keylog.ErrEntry},
		{"an epoch twice", signed(t, s, epoch(1), epoch(1)), keylog.ErrEntry},
		{"an epoch with two keys", signed(t, s, epoch(1), epochEntry(1, 2).String()), keylog.ErrEntry},
		{"epochs that descend", signed(t, s, epoch(2), epoch(1)), keylog.ErrEntry},
		{"giving up before entering", signed(t, s, epoch(1), gone(2), epoch(2)), keylog.ErrEntry},
		{"giving up twice", signed(t, s, epoch(1), gone(1), gone(1)), keylog.ErrEntry},
		{"entering again after giving up", signed(t, s, epoch(1), gone(1), epoch(1)), keylog.ErrEntry},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if view, err := keylog.Verify(test.m, s.Verifier(), keylog.Options{}); err != test.want || view != nil {
				t.Errorf("got %v and error %v, want %v", view, err, test.want)
			}
		})
	}
	if view, err := keylog.Verify(signed(t, s), s.Verifier(), keylog.Options{}); err != nil || len(view.Entries) != 0 {
		t.Errorf("an empty log: got error %v, want a view without entries", err)
	}
}

func TestVerifyRefusesForkAndRollback(t *testing.T) {
	s := newSigner(t, origin, 1)
	short := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	m := grow(t, s, short, epochEntry(2, 2))
	long := grow(t, s, m, abortedEntry(2), epochEntry(3, 3))
	fork := grow(t, s, short, epochEntry(2, 0x66))
	longFork := grow(t, s, fork, abortedEntry(2), epochEntry(3, 3))
	anew := grow(t, s, keylog.Message{}, epochEntry(1, 0x66), epochEntry(2, 2), epochEntry(3, 3))
	last := verify(t, m, s.Verifier(), keylog.Options{}).Checkpoint
	empty := keylog.Checkpoint{Origin: origin, Root: keylog.Root(nil)}
	foreign, negative, strange := last, last, empty
	foreign.Origin, negative.Size, strange.Root = "other.example/keylog", -1, [32]byte{1}
	tests := []struct {
		name string
		m    keylog.Message
		last *keylog.Checkpoint
		want error
	}{
		{"nothing remembered", fork, nil, nil},
		{"the same log", m, &last, nil},
		{"a longer log", long, &last, nil},
		{"anything after an empty log", fork, &empty, nil},
		{"a shorter log", short, &last, keylog.ErrRollback},
		{"an empty log", signed(t, s), &last, keylog.ErrRollback},
		{"another last entry", fork, &last, keylog.ErrFork},
		{"another entry in the middle", longFork, &last, keylog.ErrFork},
		{"another first entry", anew, &last, keylog.ErrFork},
		{"an empty log with a root that none has", m, &strange, keylog.ErrFork},
		{"a checkpoint of another log remembered", m, &foreign, keylog.ErrOrigin},
		{"a negative size remembered", m, &negative, keylog.ErrCheckpoint},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := keylog.Verify(test.m, s.Verifier(), keylog.Options{Last: test.last}); err != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// TestSplitViewIsCaught has two servers of one operator show two keys for one epoch, each in a log with a good signature.
func TestSplitViewIsCaught(t *testing.T) {
	s, w := newSigner(t, origin, 1), newCosigner(t, "w.example", 7)
	common := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	one, two := grow(t, s, common, epochEntry(2, 0xaa)), grow(t, s, common, epochEntry(2, 0xbb))

	// A device that has seen one of them refuses the other, whichever it has seen.
	for name, pair := range map[string][2]keylog.Message{"one first": {one, two}, "two first": {two, one}} {
		last := verify(t, pair[0], s.Verifier(), keylog.Options{}).Checkpoint
		if _, err := keylog.Verify(pair[1], s.Verifier(), keylog.Options{Last: &last}); err != keylog.ErrFork {
			t.Errorf("%s: got %v, want ErrFork", name, err)
		}
	}

	// A witness does what a device does before it cosigns, so only one of them gets a quorum, and a device that has seen
	// neither refuses the other.
	seen := verify(t, one, s.Verifier(), keylog.Options{}).Checkpoint
	one.Checkpoint = cosign(t, one.Checkpoint, w, time.Unix(1e9, 0))
	if _, err := keylog.Verify(two, s.Verifier(), keylog.Options{Last: &seen}); err != keylog.ErrFork {
		t.Errorf("the witness asked for the other: got %v, want ErrFork", err)
	}
	options := keylog.Options{Witnesses: []*keylog.Witness{w.Witness()}, Quorum: 1}
	verify(t, one, s.Verifier(), options)
	if _, err := keylog.Verify(two, s.Verifier(), options); err != keylog.ErrQuorum {
		t.Errorf("the log that was not cosigned: got %v, want ErrQuorum", err)
	}
	cosignature := strings.SplitAfter(one.Checkpoint, "\n")[5]
	moved := keylog.Message{Entries: two.Entries, Checkpoint: two.Checkpoint + cosignature}
	if _, err := keylog.Verify(moved, s.Verifier(), options); err != keylog.ErrSignature {
		t.Errorf("with the cosignature of the first log: got %v, want ErrSignature", err)
	}
}

func TestQuorum(t *testing.T) {
	s := newSigner(t, origin, 1)
	a, b, c := newCosigner(t, "a.example", 7), newCosigner(t, "b.example", 8), newCosigner(t, "c.example", 9)
	sameKey := newCosigner(t, "other-name.example", 7)
	logKey := newCosigner(t, "log-as-witness.example", 1)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	other := grow(t, s, m, epochEntry(2, 2))
	at := time.Unix(1e9, 0)
	cosigned := func(by ...*keylog.Cosigner) string {
		checkpoint := m.Checkpoint
		for _, c := range by {
			checkpoint = cosign(t, checkpoint, c, at)
		}
		return checkpoint
	}
	wrong := line(t, other.Checkpoint, a, at) + "\n"
	list := func(cosigners ...*keylog.Cosigner) (out []*keylog.Witness) {
		for _, c := range cosigners {
			out = append(out, c.Witness())
		}
		return out
	}
	tests := []struct {
		name       string
		checkpoint string
		witnesses  []*keylog.Witness
		quorum     int
		want       error
		counted    int
	}{
		{"none asked for", m.Checkpoint, nil, 0, nil, 0},
		{"none asked for, one there", cosigned(a), list(a), 0, nil, 1},
		{"one of one", cosigned(a), list(a), 1, nil, 1},
		{"one of none", m.Checkpoint, list(a), 1, keylog.ErrQuorum, 0},
		{"one, by a witness not listed", cosigned(b), list(a), 1, keylog.ErrQuorum, 0},
		{"one, nobody listed", cosigned(a), nil, 1, keylog.ErrQuorum, 0},
		{"one of three", cosigned(b), list(a, b, c), 1, nil, 1},
		{"two of three", cosigned(c, a), list(a, b, c), 2, nil, 2},
		{"three of two", cosigned(c, a), list(a, b, c), 3, keylog.ErrQuorum, 0},
		{"two of one", cosigned(a), list(a, b), 2, keylog.ErrQuorum, 0},
		{"two of a listed and an unlisted one", cosigned(a, c), list(a, b), 2, keylog.ErrQuorum, 0},
		{"a witness listed twice", cosigned(a), list(a, a), 2, keylog.ErrQuorum, 0},
		{"a line twice", cosigned(a) + line(t, m.Checkpoint, a, at) + "\n", list(a, b), 2, keylog.ErrQuorum, 0},
		{"two lines of a witness", cosigned(a) + line(t, m.Checkpoint, a, at.Add(time.Second)) + "\n", list(a, b), 2, keylog.ErrQuorum, 0},
		{"two names of one key", cosigned(a, sameKey), list(a, sameKey), 2, keylog.ErrQuorum, 0},
		{"two names of one key and another", cosigned(a, sameKey, b), list(a, sameKey, b), 2, nil, 2},
		{"the log as its own witness", cosigned(logKey), list(logKey), 1, keylog.ErrQuorum, 0},
		{"a cosignature of another checkpoint", m.Checkpoint + wrong, list(a), 1, keylog.ErrSignature, 0},
		{"one of another checkpoint, none asked for", m.Checkpoint + wrong, list(a), 0, keylog.ErrSignature, 0},
		{"one of another checkpoint, not listed", m.Checkpoint + wrong, list(b), 0, nil, 0},
		{"one of another checkpoint beside a good one", cosigned(b) + wrong, list(a, b), 1, keylog.ErrSignature, 0},
		{"the log's signature missing", strings.Replace(cosigned(a), m.Checkpoint[strings.Index(m.Checkpoint, "— "):], "", 1), list(a), 1, keylog.ErrSignature, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			message := keylog.Message{Entries: m.Entries, Checkpoint: test.checkpoint}
			view, err := keylog.Verify(message, s.Verifier(), keylog.Options{Witnesses: test.witnesses, Quorum: test.quorum})
			if err != test.want {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err == nil && len(view.Cosignatures) != test.counted {
				t.Errorf("got %d cosignatures, want %d", len(view.Cosignatures), test.counted)
			}
			if err == nil && test.counted > 0 && view.Cosignatures[0].Time != at.UTC() {
				t.Errorf("time of the first cosignature: got %v, want %v", view.Cosignatures[0].Time, at.UTC())
			}
		})
	}
}

func TestMessageJSON(t *testing.T) {
	s := newSigner(t, origin, 1)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &members); err != nil {
		t.Fatal(err)
	}
	if len(members) != 2 || members["entries"] == nil || members["checkpoint"] == nil {
		t.Errorf("got %s, want the members entries and checkpoint", encoded)
	}
	var back keylog.Message
	if err := json.Unmarshal(encoded, &back); err != nil {
		t.Fatal(err)
	}
	verify(t, back, s.Verifier(), keylog.Options{})
}

// TestErrorsQuoteNothing looks for what was sent in the texts of errors.
func TestErrorsQuoteNothing(t *testing.T) {
	s := newSigner(t, origin, 1)
	for _, m := range []keylog.Message{
		{Entries: []string{"QUOTED"}, Checkpoint: "QUOTED\n\n— QUOTED QUOTED\n"},
		{Checkpoint: sign(t, "QUOTED\n", 1)},
		signed(t, s, "QUOTED"),
		signed(t, newSigner(t, "QUOTED", 2)),
	} {
		_, err := keylog.Verify(m, s.Verifier(), keylog.Options{})
		if err == nil || strings.Contains(err.Error(), "QUOTED") || !strings.HasPrefix(err.Error(), "keylog: ") {
			t.Errorf("got %v, want an error of keylog that quotes nothing", err)
		}
		if errors.Unwrap(err) != nil {
			t.Errorf("%v wraps another error", err)
		}
	}
}
