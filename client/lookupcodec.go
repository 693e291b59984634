package client

import (
	"errors"
	"slices"

	"github.com/kith-project/kith/crypto"
)

// The stored form of what lookups leave behind; each member is left out when there is nothing in it.
type (
	storedSpending struct {
		Hour  int64 `json:"hour"`
		Bytes int64 `json:"bytes"`
	}
	storedBuckets struct {
		Bits     int               `json:"bits"`
		Asked    []uint32          `json:"asked,omitempty"`
		Queue    []uint32          `json:"queue,omitempty"`
		Position string            `json:"position,omitempty"`
		Read     int64             `json:"read,omitempty"`
		Found    map[string]string `json:"found,omitempty"` // E.164: the basis of a hit, 8 bytes; empty if it is none
	}
	storedLabels struct {
		Known   map[string]storedLabel `json:"known,omitempty"` // E.164
		Fetched map[uint32]int64       `json:"fetched,omitempty"`
		Queue   []uint32               `json:"queue,omitempty"`
	}
	storedLabel struct {
		Text  string `json:"label,omitempty"`
		Basis string `json:"unconfirmed,omitempty"` // 8 bytes, if it is not confirmed
		At    int64  `json:"at"`
	}
)

func (l ledger) stored() []storedSpending {
	var stored []storedSpending
	for _, s := range l {
		stored = append(stored, storedSpending{s.hour, s.bytes})
	}
	return stored
}

func decodeLedger(stored []storedSpending) (ledger, error) {
	var l ledger
	for i, s := range stored {
		if s.Hour < 0 || s.Bytes < 0 || i > 0 && s.Hour <= stored[i-1].Hour {
			return nil, errors.New("spending of a wrong form")
		}
		l = append(l, spending{s.Hour, s.Bytes})
	}
	return l, nil
}

func (b *bucketState) stored() *storedBuckets {
	if b.found == nil {
		return nil
	}
	stored := &storedBuckets{Bits: b.bits, Asked: b.asked, Queue: b.queue, Position: b.position, Read: b.read}
	stored.Found = make(map[string]string, len(b.found))
	for number, f := range b.found {
		stored.Found[number] = ""
		if f.hit {
			stored.Found[number] = base64url.EncodeToString(f.basis[:])
		}
	}
	return stored
}

func (stored *storedBuckets) decode() (bucketState, error) {
	var b bucketState
	if stored == nil {
		return b, nil
	}
	if stored.Bits < 0 || stored.Bits > crypto.MaxPrefixBits || len(stored.Position) > maxPosition || stored.Read < 0 {
		return b, errors.New("answers by bucket of a wrong form")
	}
	b = bucketState{
		bits: stored.Bits, asked: stored.Asked, queue: stored.Queue, position: stored.Position, read: stored.Read,
		found: make(map[string]finding, len(stored.Found)),
	}
	if !ascending(b.asked) || !prefixes(b.asked, b.bits) || !distinct(b.queue) || !within(b.queue, b.asked) {
		return b, errors.New("prefixes of a wrong form")
	}
	for number, text := range stored.Found {
		f := finding{hit: text != ""}
		if !isE164(number) || f.hit && !decodeExactly(f.basis[:], text) {
			return b, errors.New("an answer by bucket of a wrong form")
		}
		b.found[number] = f
	}
	return b, nil
}

func (l *labelState) stored() *storedLabels {
	if len(l.known)+len(l.fetched)+len(l.queue) == 0 {
		return nil
	}
	stored := &storedLabels{Known: make(map[string]storedLabel, len(l.known)), Fetched: l.fetched, Queue: l.queue}
	for number, r := range l.known {
		label := storedLabel{Text: r.text, At: r.at}
		if !r.confirmed {
			label.Basis = base64url.EncodeToString(r.basis[:])
		}
		stored.Known[number] = label
	}
	return stored
}

func (stored *storedLabels) decode() (labelState, error) {
	l := newLabelState()
	if stored == nil {
		return l, nil
	}
	for number, s := range stored.Known {
		r := labelRecord{text: s.Text, confirmed: s.Basis == "", at: s.At}
		if !isE164(number) || crypto.CheckLabel(s.Text) != nil || s.At < 0 ||
			!r.confirmed && (s.Text != "" || !decodeExactly(r.basis[:], s.Basis)) {
			return l, errors.New("a label of a wrong form")
		}
		l.known[number] = r
	}
	for p, at := range stored.Fetched {
		if at < 0 {
			return l, errors.New("a time of labels of a wrong form")
		}
		l.fetched[p] = at
	}
	if l.queue = stored.Queue; !distinct(l.queue) {
		return l, errors.New("prefixes of labels of a wrong form")
	}
	return l, nil
}

func newLabelState() labelState {
	return labelState{known: make(map[string]labelRecord), fetched: make(map[uint32]int64)}
}

// prefixes reports whether all of s have that many bits.
func prefixes(s []uint32, bits int) bool {
	return !slices.ContainsFunc(s, func(p uint32) bool { return uint64(p)>>bits != 0 })
}

func ascending(s []uint32) bool {
	for i := 1; i < len(s); i++ {
		if s[i] <= s[i-1] {
			return false
		}
	}
	return true
}

func distinct(s []uint32) bool {
	sorted := slices.Clone(s)
	slices.Sort(sorted)
	return ascending(sorted)
}

// within reports whether all of s are in the ascending all.
func within(s, all []uint32) bool {
	return !slices.ContainsFunc(s, func(p uint32) bool {
		_, found := slices.BinarySearch(all, p)
		return !found
	})
}
