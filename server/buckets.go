package server

import (
	"encoding/binary"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/server/bucket"
	"github.com/kith-project/kith/server/keyring"
)

const (
	// prefixSize is the length of a prefix in a packed body, bytes, big-endian.
	prefixSize = 4
	// prefixText is the most that a prefix takes in a JSON body: ten digits, a comma, and white space.
	prefixText = 16
	// headerSlots and headerTagBytes tell the form of a packed answer.
	headerSlots    = "Kith-Slots"
	headerTagBytes = "Kith-Tag-Bytes"
)

// bucketsBody is the body of POST /v1/epochs/{e}/buckets. Packed, it is the prefixes, 4 bytes each, big-endian and back to
// back, and labels are asked for by ?labels=true.
type bucketsBody struct {
	Prefixes member[[]member[uint32]] `json:"prefixes"`
	Labels   member[bool]             `json:"labels"`
}

// bucketsAsked is what a request asks for.
type bucketsAsked struct {
	prefixes []uint32
	labels   bool
	json     bool // whether to answer in JSON
}

// buckets is the answer in JSON. Packed, each bucket is its tags and, if asked for, its labels, in the order of the
// prefixes, back to back.
type buckets struct {
	TagBytes int         `json:"tag_bytes"`
	Buckets  []oneBucket `json:"buckets"`
}

type oneBucket struct {
	Prefix uint32 `json:"prefix"`
	Tags   string `json:"tags"`
	Labels string `json:"labels,omitempty"`
}

// postBuckets answers POST /v1/epochs/{e}/buckets: whole buckets of short tags, padded to one size, with their sealed
// labels if asked for.
func (s *Server) postBuckets(c echo.Context) error {
	epoch, _, err := s.epochOf(c)
	if err != nil {
		return err
	}
	asked, err := s.readBuckets(c)
	if err != nil {
		return err
	}
	if err := s.checkPrefixes(epoch, asked); err != nil {
		return err
	}
	var tags, labels []byte
	var format bucket.Format
	if asked.labels {
		tags, labels, format, err = s.Lookups.Labels(c.Request().Context(), epoch, asked.prefixes)
	} else {
		tags, format, err = s.Lookups.Tags(c.Request().Context(), epoch, asked.prefixes)
	}
	if err != nil {
		return err
	}
	s.Metrics.lookedUpBuckets(len(asked.prefixes), asked.labels)
	header := c.Response().Header()
	header.Set("Cache-Control", "no-store")
	header.Set(headerSlots, strconv.Itoa(format.Slots))
	header.Set(headerTagBytes, strconv.Itoa(format.TagBytes))
	if asked.json {
		return c.JSON(http.StatusOK, bucketsJSON(asked.prefixes, tags, labels, format))
	}
	return answerPacked(c, interleave(tags, labels, format))
}

// readBuckets decodes a request, JSON or packed, of at most as many prefixes as any request may have.
func (s *Server) readBuckets(c echo.Context) (bucketsAsked, error) {
	mediaType, err := mediaTypeOf(c)
	if err != nil {
		return bucketsAsked{}, err
	}
	if mediaType == mimeJSON {
		return s.readBucketsJSON(c)
	}
	packed, err := readBatch(c, "prefixes", prefixSize, s.Limits.MaxPrefixes, kindPrefixes)
	if err != nil {
		return bucketsAsked{}, err
	}
	asked := bucketsAsked{prefixes: make([]uint32, len(packed.packed)/prefixSize)}
	for i := range asked.prefixes {
		asked.prefixes[i] = binary.BigEndian.Uint32(packed.packed[i*prefixSize:])
	}
	if c.QueryParams().Has("labels") {
		text := c.QueryParam("labels")
		if asked.labels = text == "true"; !asked.labels && text != "false" {
			return asked, refuse(kindMalformed, "The parameter labels is true or false.")
		}
	}
	return asked, nil
}

func (s *Server) readBucketsJSON(c echo.Context) (bucketsAsked, error) {
	data, err := readBody(c, int64(prefixText*s.Limits.MaxPrefixes+jsonSlack))
	if tooLarge(err) {
		return bucketsAsked{}, &refusal{kind: kindPrefixes, limit: s.Limits.MaxPrefixes}
	}
	if err != nil {
		return bucketsAsked{}, err
	}
	var body bucketsBody
	if err := decodeJSON(data, &body); err != nil {
		return bucketsAsked{}, err
	}
	asked := bucketsAsked{labels: body.Labels.value, json: true}
	for _, prefix := range body.Prefixes.value {
		asked.prefixes = append(asked.prefixes, prefix.value)
	}
	return asked, nil
}

// checkPrefixes refuses prefixes that the epoch does not have, that are asked twice, or too many: an answer with labels is
// hundreds of times as large as the question.
func (s *Server) checkPrefixes(epoch *keyring.Epoch, asked bucketsAsked) error {
	limit := s.Limits.MaxPrefixes
	if asked.labels {
		limit = s.Limits.MaxLabelPrefixes
	}
	switch {
	case len(asked.prefixes) == 0:
		return refuse(kindMalformed, "The batch is empty.")
	case len(asked.prefixes) > limit:
		return &refusal{kind: kindPrefixes, limit: limit}
	}
	seen := make(map[uint32]bool, len(asked.prefixes))
	for _, prefix := range asked.prefixes {
		if uint64(prefix) >= 1<<epoch.Layout.BucketBits {
			return refuse(kindMalformed, "A prefix is not below 2^bucket_bits.")
		}
		if seen[prefix] {
			return refuse(kindMalformed, "A prefix is asked for twice.")
		}
		seen[prefix] = true
	}
	return nil
}

func bucketsJSON(prefixes []uint32, tags, labels []byte, f bucket.Format) buckets {
	answer := buckets{TagBytes: f.TagBytes, Buckets: make([]oneBucket, len(prefixes))}
	for i, prefix := range prefixes {
		answer.Buckets[i] = oneBucket{Prefix: prefix, Tags: encoding.EncodeToString(tags[i*f.Size() : (i+1)*f.Size()])}
		if labels != nil {
			answer.Buckets[i].Labels = encoding.EncodeToString(labels[i*f.LabelsSize() : (i+1)*f.LabelsSize()])
		}
	}
	return answer
}

// interleave puts the labels of each bucket behind its tags.
func interleave(tags, labels []byte, f bucket.Format) []byte {
	if labels == nil {
		return tags
	}
	out := make([]byte, 0, len(tags)+len(labels))
	for len(tags) > 0 {
		out = append(append(out, tags[:f.Size()]...), labels[:f.LabelsSize()]...)
		tags, labels = tags[f.Size():], labels[f.LabelsSize():]
	}
	return out
}
