package keylog_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
)

const origin = "kith.example/keylog"

// seed returns 32 bytes of one value.
func seed(fill byte) (s secret.Value) {
	copy(s[:], bytes.Repeat([]byte{fill}, secret.Size))
	return s
}

func newSigner(t testing.TB, origin string, fill byte) *keylog.Signer {
	t.Helper()
	s, err := keylog.NewSigner(origin, seed(fill))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// epochEntry is the entry of an epoch whose public key is 32 bytes of one value.
func epochEntry(epoch uint32, fill byte) keylog.Entry {
	return keylog.Entry{Event: keylog.EventEpoch, Epoch: epoch, Suite: "ristretto255-SHA512", PublicKey: [32]byte(seed(fill)),
		Time: time.Date(2026, 11, 25, 1, 2, int(epoch), 4e6, time.UTC)}
}

func abortedEntry(epoch uint32) keylog.Entry {
	return keylog.Entry{Event: keylog.EventAborted, Epoch: epoch, Time: time.Date(2026, 11, 25, 1, 2, int(epoch), 9e8, time.UTC)}
}

// grow appends entries to a log.
func grow(t testing.TB, s *keylog.Signer, m keylog.Message, entries ...keylog.Entry) keylog.Message {
	t.Helper()
	for _, e := range entries {
		var err error
		if m, err = keylog.Append(m, s, e); err != nil {
			t.Fatalf("Append of epoch %d: %v", e.Epoch, err)
		}
	}
	return m
}

// signed puts a correct checkpoint on any texts, as a server that cheats could.
func signed(t testing.TB, s *keylog.Signer, entries ...string) keylog.Message {
	t.Helper()
	c := keylog.Checkpoint{Origin: s.Origin(), Size: int64(len(entries)), Root: keylog.Root(entries)}
	checkpoint, err := s.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return keylog.Message{Entries: entries, Checkpoint: checkpoint}
}

func verify(t testing.TB, m keylog.Message, v *keylog.Verifier, o keylog.Options) *keylog.View {
	t.Helper()
	view, err := keylog.Verify(m, v, o)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return view
}

func TestAppendGrowsALog(t *testing.T) {
	s := newSigner(t, origin, 1)
	entries := []keylog.Entry{epochEntry(1, 0xa1), epochEntry(2, 0xa2), abortedEntry(2), epochEntry(3, 0xa3)}
	var m keylog.Message
	var last *keylog.Checkpoint
	for i, e := range entries {
		m = grow(t, s, m, e)
		view := verify(t, m, s.Verifier(), keylog.Options{Last: last})
		if !slices.Equal(view.Entries, entries[:i+1]) {
			t.Errorf("after %d entries: got %v, want %v", i+1, view.Entries, entries[:i+1])
		}
		want := keylog.Checkpoint{Origin: origin, Size: int64(i + 1), Root: keylog.Root(m.Entries)}
		if view.Checkpoint != want {
			t.Errorf("after %d entries: got checkpoint %+v, want %+v", i+1, view.Checkpoint, want)
		}
		last = &view.Checkpoint
	}
}

func TestAppendLeavesItsInput(t *testing.T) {
	s := newSigner(t, origin, 1)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	m.Entries = slices.Grow(m.Entries, 4)
	before := strings.Join(m.Entries, "") + m.Checkpoint
	two, three := grow(t, s, m, epochEntry(2, 2)), grow(t, s, m, epochEntry(3, 3))
	if got := strings.Join(m.Entries, "") + m.Checkpoint; got != before {
		t.Errorf("the log that was appended to became %q, want %q", got, before)
	}
	for name, fork := range map[string]keylog.Message{"first": two, "second": three} {
		if _, err := keylog.Verify(fork, s.Verifier(), keylog.Options{}); err != nil {
			t.Errorf("the %s of two logs made from one: %v", name, err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	s, other := newSigner(t, origin, 1), newSigner(t, origin, 2)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1), epochEntry(2, 2), epochEntry(5, 5), abortedEntry(2))
	changed := keylog.Message{Entries: slices.Clone(m.Entries), Checkpoint: m.Checkpoint}
	changed.Entries[0] = epochEntry(1, 9).String()
	late := epochEntry(6, 6)
	late.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	suite := epochEntry(6, 6)
	suite.Suite = "a suite\ntime 2026-11-25T01:02:03.004Z"
	unknown := epochEntry(6, 6)
	unknown.Event = "retired"
	tests := []struct {
		name  string
		m     keylog.Message
		s     *keylog.Signer
		entry keylog.Entry
		want  error
	}{
		{"an epoch again", m, s, epochEntry(5, 6), keylog.ErrEntry},
		{"an epoch that was given up", m, s, epochEntry(2, 2), keylog.ErrEntry},
		{"a lower number than before", m, s, epochEntry(4, 4), keylog.ErrEntry},
		{"epoch 0", keylog.Message{}, s, epochEntry(0, 4), keylog.ErrEntry},
		{"giving up what was not entered", m, s, abortedEntry(6), keylog.ErrEntry},
		{"giving up twice", m, s, abortedEntry(2), keylog.ErrEntry},
		{"giving up in an empty log", keylog.Message{}, s, abortedEntry(1), keylog.ErrEntry},
		{"the year 10000", m, s, late, keylog.ErrEntry},
		{"a suite of two lines", m, s, suite, keylog.ErrEntry},
		{"an unknown event", m, s, unknown, keylog.ErrEntry},
		{"the zero entry", m, s, keylog.Entry{}, keylog.ErrEntry},
		{"a log of another signer", m, other, epochEntry(6, 6), keylog.ErrSignature},
		{"a log whose entry was changed", changed, s, epochEntry(6, 6), keylog.ErrRoot},
		{"a log without a checkpoint", keylog.Message{Entries: m.Entries}, s, epochEntry(6, 6), keylog.ErrCheckpoint},
		{"a log without entries", keylog.Message{Checkpoint: m.Checkpoint}, s, epochEntry(6, 6), keylog.ErrRoot},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := keylog.Append(test.m, test.s, test.entry)
			if !errors.Is(err, test.want) || got.Entries != nil || got.Checkpoint != "" {
				t.Errorf("got %d entries and error %v, want none and %v", len(got.Entries), err, test.want)
			}
		})
	}
}

