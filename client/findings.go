package client

import (
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
)

// labelMaxAge is how old a label gets before it is fetched anew: the server announces who joins and leaves, not who
// changed a label.
const labelMaxAge = 30 * 24 * time.Hour

// basis stands for what a hit follows from: the answer for its bucket, or its shard of the snapshot. Zero is an entry of the
// changes feed. While it is the same, a hit that was not confirmed need not be looked at again.
type basis [8]byte

func basisOf(data []byte) basis {
	sum := sha256.Sum256(data)
	return basis(sum[:])
}

// bucketState is what mode bucket keeps of an epoch.
type bucketState struct {
	bits     int      // the length of the prefixes; 0 if there are none
	asked    []uint32 // all prefixes that were chosen in this epoch, decoys too; ascending, each once
	queue    []uint32 // those of them that are still to be asked, or asked again, in this order
	position string   // where the changes feed is to be read on; empty if it is not followed
	read     int64    // when it was read up to there, or else when all was asked again, in seconds since 1970
	found    map[string]finding
}

// finding is the answer for one number, kept current by the changes feed or by asking again.
type finding struct {
	hit   bool
	basis basis // of a hit
}

// labelState is what is kept of the labels of an epoch.
type labelState struct {
	known   map[string]labelRecord // number: what its hit turned out to be
	fetched map[uint32]int64       // prefixes whose labels were fetched, decoys too: when, in seconds since 1970
	queue   []uint32               // prefixes whose labels are still to be fetched, in this order
}

// labelRecord is the outcome of one hit.
type labelRecord struct {
	text      string
	confirmed bool  // the label opened
	basis     basis // of the hit, if it is not confirmed
	at        int64 // when it was fetched, in seconds since 1970
}

// plan puts prefixes behind the queue, and adds them to those that were chosen.
func (b *bucketState) plan(prefixes []uint32) {
	b.queue = append(b.queue, prefixes...)
	b.asked = append(b.asked, prefixes...)
	slices.Sort(b.asked)
	b.asked = slices.Compact(b.asked)
}

// apply takes one entry of the changes feed about a number.
func (b *bucketState) apply(number string, c filter.Change) {
	if _, answered := b.found[number]; answered {
		b.found[number] = finding{hit: c.Visible}
	}
}

// apply takes one entry of the changes feed about a number: whoever left may come back under another label, and whoever
// joins was perhaps asked about in vain before. It reports whether it changed anything.
func (l *labelState) apply(number string, c filter.Change) bool {
	record, known := l.known[number]
	if !known || c.Visible && record.confirmed {
		return false
	}
	delete(l.known, number)
	return true
}

// needed reports whether the label of a hit is to be fetched.
func (l *labelState) needed(number string, b basis) bool {
	record, known := l.known[number]
	return !known || !record.confirmed && record.basis != b
}

// stale reports whether something that was fetched at a time is due again.
func stale(at int64, now time.Time) bool {
	age := now.Unix() - at
	return age < 0 || age > int64(labelMaxAge/time.Second)
}

// stalePrefixes returns the prefixes whose labels are due again, ascending.
func (l *labelState) stalePrefixes(now time.Time) []uint32 {
	var due []uint32
	for p, at := range l.fetched {
		if stale(at, now) {
			due = append(due, p)
		}
	}
	slices.Sort(due)
	return due
}

// expire makes all labels due again.
func (l *labelState) expire() {
	for p := range l.fetched {
		l.fetched[p] = 0
	}
	for number, record := range l.known {
		record.at = 0
		l.known[number] = record
	}
}

// tagIndex finds the numbers of an epoch by their tags.
type tagIndex struct {
	tags    map[string]crypto.Tag
	numbers []string // ascending
}

func (e *epochState) tagIndex() *tagIndex {
	x := &tagIndex{tags: make(map[string]crypto.Tag, len(e.known)), numbers: slices.Sorted(maps.Keys(e.known))}
	for number, n := range e.known {
		x.tags[number], _ = crypto.Derive(n)
	}
	return x
}

// byPrefix returns the numbers that have each prefix of their tags, ascending.
func (x *tagIndex) byPrefix(bits int) map[uint32][]string {
	groups := make(map[uint32][]string)
	for _, number := range x.numbers {
		p := x.tags[number].Prefix(bits)
		groups[p] = append(groups[p], number)
	}
	return groups
}

// byChange returns the number that an entry of the changes feed would be about.
func (x *tagIndex) byChange() map[filter.TagPrefix]string {
	numbers := make(map[filter.TagPrefix]string, len(x.tags))
	for number, tag := range x.tags {
		numbers[filter.Prefix(tag)] = number
	}
	return numbers
}
