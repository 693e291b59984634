package rotation

import (
	"context"
	"errors"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
)

const (
	// keptFormat is the first byte of what is kept of moving a bucket. After it come groups of up to groupPairs pairs: a
	// proof, 64 bytes, and for each pair the tag in the old epoch and the tag in the new one, 16 bytes each. All groups
	// but the last are full, and a bucket without records has none.
	keptFormat = 1
	// groupPairs bounds the elements under one proof, and with it the time that a proof takes in one piece.
	groupPairs = 64

	pairSize = 2 * crypto.TagSize
)

// errKept means that what is kept of moving a bucket is not of the form above.
var errKept = errors.New("rotation: malformed proof")

// pair is one record that was moved.
type pair struct {
	old, new crypto.Tag
}

// group is some records of a bucket under one proof.
type group struct {
	proof voprf.Proof
	pairs []pair
}

// appendGroup appends a group to what is kept of a bucket.
func appendGroup(kept []byte, g group) []byte {
	kept = append(kept, g.proof[:]...)
	for _, p := range g.pairs {
		kept = append(append(kept, p.old[:]...), p.new[:]...)
	}
	return kept
}

// parseKept reads what is kept of a bucket, or returns errKept.
func parseKept(kept []byte) ([]group, error) {
	if len(kept) == 0 || kept[0] != keptFormat {
		return nil, errKept
	}
	kept = kept[1:]
	var groups []group
	for len(kept) > 0 {
		if len(kept) < voprf.ProofSize+pairSize {
			return nil, errKept
		}
		var g group
		copy(g.proof[:], kept)
		kept = kept[voprf.ProofSize:]
		for len(kept) >= pairSize && len(g.pairs) < groupPairs {
			g.pairs = append(g.pairs, pair{crypto.Tag(kept[:crypto.TagSize]), crypto.Tag(kept[crypto.TagSize:pairSize])})
			kept = kept[pairSize:]
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// prove returns what is kept of having moved the records of one bucket.
func (m *mover) prove(ctx context.Context, records []*moving) ([]byte, error) {
	kept := []byte{keptFormat}
	for len(records) > 0 {
		batch := records[:min(len(records), groupPairs)]
		records = records[len(batch):]
		g, err := m.proveGroup(batch)
		if err != nil {
			return nil, err
		}
		kept = appendGroup(kept, g)
		if err := m.hold.pause(ctx); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

func (m *mover) proveGroup(records []*moving) (group, error) {
	n, moved := make([]voprf.UnblindedElement, len(records)), make([]voprf.UnblindedElement, len(records))
	defer clear(n)
	defer clear(moved)
	g := group{pairs: make([]pair, len(records))}
	for i, r := range records {
		n[i], moved[i], g.pairs[i] = r.n, r.moved, pair{r.Tag, r.tag}
	}
	var err error
	g.proof, err = m.factor.Prove(m.config.Rand, n, moved)
	return g, err
}

// fits reports whether what is kept of a bucket is in order for the records that are in it now: well-formed, with no
// other new tag for any of them, and with a pair for each that this worker had to write. Records that were registered
// directly in both epochs need none.
func fits(kept []byte, records []*moving) bool {
	groups, err := parseKept(kept)
	if err != nil {
		return false
	}
	tags := make(map[crypto.Tag]crypto.Tag)
	for _, g := range groups {
		for _, p := range g.pairs {
			tags[p.old] = p.new
		}
	}
	for _, r := range records {
		if moved, ok := tags[r.Tag]; ok && moved != r.tag || !ok && r.written {
			return false
		}
	}
	return true
}