func TestAppendDropsCosignatures(t *testing.T) {
	s, w := newSigner(t, origin, 1), newCosigner(t, "witness.example/w", 7)
	m := grow(t, s, keylog.Message{}, epochEntry(1, 1))
	m.Checkpoint = cosign(t, m.Checkpoint, w, time.Unix(1e9, 0))
	options := keylog.Options{Witnesses: []*keylog.Witness{w.Witness()}, Quorum: 1}
	verify(t, m, s.Verifier(), options)
	if _, err := keylog.Verify(grow(t, s, m, epochEntry(2, 2)), s.Verifier(), options); err != keylog.ErrQuorum {
		t.Errorf("after an entry that nobody has cosigned: got %v, want ErrQuorum", err)
	}
}

func TestLogOfMaxEntries(t *testing.T) {
	s := newSigner(t, origin, 1)
	texts := make([]string, keylog.MaxEntries+1)
	for i := range texts {
		texts[i] = epochEntry(uint32(i+1), byte(i)).String()
	}
	full := signed(t, s, texts[:keylog.MaxEntries]...)
	view := verify(t, full, s.Verifier(), keylog.Options{})
	if key, ok := view.Key(keylog.MaxEntries); !ok || key != [32]byte(seed((keylog.MaxEntries-1)&0xff)) {
		t.Errorf("key of the last epoch: got %x, %t", key, ok)
	}
	if _, err := keylog.Append(full, s, epochEntry(keylog.MaxEntries+1, 1)); err != keylog.ErrTooLarge {
		t.Errorf("Append to a full log: got %v, want ErrTooLarge", err)
	}
	if _, err := keylog.Verify(signed(t, s, texts...), s.Verifier(), keylog.Options{}); err != keylog.ErrTooLarge {
		t.Errorf("Verify of an entry too many: got %v, want ErrTooLarge", err)
	}
}
