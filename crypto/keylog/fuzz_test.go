package keylog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
)

func FuzzParseEntry(f *testing.F) {
	f.Add(epochText)
	f.Add(abortedText)
	f.Add("")
	f.Add(strings.Replace(epochText, ".004Z", ",004Z", 1))
	f.Fuzz(func(t *testing.T, text string) {
		e, err := keylog.ParseEntry(text)
		if err != nil {
			if e != (keylog.Entry{}) {
				t.Error("an error came with an entry")
			}
			return
		}
		if got := e.String(); got != text {
			t.Errorf("parsed %q, which is written %q", text, got)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add(keylog.Checkpoint{Origin: origin, Size: 3, Root: [32]byte(seed(3))}.Text())
	f.Add("")
	f.Add("o\n-0\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := keylog.ParseCheckpoint(text)
		if err == nil && c.Text() != text {
			t.Errorf("parsed %q, which is written %q", text, c.Text())
		}
	})
}

// FuzzVerify can not sign, so that only the log itself may pass. Entries are given in one text, cut at zero bytes.
func FuzzVerify(f *testing.F) {
	s, w := newSigner(f, origin, 1), newCosigner(f, "w.example", 7)
	m := grow(f, s, keylog.Message{}, epochEntry(1, 1), epochEntry(2, 2))
	m.Checkpoint = cosign(f, m.Checkpoint, w, time.Unix(1e9, 0))
	genuine := strings.Join(m.Entries, "\x00")
	body, _, _ := strings.Cut(m.Checkpoint, "\n\n")
	options := keylog.Options{Witnesses: []*keylog.Witness{w.Witness()}}
	f.Add(genuine, m.Checkpoint)
	f.Add(m.Entries[0], m.Checkpoint)
	f.Add(genuine, body+"\n\n— "+origin+" AAAAAAAA\n")
	f.Add("", "\n\n\n")
	f.Fuzz(func(t *testing.T, entries, checkpoint string) {
		view, err := keylog.Verify(keylog.Message{Entries: strings.Split(entries, "\x00"), Checkpoint: checkpoint}, s.Verifier(), options)
		if err != nil {
			if view != nil {
				t.Error("an error came with a view")
			}
			return
		}
		if entries != genuine || !strings.HasPrefix(checkpoint, body+"\n\n") {
			t.Errorf("accepted entries %q under %q", entries, checkpoint)
		}
	})
}

func FuzzParseVerifierKey(f *testing.F) {
	f.Add(newSigner(f, origin, 1).VerifierKey())
	f.Add("x+00000000+AQ==")
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := keylog.ParseVerifierKey(text); err == nil && v.String() != text {
			t.Errorf("parsed %q, which is written %q", text, v)
		}
	})
}

func FuzzParseWitnessKey(f *testing.F) {
	f.Add(newCosigner(f, origin, 1).WitnessKey())
	f.Add("x+00000000+BA==")
	f.Fuzz(func(t *testing.T, text string) {
		if w, err := keylog.ParseWitnessKey(text); err == nil && w.String() != text {
			t.Errorf("parsed %q, which is written %q", text, w)
		}
	})
}

// FuzzAddCosignature adds lines to checkpoints that may have anything on them already.
func FuzzAddCosignature(f *testing.F) {
	s, w := newSigner(f, origin, 1), newCosigner(f, "w.example", 7)
	m := grow(f, s, keylog.Message{}, epochEntry(1, 1))
	good := line(f, m.Checkpoint, w, time.Unix(1e9, 0))
	options := keylog.Options{Witnesses: []*keylog.Witness{w.Witness()}, Quorum: 1}
	f.Add(m.Checkpoint, good)
	f.Add(m.Checkpoint+good+"\n", good)
	f.Add(m.Checkpoint, "— w.example AAAA")
	f.Fuzz(func(t *testing.T, checkpoint, line string) {
		out, err := keylog.AddCosignature(checkpoint, line, w.Witness())
		if err != nil {
			if out != "" {
				t.Error("an error came with a checkpoint")
			}
			return
		}
		if strings.TrimSuffix(line, "\n") != good {
			t.Errorf("accepted the line %q", line)
		}
		if strings.HasPrefix(checkpoint, m.Checkpoint) {
			if _, err := keylog.Verify(keylog.Message{Entries: m.Entries, Checkpoint: out}, s.Verifier(), options); err != nil {
				t.Errorf("the checkpoint with the cosignature: %v", err)
			}
		}
	})
}
