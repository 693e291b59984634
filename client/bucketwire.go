package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"

	"github.com/kith-project/kith/crypto"
)

const (
	// prefixSize is the length of a prefix in a request.
	prefixSize = 4
	// maxSlots and maxShort bound the format that a server may announce.
	maxSlots = 1 << 12
	maxShort = 8
)

// validFormat reports whether an answer can have that many slots and bytes a short tag.
func validFormat(slots, tagBytes int) bool {
	return slots >= 1 && slots <= maxSlots && tagBytes >= 1 && tagBytes <= maxShort
}

// bucketAnswer is the answer for one prefix.
type bucketAnswer struct {
	prefix uint32
	bits   int    // of the prefix
	size   int    // of a short tag
	tags   []byte // short tags back to back, fill among them
	labels []byte // sealed labels back to back in the order of the tags, or nil if they were not asked for
}

// requestBuckets asks for the buckets of different prefixes, with labels or without. The slots of the answer, which may
// have been raised since the directory was read, are what later pages are planned with. It returns ErrAnswer for a
// wrong length or format.
func (r *run) requestBuckets(ctx context.Context, prefixes []uint32, labels bool) ([]bucketAnswer, error) {
	body := make([]byte, 0, prefixSize*len(prefixes))
	for _, p := range prefixes {
		body = binary.BigEndian.AppendUint32(body, p)
	}
	q := request{
		name:   "buckets",
		method: http.MethodPost,
		path:   fmt.Sprintf("/v1/epochs/%d/buckets", r.epoch.id),
		body:   body,
		accept: typePacked,
	}
	if labels {
		q.path += "?labels=true"
	}
	var slots, tagBytes int
	q.measure = func(h http.Header) (int, error) {
		slots, tagBytes = atoi(h.Get("Kith-Slots")), atoi(h.Get("Kith-Tag-Bytes"))
		if !validFormat(slots, tagBytes) {
			return 0, fmt.Errorf("%w: buckets of an impossible format", ErrAnswer)
		}
		return len(prefixes) * bucketSize(slots, tagBytes, labels), nil
	}
	answer, err := r.callLookup(ctx, q)
	if err != nil {
		return nil, err
	}
	r.directory.figures.Slots, r.directory.figures.TagBytes = slots, tagBytes
	return decodeBuckets(answer, prefixes, r.epoch.buckets.bits, slots, tagBytes, labels)
}

// atoi returns the decimal number that text is, or 0.
func atoi(text string) int {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// bucketSize is the length of the answer for one prefix.
func bucketSize(slots, tagBytes int, labels bool) int {
	if labels {
		tagBytes += crypto.SealedLabelSize
	}
	return slots * tagBytes
}

// decodeBuckets divides an answer among the prefixes that were asked. It returns ErrAnswer for a wrong length.
func decodeBuckets(answer []byte, prefixes []uint32, bits, slots, tagBytes int, labels bool) ([]bucketAnswer, error) {
	size := bucketSize(slots, tagBytes, labels)
	if len(answer) != size*len(prefixes) {
		return nil, fmt.Errorf("%w: buckets of a wrong length", ErrAnswer)
	}
	answers := make([]bucketAnswer, len(prefixes))
	for i, p := range prefixes {
		one := answer[i*size : (i+1)*size]
		answers[i] = bucketAnswer{prefix: p, bits: bits, size: tagBytes, tags: one[:slots*tagBytes]}
		if labels {
			answers[i].labels = one[slots*tagBytes:]
		}
	}
	return answers, nil
}

// places returns the places whose short tag is that of tag: more than one is a collision.
func (a *bucketAnswer) places(tag crypto.Tag) []int {
	short := tag.AppendShort(nil, a.bits, a.size)
	var places []int
	for i := 0; i < len(a.tags)/a.size; i++ {
		if bytes.Equal(a.tags[i*a.size:(i+1)*a.size], short) {
			places = append(places, i)
		}
	}
	return places
}

// finding returns whether a tag of this bucket is there.
func (a *bucketAnswer) finding(tag crypto.Tag) finding {
	if len(a.places(tag)) == 0 {
		return finding{}
	}
	return finding{hit: true, basis: basisOf(a.tags)}
}

// sealedLabels returns the labels at the places of a tag.
func (a *bucketAnswer) sealedLabels(tag crypto.Tag) []crypto.SealedLabel {
	var sealed []crypto.SealedLabel
	for _, i := range a.places(tag) {
		sealed = append(sealed, crypto.SealedLabel(a.labels[i*crypto.SealedLabelSize:(i+1)*crypto.SealedLabelSize]))
	}
	return sealed
}
