package keylog_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/keylog"
)

// update rewrites the vectors; they change only with the protocol.
var update = flag.Bool("update", false, "rewrite testdata/kith-keylog-v1.json")

const vectorFile = "testdata/kith-keylog-v1.json"

// vectors is the form of testdata/kith-keylog-v1.json; docs/protocol.md says what each member is.
type vectors struct {
	Comment     string          `json:"comment"`
	Origin      string          `json:"origin"`
	Seed        string          `json:"seed"`
	VerifierKey string          `json:"verifier_key"`
	Steps       []step          `json:"steps"`
	Witnesses   []witnessVector `json:"witnesses"`
	Message     keylog.Message  `json:"message"`
}

// step is the log after one entry more.
type step struct {
	Entry      string `json:"entry"`
	Root       string `json:"root"`
	Checkpoint string `json:"checkpoint"`
}

// witnessVector is a cosignature of the last checkpoint.
type witnessVector struct {
	Name       string `json:"name"`
	Seed       string `json:"seed"`
	WitnessKey string `json:"witness_key"`
	Time       int64  `json:"time"`
	Line       string `json:"signature"`
}

// makeVectors makes a log with fixed keys and times, and has two witnesses cosign it.
func makeVectors(t *testing.T) vectors {
	t.Helper()
	s := newSigner(t, origin, 0x6b)
	signing := seed(0x6b)
	v := vectors{
		Comment: "Key log vectors, version 1: see docs/protocol.md. Seeds and roots in hex. The message is the log after the " +
			"last step, with the cosignatures.",
		Origin: origin, Seed: hex.EncodeToString(signing[:]), VerifierKey: s.VerifierKey(),
	}
	for _, e := range []keylog.Entry{epochEntry(1, 0xa1), epochEntry(2, 0xa2), abortedEntry(2), epochEntry(3, 0xa3)} {
		v.Message = grow(t, s, v.Message, e)
		root := keylog.Root(v.Message.Entries)
		v.Steps = append(v.Steps, step{Entry: e.String(), Root: hex.EncodeToString(root[:]), Checkpoint: v.Message.Checkpoint})
	}
	for i, name := range []string{"witness.example/w1", "witness.example/w2"} {
		c := newCosigner(t, name, byte(0x77+i))
		key := seed(byte(0x77 + i))
		at := time.Date(2026, 11, 26, 12, 0, i, 0, time.UTC)
		v.Witnesses = append(v.Witnesses, witnessVector{Name: name, Seed: hex.EncodeToString(key[:]), WitnessKey: c.WitnessKey(),
			Time: at.Unix(), Line: line(t, v.Message.Checkpoint, c, at)})
		v.Message.Checkpoint = cosign(t, v.Message.Checkpoint, c, at)
	}
	return v
}

func TestVectorsKeylog(t *testing.T) {
	var made bytes.Buffer
	encoder := json.NewEncoder(&made)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(makeVectors(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(vectorFile, made.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, made.Bytes()) {
		t.Errorf("got %s, want %s", made.Bytes(), data)
	}

	// And read as somebody else would read them.
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	verifier, err := keylog.ParseVerifierKey(v.VerifierKey)
	if err != nil {
		t.Fatal(err)
	}
	options := keylog.Options{Quorum: len(v.Witnesses)}
	for _, w := range v.Witnesses {
		witness, err := keylog.ParseWitnessKey(w.WitnessKey)
		if err != nil {
			t.Fatal(err)
		}
		options.Witnesses = append(options.Witnesses, witness)
	}
	view := verify(t, v.Message, verifier, options)
	for i, c := range view.Cosignatures {
		if got := c.Time.Unix(); got != v.Witnesses[i].Time {
			t.Errorf("time of cosignature %d: got %d, want %d", i, got, v.Witnesses[i].Time)
		}
	}
	for i, step := range v.Steps {
		if step.Entry != v.Message.Entries[i] {
			t.Errorf("entry %d: got %q, want %q", i, step.Entry, v.Message.Entries[i])
		}
		verify(t, keylog.Message{Entries: v.Message.Entries[:i+1], Checkpoint: step.Checkpoint}, verifier, keylog.Options{})
	}
}
