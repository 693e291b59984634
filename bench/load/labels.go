package load

import (
	"context"
	"slices"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
)

// fetchLabels fetches the labels of hits by whole buckets, filled up with decoys: first those that were asked for and have no
// hit, then others.
func (v *visit) fetchLabels(ctx context.Context, hits []*contact, asked []uint32) error {
	if len(hits) == 0 {
		return nil
	}
	taken := make(map[uint32]bool, len(hits))
	var prefixes []uint32
	for _, c := range hits {
		if p := c.tag.Prefix(v.g.epoch.bits); !taken[p] {
			taken[p] = true
			prefixes = append(prefixes, p)
		}
	}
	class := client.PowerClass(len(prefixes))
	asked = slices.Clone(asked)
	v.dice.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
	for _, p := range asked {
		if len(prefixes) < class && !taken[p] {
			taken[p] = true
			prefixes = append(prefixes, p)
		}
	}
	prefixes = fillUp(v.dice, prefixes, taken, v.g.epoch.bits, class)
	v.dice.Shuffle(len(prefixes), func(i, j int) { prefixes[i], prefixes[j] = prefixes[j], prefixes[i] })
	answers, err := v.askBuckets(ctx, prefixes, true)
	if err != nil || !v.verify {
		return err
	}
	return v.checkLabels(hits, answers)
}

// checkLabels opens the labels of hits, and compares them with what was registered.
func (v *visit) checkLabels(hits []*contact, answers buckets) error {
	for _, c := range hits {
		b := answers[c.tag.Prefix(v.g.epoch.bits)]
		expected := c.registration.expect(b.from, b.to, v.g.Staleness)
		text, opened := b.open(c)
		switch {
		case opened && expected == absent:
			return v.g.checks.wrong(KindLabels, whatPresent)
		case !opened && expected == registered:
			return v.g.checks.wrong(KindLabels, whatLabel)
		case opened && text != c.registration.label:
			return v.g.checks.wrong(KindLabels, whatOtherLabel)
		case opened:
			v.g.checks.count(func(s *Checks) { s.Labels++ })
		}
	}
	return nil
}

// open opens the label of a contact, of which there may be several where short tags collide.
func (b *bucketAnswer) open(c *contact) (string, bool) {
	for _, i := range b.places(c.tag) {
		sealed := crypto.SealedLabel(b.labels[i*crypto.SealedLabelSize : (i+1)*crypto.SealedLabelSize])
		if text, err := c.key.Open(c.tag, sealed); err == nil {
			return text, true
		}
	}
	return "", false
}
