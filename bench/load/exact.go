package load

import (
	"context"
	crand "crypto/rand"
	"net/http"
	"slices"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
)

// matchSize is the length of one match in an answer: a tag and its sealed label.
const matchSize = crypto.TagSize + crypto.SealedLabelSize

// lookUpExact looks up contacts by their tags, filled up with random ones and shuffled.
func (v *visit) lookUpExact(ctx context.Context, contacts []*contact) error {
	tags := make([]crypto.Tag, client.QuarterClass(len(contacts)))
	for i := range tags {
		if i < len(contacts) {
			tags[i] = contacts[i].tag
		} else {
			_, _ = crand.Read(tags[i][:]) // never fails
		}
	}
	v.dice.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	byTag := make(map[crypto.Tag]*contact)
	if v.verify {
		for _, c := range contacts {
			byTag[c.tag] = c
		}
	}
	for page := range slices.Chunk(tags, v.g.epoch.maxTags) {
		body := make([]byte, 0, len(page)*crypto.TagSize)
		for _, tag := range page {
			body = append(body, tag[:]...)
		}
		a, err := v.call(ctx, request{kind: KindMatches, method: http.MethodPost, url: v.g.path("matches"), body: body, accept: typePacked})
		if err != nil {
			return err
		}
		if len(a.body)%matchSize != 0 || len(a.body) > len(page)*matchSize {
			return v.g.checks.wrong(KindMatches, whatLength)
		}
		if v.verify {
			if err := v.checkMatches(a, page, byTag); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMatches compares an answer with the model: who is in it, and as what.
func (v *visit) checkMatches(a answer, asked []crypto.Tag, byTag map[crypto.Tag]*contact) error {
	open := make(map[crypto.Tag]bool, len(asked)) // asked and not answered so far
	for _, tag := range asked {
		open[tag] = true
	}
	found := make(map[crypto.Tag]crypto.SealedLabel, len(a.body)/matchSize)
	for packed := range slices.Chunk(a.body, matchSize) {
		tag := crypto.Tag(packed[:crypto.TagSize])
		if !open[tag] {
			return v.g.checks.wrong(KindMatches, whatUnasked)
		}
		delete(open, tag)
		found[tag] = crypto.SealedLabel(packed[crypto.TagSize:])
	}
	for _, tag := range asked {
		c, own := byTag[tag]
		sealed, hit := found[tag]
		if !own {
			if hit {
				return v.g.checks.wrong(KindMatches, whatPresent)
			}
			continue
		}
		expected := c.registration.expect(a.from, a.to, 0)
		v.counted(expected)
		switch {
		case hit && expected == absent:
			return v.g.checks.wrong(KindMatches, whatPresent)
		case !hit && expected == registered:
			return v.g.checks.wrong(KindMatches, whatMissing)
		case hit:
			if err := v.checkLabel(KindMatches, c, sealed); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted counts a number that was compared with the model.
func (v *visit) counted(e expectation) {
	v.g.checks.count(func(c *Checks) {
		c.Numbers++
		if e == uncertain {
			c.Uncertain++
		}
	})
}

// checkLabel opens the label of a contact that was found by its whole tag.
func (v *visit) checkLabel(kind Kind, c *contact, sealed crypto.SealedLabel) error {
	text, err := c.key.Open(c.tag, sealed)
	if err != nil {
		return v.g.checks.wrong(kind, whatLabel)
	}
	v.g.checks.count(func(s *Checks) { s.Labels++ })
	if text != c.registration.label {
		return v.g.checks.wrong(kind, whatOtherLabel)
	}
	return nil
}
