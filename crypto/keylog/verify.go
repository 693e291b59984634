package keylog

import (
	"encoding/base64"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Options says what Verify asks for besides the signature of the log.
type Options struct {
	// Witnesses are those whose cosignatures count. A key counts once, whatever names it has, and that of the log not at
	// all. A wrong cosignature of one of them is an error whatever Quorum is.
	Witnesses []*Witness
	// Quorum is how many of them must have cosigned; with 0 nobody need have, and then an operator can show a log of its
	// own to whoever has no checkpoint to compare it with.
	Quorum int
	// Last is the checkpoint that was verified last, which the log must extend; nil if there is none yet.
	Last *Checkpoint
}

// View is a log that was verified.
type View struct {
	// Checkpoint is to be remembered as Options.Last of the next Verify.
	Checkpoint Checkpoint
	// Entries are all entries, the first one first.
	Entries []Entry
	// Cosignatures are those of Options.Witnesses, one for each key, in the order they stand in the checkpoint.
	Cosignatures []Cosignature
}

// Cosignature is the word of a witness for a checkpoint.
type Cosignature struct {
	Witness *Witness
	// Time is when it was given, in whole seconds by the witness's clock.
	Time time.Time
}

// Verify checks a log that somebody sent: that v has signed its checkpoint, that the checkpoint is that of exactly these
// entries, that it extends Options.Last, that the entries make sense in their order, and that a quorum of witnesses has
// cosigned it. Nothing of m is to be believed if it returns an error:
//
//   - ErrTooLarge, ErrCheckpoint, ErrEntry: what was sent is over a bound, malformed, or an entry is out of place;
//   - ErrSignature, ErrOrigin: it is not from this log, or a witness's cosignature is wrong;
//   - ErrRoot: entries were changed, left out or added;
//   - ErrRollback, ErrFork: it is from this log, but is not the log that it was;
//   - ErrQuorum.
func Verify(m Message, v *Verifier, o Options) (*View, error) {
	if err := checkBounds(m); err != nil {
		return nil, err
	}
	n, err := open(m.Checkpoint, v, o.Witnesses)
	if err != nil {
		return nil, err
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return nil, err
	}
	if c.Origin != v.name {
		return nil, ErrOrigin
	}
	t := newTree(m.Entries)
	if c.Size != int64(len(m.Entries)) || c.Root != t.root(len(m.Entries)) {
		return nil, ErrRoot
	}
	if err := checkExtends(c, t, o.Last); err != nil {
		return nil, err
	}
	entries, err := parseEntries(m.Entries)
	if err != nil {
		return nil, err
	}
	cosignatures := countedCosignatures(n, v, o.Witnesses)
	if len(cosignatures) < o.Quorum {
		return nil, ErrQuorum
	}
	return &View{Checkpoint: c, Entries: entries, Cosignatures: cosignatures}, nil
}

// checkBounds returns ErrTooLarge before anything costs time.
func checkBounds(m Message) error {
	if len(m.Entries) > MaxEntries || len(m.Checkpoint) > MaxCheckpoint {
		return ErrTooLarge
	}
	for _, entry := range m.Entries {
		if len(entry) > MaxEntry {
			return ErrTooLarge
		}
	}
	return nil
}

// checkExtends returns ErrRollback or ErrFork if the tree with the checkpoint c does not begin with that of last.
func checkExtends(c Checkpoint, t tree, last *Checkpoint) error {
	switch {
	case last == nil:
		return nil
	case last.Origin != c.Origin:
		return ErrOrigin
	case last.Size < 0:
		return ErrCheckpoint
	case last.Size > c.Size:
		return ErrRollback
	case t.root(int(last.Size)) != last.Root:
		return ErrFork
	}
	return nil
}

// open parses a signed checkpoint and checks the signatures of the log and of the witnesses given; it ignores all
// others, as C2SP signed-note asks. It returns ErrCheckpoint or ErrSignature.
func open(signed string, v *Verifier, witnesses []*Witness) (*note.Note, error) {
	n, err := note.Open([]byte(signed), known{v, witnesses})
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid), errors.As(err, &unverified):
		return nil, ErrSignature
	case err != nil:
		return nil, ErrCheckpoint
	}
	byLog := false
	for _, s := range n.Sigs {
		// note.Open overlooks bits after the end of the base64.
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return nil, ErrCheckpoint
		}
		byLog = byLog || s.Name == v.name && s.Hash == v.KeyHash()
	}
	if !byLog {
		return nil, ErrSignature
	}
	return n, nil
}

// known implements note.Verifiers. Unlike note.VerifierList it does not mind a witness that is listed twice.
type known struct {
	log       *Verifier
	witnesses []*Witness
}

func (k known) Verifier(name string, hash uint32) (note.Verifier, error) {
	if k.log.name == name && k.log.KeyHash() == hash {
		return k.log, nil
	}
	for _, w := range k.witnesses {
		if w.name == name && w.KeyHash() == hash {
			return w, nil
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

// countedCosignatures returns the verified cosignatures of a note, one for each key: a cosignature does not say whose it
// is, so whoever has one could put it there under any name that the key is known by.
func countedCosignatures(n *note.Note, v *Verifier, witnesses []*Witness) []Cosignature {
	counted := map[[32]byte]bool{v.key: true}
	var out []Cosignature
	for _, s := range n.Sigs {
		for _, w := range witnesses {
			if at, ok := w.openSignature(n.Text, s); ok && !counted[w.key] {
				counted[w.key] = true
				out = append(out, Cosignature{Witness: w, Time: at})
			}
		}
	}
	return out
}

// Key returns the public key that the log has for an epoch, and whether it has one: it has none for an epoch that was
// not entered, or was given up.
func (v *View) Key(epoch uint32) (key [PublicKeySize]byte, logged bool) {
	for _, e := range v.Entries {
		if e.Epoch == epoch {
			key, logged = e.PublicKey, e.Event == EventEpoch
		}
	}
	return key, logged
}
