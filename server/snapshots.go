package server

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/server/snapshot"
)

const (
	// cacheManifest lets a manifest be old by a few seconds, which its position in the feed makes up for.
	cacheManifest = "public, max-age=10"
	// cacheForever is for what never changes under its name: shards, and segments of the feed.
	cacheForever = "public, max-age=31536000, immutable"
	// headerNext is the position behind a packed segment.
	headerNext = "Kith-Next"
)

// snapshotOf returns what is published of the epoch that a request names.
func (s *Server) snapshotOf(c echo.Context) (*snapshot.Store, error) {
	epoch, _, err := s.epochOf(c)
	if err != nil {
		return nil, err
	}
	return s.Lookups.Snapshot(epoch)
}

// getManifest answers GET /v1/epochs/{e}/snapshot.
func (s *Server) getManifest(c echo.Context) error {
	store, err := s.snapshotOf(c)
	if err != nil {
		return err
	}
	manifest, etag, err := store.Manifest(c.Request().Context())
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set("ETag", etag)
	header.Set("Cache-Control", cacheManifest)
	if matchesETag(c.Request().Header.Get("If-None-Match"), etag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.JSON(http.StatusOK, manifest)
}

// getShard answers GET /v1/epochs/{e}/snapshot/{shard}, ranges and conditions included.
func (s *Server) getShard(c echo.Context) error {
	store, err := s.snapshotOf(c)
	if err != nil {
		return err
	}
	id, err := snapshot.ParseID(c.Param("shard"))
	if err != nil {
		return err
	}
	data, err := store.Shard(c.Request().Context(), id)
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set("ETag", `"`+id.String()+`"`)
	header.Set("Cache-Control", cacheForever)
	header.Set(echo.HeaderContentType, mimePacked)
	w := &contentWriter{ResponseWriter: c.Response()}
	http.ServeContent(w, c.Request(), "", time.Time{}, bytes.NewReader(data))
	if w.refused == 0 {
		return nil
	}
	// What http.ServeContent has set for the text that is not sent.
	header.Del("X-Content-Type-Options")
	header.Del("ETag")
	if w.refused == http.StatusPreconditionFailed {
		return refuse(kindPrecondition, "")
	}
	return refuse(kindRange, "")
}

// contentWriter holds back what http.ServeContent answers where it refuses, which is no problem of RFC 9457.
type contentWriter struct {
	http.ResponseWriter
	refused int // the status, or 0
}

// WriteHeader writes a status that is none of an error.
func (w *contentWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the content.
func (w *contentWriter) Write(p []byte) (int, error) {
	if w.refused != 0 {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// changes is a segment of the feed in JSON. Packed, it is its entries, 9 bytes each.
type changes struct {
	Next    string `json:"next"`
	Closed  bool   `json:"closed"` // this is what follows for ever; otherwise more may follow
	Entries string `json:"entries"`
}

// getChanges answers GET /v1/epochs/{e}/changes?since=.
func (s *Server) getChanges(c echo.Context) error {
	store, err := s.snapshotOf(c)
	if err != nil {
		return err
	}
	segment, err := store.Changes(c.Request().Context(), c.QueryParam("since"))
	if errors.Is(err, snapshot.ErrPosition) {
		return refuse(kindMalformed, "The parameter since is not a position of this feed.")
	}
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set("Cache-Control", "no-cache")
	if segment.Closed {
		header.Set("Cache-Control", cacheForever)
	}
	header.Set("Vary", "Accept")
	header.Set(headerNext, segment.Next)
	if strings.Contains(c.Request().Header.Get("Accept"), mimePacked) {
		return answerPacked(c, segment.Entries)
	}
	return c.JSON(http.StatusOK, changes{segment.Next, segment.Closed, encoding.EncodeToString(segment.Entries)})
}
