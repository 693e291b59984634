package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"slices"
	"strconv"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
)

const (
	prefixSize = 4
	// maxSlots and maxShort bound the format that a server may announce.
	maxSlots = 1 << 12
	maxShort = 8
	// maxPage is the most that package client wants in one answer, bytes.
	maxPage = 8 << 20
)

// buckets are answers by prefix.
type buckets map[uint32]bucketAnswer

// bucketAnswer is what was answered for one prefix, and when.
type bucketAnswer struct {
	answer
	bits, size   int
	tags, labels []byte
}

// lookUpBuckets looks up contacts by the prefixes of their tags, filled up with others and shuffled. It returns the prefixes
// that were asked, and who was found.
func (v *visit) lookUpBuckets(ctx context.Context, contacts []*contact) (asked []uint32, hits []*contact, err error) {
	if len(contacts) == 0 {
		return nil, nil, nil
	}
	taken := make(map[uint32]bool, len(contacts))
	for _, c := range contacts {
		if p := c.tag.Prefix(v.g.epoch.bits); !taken[p] {
			taken[p] = true
			asked = append(asked, p)
		}
	}
	asked = fillUp(v.dice, asked, taken, v.g.epoch.bits, client.QuarterClass(len(asked)))
	v.dice.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
	answers, err := v.askBuckets(ctx, asked, false)
	if err != nil {
		return nil, nil, err
	}
	if !v.verify {
		return asked, likelyHits(contacts), nil
	}
	hits, err = v.checkBuckets(contacts, answers)
	return asked, hits, err
}

// likelyHits returns those of contacts who are registered as far as the model knows.
func likelyHits(contacts []*contact) (hits []*contact) {
	for _, c := range contacts {
		if c.registration.within() {
			hits = append(hits, c)
		}
	}
	return hits
}

// askBuckets asks for buckets, page by page.
func (v *visit) askBuckets(ctx context.Context, prefixes []uint32, labels bool) (buckets, error) {
	kind, url, page := KindBuckets, v.g.path("buckets"), v.g.epoch.maxPrefixes
	if labels {
		kind, url, page = KindLabels, url+"?labels=true", v.g.epoch.maxLabels
	}
	if size := v.g.bucketSize(labels); size > 0 {
		page = min(page, max(maxPage/size, 1))
	}
	all := make(buckets, len(prefixes))
	for part := range slices.Chunk(prefixes, page) {
		body := make([]byte, 0, prefixSize*len(part))
		for _, p := range part {
			body = binary.BigEndian.AppendUint32(body, p)
		}
		a, err := v.call(ctx, request{kind: kind, method: http.MethodPost, url: url, body: body, accept: typePacked})
		if err != nil {
			return nil, err
		}
		if !v.divide(all, a, part, labels) {
			return nil, v.g.checks.wrong(kind, whatLength)
		}
	}
	return all, nil
}

// divide divides an answer among the prefixes that were asked. It reports whether the answer has its form.
func (v *visit) divide(all buckets, a answer, prefixes []uint32, labels bool) bool {
	slots, _ := strconv.Atoi(a.header.Get("Kith-Slots"))
	size, _ := strconv.Atoi(a.header.Get("Kith-Tag-Bytes"))
	if slots < 1 || slots > maxSlots || size < 1 || size > maxShort {
		return false
	}
	v.g.slots.Store(int64(slots))
	one := slots * size
	if labels {
		one += slots * crypto.SealedLabelSize
	}
	if len(a.body) != one*len(prefixes) {
		return false
	}
	for i, p := range prefixes {
		part := a.body[i*one : (i+1)*one]
		all[p] = bucketAnswer{answer: a, bits: v.g.epoch.bits, size: size, tags: part[:slots*size], labels: part[slots*size:]}
	}
	return true
}

// places returns where in a bucket the short tag of a contact is.
func (b *bucketAnswer) places(tag crypto.Tag) (places []int) {
	short := tag.AppendShort(nil, b.bits, b.size)
	for i := 0; i < len(b.tags)/b.size; i++ {
		if bytes.Equal(b.tags[i*b.size:(i+1)*b.size], short) {
			places = append(places, i)
		}
	}
	return places
}

// checkBuckets compares answers with the model, and returns who was found.
func (v *visit) checkBuckets(contacts []*contact, answers buckets) (hits []*contact, err error) {
	for _, c := range contacts {
		b := answers[c.tag.Prefix(v.g.epoch.bits)]
		found := len(b.places(c.tag)) > 0
		if found {
			hits = append(hits, c)
		}
		if err := v.judge(KindBuckets, c, found, b.answer); err != nil {
			return nil, err
		}
	}
	return hits, nil
}

// judge compares with the model whether an answer has a contact. It returns an error if one is missing who is registered. One who
// is not and is there is counted: it may be a collision of short tags, which shows when the labels are fetched.
func (v *visit) judge(kind Kind, c *contact, found bool, a answer) error {
	expected := c.registration.expect(a.from, a.to, v.g.Staleness)
	v.counted(expected)
	switch {
	case found && expected == absent:
		v.g.checks.count(func(c *Checks) { c.FalsePositives++ })
	case !found && expected == registered:
		return v.g.checks.wrong(kind, whatMissing)
	}
	return nil
}
