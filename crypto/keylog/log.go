package keylog

// Message is a whole log, as GET /v1/keylog answers it. The zero value is a log that has not begun.
type Message struct {
	// Entries are the texts of the entries, the first one first.
	Entries []string `json:"entries"`
	// Checkpoint is the signed checkpoint of all of them, with the cosignatures of witnesses.
	Checkpoint string `json:"checkpoint"`
}

// Append returns the log with an entry more, under a new checkpoint, which nobody has cosigned yet. m is left as it was,
// and is checked first: what is signed extends what this signer has signed before.
//
// It returns ErrEntry for an entry that makes no sense there, ErrTooLarge for one more than MaxEntries, and the errors
// of Verify for a log that is not this signer's.
func Append(m Message, s *Signer, e Entry) (Message, error) {
	if len(m.Entries) > 0 || m.Checkpoint != "" {
		if _, err := Verify(m, s.Verifier(), Options{}); err != nil {
			return Message{}, err
		}
	}
	entries := append(m.Entries[:len(m.Entries):len(m.Entries)], e.String())
	if len(entries) > MaxEntries {
		return Message{}, ErrTooLarge
	}
	if _, err := parseEntries(entries); err != nil {
		return Message{}, err
	}
	signed, err := s.Sign(Checkpoint{Origin: s.Origin(), Size: int64(len(entries)), Root: Root(entries)})
	if err != nil {
		return Message{}, err
	}
	return Message{Entries: entries, Checkpoint: signed}, nil
}

// parseEntries parses all entries and checks that they make sense: an epoch is entered once, with a number higher than
// all before, and given up once, after it was entered. It returns ErrEntry or ErrTooLarge.
func parseEntries(texts []string) ([]Entry, error) {
	entries := make([]Entry, len(texts))
	aborted := make(map[uint32]bool) // by epoch, for all entered
	highest := uint32(0)
	for i, text := range texts {
		e, err := ParseEntry(text)
		if err != nil {
			return nil, err
		}
		gone, entered := aborted[e.Epoch]
		switch e.Event {
		case EventEpoch:
			if e.Epoch <= highest {
				return nil, ErrEntry
			}
			highest = e.Epoch
		case EventAborted:
			if !entered || gone {
				return nil, ErrEntry
			}
		}
		aborted[e.Epoch] = e.Event == EventAborted
		entries[i] = e
	}
	return entries, nil
}
