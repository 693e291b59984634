package client

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"

	"github.com/kith-project/kith/crypto"
)

// matchSize is the length of one match in an answer: a tag and its sealed label.
const matchSize = crypto.TagSize + crypto.SealedLabelSize

// maxTagsPerRequest bounds the pages of a server that allows more, for the memory of this device: their answers have up
// to 6 MB.
const maxTagsPerRequest = 1 << 16

// exactLookup is ModeExact: it sends whole tags to POST /v1/epochs/{e}/matches.
type exactLookup struct {
	*Client
	page int // the largest number of tags in one request
}

// newExactLookup returns ErrAnswer if the server offers the mode without its limit.
func newExactLookup(c *Client, d *directory) (lookup, error) {
	if d.maxTags == 0 {
		return nil, fmt.Errorf("%w: directory without a limit of tags", ErrAnswer)
	}
	return &exactLookup{Client: c, page: min(d.maxTags, maxTagsPerRequest)}, nil
}

func (l *exactLookup) find(
	ctx context.Context, epoch uint32, tags []crypto.Tag, progress func(done int),
) ([]sealedMatch, error) {
	shuffled, err := shuffle(l.options.Rand, tags)
	if err != nil {
		return nil, err
	}
	var found []sealedMatch
	done := 0
	for page := range slices.Chunk(shuffled, l.page) {
		matches, err := l.findPage(ctx, epoch, page)
		if err != nil {
			return nil, err
		}
		found = append(found, matches...)
		done += len(page)
		progress(done)
	}
	return found, nil
}

func (l *exactLookup) findPage(ctx context.Context, epoch uint32, tags []crypto.Tag) ([]sealedMatch, error) {
	body := make([]byte, 0, len(tags)*crypto.TagSize)
	for _, tag := range tags {
		body = append(body, tag[:]...)
	}
	answer, err := l.call(ctx, request{
		name:   "matches",
		via:    l.lookups,
		method: http.MethodPost,
		path:   fmt.Sprintf("/v1/epochs/%d/matches", epoch),
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

// shuffle returns a copy of tags in random order. In the order of the evaluations, tags would tell which element of the
// account's request is which tag. It returns the reader's error.
func shuffle(random io.Reader, tags []crypto.Tag) ([]crypto.Tag, error) {
	var seed [32]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("client: reading randomness: %w", err)
	}
	shuffled := slices.Clone(tags)
	rand.New(rand.NewChaCha8(seed)).Shuffle(len(shuffled), func(i, j int) {
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	})
	return shuffled, nil
}
