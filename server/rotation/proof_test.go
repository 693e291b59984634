package rotation

import (
	"bytes"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
)

// keptOf returns what is kept of a bucket with so many records.
func keptOf(records int) []byte {
	kept := []byte{keptFormat}
	for records > 0 {
		n := min(records, groupPairs)
		records -= n
		g := group{proof: voprf.Proof(bytes.Repeat([]byte{'P'}, voprf.ProofSize))}
		for i := range n {
			g.pairs = append(g.pairs, pair{crypto.Tag{1, byte(i)}, crypto.Tag{2, byte(i)}})
		}
		kept = appendGroup(kept, g)
	}
	return kept
}

func TestParseKept(t *testing.T) {
	for _, c := range []struct {
		name    string
		kept    []byte
		records int // -1 for malformed
	}{
		{"no records", keptOf(0), 0},
		{"one", keptOf(1), 1},
		{"a full group", keptOf(groupPairs), groupPairs},
		{"one more", keptOf(groupPairs + 1), groupPairs + 1},
		{"three groups", keptOf(2*groupPairs + 5), 2*groupPairs + 5},
		{"nothing", nil, -1},
		{"another format", append([]byte{2}, keptOf(1)[1:]...), -1},
		{"a proof without pairs", keptOf(1)[:1+voprf.ProofSize], -1},
		{"cut in a pair", keptOf(1)[:1+voprf.ProofSize+pairSize-1], -1},
		{"cut in the second pair", keptOf(2)[:1+voprf.ProofSize+2*pairSize-1], -1},
		{"more behind it", append(keptOf(1), 0), -1},
		{"a proof behind a full group", append(keptOf(groupPairs), bytes.Repeat([]byte{1}, voprf.ProofSize)...), -1},
	} {
		groups, err := parseKept(c.kept)
		if (err != nil) != (c.records < 0) {
			t.Errorf("%s: got %v", c.name, err)
		}
		records := 0
		for _, g := range groups {
			records += len(g.pairs)
		}
		if err == nil && records != c.records {
			t.Errorf("%s: got %d records, want %d", c.name, records, c.records)
		}
	}
}

// FuzzParseKept checks that what can be read is written back as it was.
func FuzzParseKept(f *testing.F) {
	for _, records := range []int{0, 1, groupPairs, groupPairs + 1} {
		f.Add(keptOf(records))
	}
	f.Add([]byte{keptFormat, 1})
	f.Fuzz(func(t *testing.T, kept []byte) {
		groups, err := parseKept(kept)
		if err != nil {
			return
		}
		again := []byte{keptFormat}
		for _, g := range groups {
			again = appendGroup(again, g)
		}
		if !bytes.Equal(again, kept) {
			t.Errorf("got %x, want %x", again, kept)
		}
	})
}

func TestFits(t *testing.T) {
	old := func(i int) *moving {
		return &moving{Entry: directory.Entry{Tag: crypto.Tag{1, byte(i)}}, tag: crypto.Tag{2, byte(i)}}
	}
	written := old(9)
	written.written = true
	covered := old(1)
	covered.written = true
	other := old(1)
	other.tag[5]++
	for _, c := range []struct {
		name    string
		kept    []byte
		records []*moving
		want    bool
	}{
		{"as it was", keptOf(2), []*moving{old(0), old(1)}, true},
		{"no records any more", keptOf(2), nil, true},
		{"registered directly since", keptOf(2), []*moving{old(0), old(1), old(9)}, true},
		{"copied since", keptOf(2), []*moving{old(0), written}, false},
		{"copied again", keptOf(2), []*moving{old(0), covered}, true},
		{"another new tag", keptOf(2), []*moving{old(0), other}, false},
		{"malformed", keptOf(2)[1:], []*moving{old(0)}, false},
		{"was empty", keptOf(0), []*moving{old(0)}, true},
	} {
		if got := fits(c.kept, c.records); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
}
