package client

import (
	"context"

	"github.com/kith-project/kith/crypto"
)

// lookUp looks up all candidates, whose N are known, and fills in the matches of result.
func (r *run) lookUp(ctx context.Context, l lookup, result *Result) error {
	tags := r.tags()
	if len(tags) == 0 {
		return nil
	}
	report := func(done int) {
		r.options.Progress(Progress{Stage: StageLookUp, Done: done, Total: len(tags)})
	}
	report(0)
	hits, err := l.find(ctx, r.epoch.id, tags, report)
	if err != nil {
		return err
	}
	sealed := make(map[crypto.Tag]crypto.SealedLabel, len(hits))
	for _, hit := range hits {
		sealed[hit.tag] = hit.label
	}
	r.open(tags, sealed, result)
	return nil
}

// tags returns the tag of each candidate, in their order.
func (r *run) tags() []crypto.Tag {
	tags := make([]crypto.Tag, len(r.book.candidates))
	for i, c := range r.book.candidates {
		tags[i], _ = crypto.Derive(r.epoch.known[c.number])
	}
	return tags
}

// open opens the labels that were found, in the order of the address book. One that does not open is another number's,
// or invented: whoever does not know the number can not have sealed it.
func (r *run) open(tags []crypto.Tag, sealed map[crypto.Tag]crypto.SealedLabel, result *Result) {
	if len(sealed) == 0 {
		return
	}
	done := 0
	report := func() { r.options.Progress(Progress{Stage: StageOpen, Done: done, Total: len(sealed)}) }
	report()
	for i, c := range r.book.candidates {
		label, hit := sealed[tags[i]]
		if !hit {
			continue
		}
		_, key := crypto.Derive(r.epoch.known[c.number])
		if text, err := key.Open(tags[i], label); err == nil {
			result.Matches = append(result.Matches, c.match(text))
		} else {
			result.Unconfirmed++
		}
		done++
	}
	report()
}

func (c *candidate) match(label string) Match {
	m := Match{Number: c.number, Label: label}
	if len(c.names) > 0 {
		m.Name = c.names[0]
	}
	if len(c.names) > 1 {
		m.OtherNames = c.names[1:]
	}
	return m
}
