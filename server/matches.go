package server

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto"
)

// matches is the answer in JSON; packed, each match is its tag and its sealed label, 92 bytes, back to back.
type matches struct {
	Matches []match `json:"matches"`
}

type match struct {
	Tag   string `json:"tag"`
	Label string `json:"label"`
}

// postMatches answers POST /v1/epochs/{e}/matches: of the tags given, those registered, with their sealed labels.
func (s *Server) postMatches(c echo.Context) error {
	epoch, _, err := s.epochOf(c)
	if err != nil {
		return err
	}
	asked, err := readBatch(c, "tags", crypto.TagSize, s.Limits.MaxTags, kindTags)
	if err != nil {
		return err
	}
	tags := make([]crypto.Tag, len(asked.packed)/crypto.TagSize)
	for i := range tags {
		tags[i] = crypto.Tag(asked.packed[i*crypto.TagSize:])
	}
	found, err := s.Directory.Match(c.Request().Context(), epoch.Layout, tags)
	if err != nil {
		return err
	}
	s.Metrics.lookedUp(len(tags))
	c.Response().Header().Set("Cache-Control", "no-store")
	if asked.json {
		answer := matches{Matches: make([]match, 0, len(found))}
		for _, m := range found {
			answer.Matches = append(answer.Matches, match{encoding.EncodeToString(m.Tag[:]), encoding.EncodeToString(m.Label[:])})
		}
		return c.JSON(http.StatusOK, answer)
	}
	packed := make([]byte, 0, len(found)*(crypto.TagSize+crypto.SealedLabelSize))
	for _, m := range found {
		packed = append(append(packed, m.Tag[:]...), m.Label[:]...)
	}
	return answerPacked(c, packed)
}
