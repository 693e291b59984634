package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/kith-project/kith/crypto"
)

// matchSize is the length of one match in an answer: a tag and its sealed label.
const matchSize = crypto.TagSize + crypto.SealedLabelSize

// maxTagsPerRequest bounds the pages of a server that allows more, for the memory of this device: their answers have up
// to 6 MB.
const maxTagsPerRequest = 1 << 16

// sealedMatch is one match of an answer.
type sealedMatch struct {
	tag   crypto.Tag
	label crypto.SealedLabel
}

// findExact is ModeExact: it looks up all tags, whose labels come with the answer.
func (r *run) findExact(ctx context.Context) (map[string]labelRecord, error) {
	return r.askTags(ctx, r.book.numbers(), StageLookUp)
}

// askTags sends the tags of numbers, filled up to a class of counts with random ones, in random order, and opens the
// labels that come back. Numbers that are not registered are not in the result.
func (r *run) askTags(ctx context.Context, numbers []string, stage Stage) (map[string]labelRecord, error) {
	tags, err := r.padTags(numbers)
	if err != nil {
		return nil, err
	}
	byTag := make(map[crypto.Tag]string, len(numbers))
	for _, number := range numbers {
		byTag[r.index.tags[number]] = number
	}
	records := make(map[string]labelRecord)
	done := 0
	r.report(stage, done, len(tags))
	for page := range slices.Chunk(tags, min(r.directory.maxTags, maxTagsPerRequest)) {
		matches, err := r.requestMatches(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, m := range matches {
			if number, own := byTag[m.tag]; own {
				records[number] = r.openAny(number, basis{}, m.label)
			}
		}
		done += len(page)
		r.report(stage, done, len(tags))
	}
	return records, nil
}

// padTags returns the tags of numbers and as many random ones as their class has, in random order.
func (r *run) padTags(numbers []string) ([]crypto.Tag, error) {
	dice, err := newDice(r.options.Rand)
	if err != nil {
		return nil, err
	}
	tags := make([]crypto.Tag, QuarterClass(len(numbers)))
	for i := range tags {
		if i < len(numbers) {
			tags[i] = r.index.tags[numbers[i]]
		} else if _, err := io.ReadFull(r.options.Rand, tags[i][:]); err != nil {
			return nil, fmt.Errorf("client: reading randomness: %w", err)
		}
	}
	shuffle(dice, tags)
	return tags, nil
}

// requestMatches sends one page of tags.
func (r *run) requestMatches(ctx context.Context, tags []crypto.Tag) ([]sealedMatch, error) {
	body := make([]byte, 0, len(tags)*crypto.TagSize)
	for _, tag := range tags {
		body = append(body, tag[:]...)
	}
	answer, err := r.callLookup(ctx, request{
		name:   "matches",
		method: http.MethodPost,
		path:   fmt.Sprintf("/v1/epochs/%d/matches", r.epoch.id),
		body:   body,
		accept: typePacked,
		limit:  len(tags) * matchSize,
	})
	if err != nil {
		return nil, err
	}
	return decodeMatches(answer, tags)
}

// decodeMatches decodes matches, 92 bytes each. It returns ErrAnswer for a wrong length, a tag that is not in asked,
// and a tag that comes twice.
func decodeMatches(answer []byte, asked []crypto.Tag) ([]sealedMatch, error) {
	if len(answer)%matchSize != 0 {
		return nil, fmt.Errorf("%w: matches of a wrong length", ErrAnswer)
	}
	open := make(map[crypto.Tag]bool, len(asked)) // asked and not answered so far
	for _, tag := range asked {
		open[tag] = true
	}
	matches := make([]sealedMatch, 0, len(answer)/matchSize)
	for packed := range slices.Chunk(answer, matchSize) {
		m := sealedMatch{crypto.Tag(packed[:crypto.TagSize]), crypto.SealedLabel(packed[crypto.TagSize:])}
		if !open[m.tag] {
			return nil, fmt.Errorf("%w: a match that was not asked for, or twice", ErrAnswer)
		}
		delete(open, m.tag)
		matches = append(matches, m)
	}
	return matches, nil
}
