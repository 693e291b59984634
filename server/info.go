package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/bucket"
	"github.com/kith-project/kith/server/keyring"
)

// info is the answer of GET /v1/directory: all that a client needs to know before it asks for anything.
type info struct {
	Suite   string      `json:"suite"`
	Mode    int         `json:"mode"`
	Profile string      `json:"profile"`
	Epochs  []epochInfo `json:"epochs"`
	Limits  Limits      `json:"limits"`
	Modes   []string    `json:"modes"`
	// Migration is there while devices are to move to another epoch, KeyLog unless the keyring is older than key logs.
	Migration *migrationInfo `json:"migration,omitempty"`
	KeyLog    *keyLogInfo    `json:"key_log,omitempty"`
}

type epochInfo struct {
	ID         uint32        `json:"id"`
	State      keyring.State `json:"state"`
	PublicKey  string        `json:"public_key"`
	BucketBits uint8         `json:"bucket_bits"`
	Slots      int           `json:"slots"`     // short tags in the answer of each bucket
	TagBytes   int           `json:"tag_bytes"` // length of a short tag
	// Anonymity is how many of the 10^10 numbers that there could be share a prefix, on average.
	Anonymity int64         `json:"anonymity"`
	Snapshot  *snapshotInfo `json:"snapshot,omitempty"` // absent while none is published
}

type snapshotInfo struct {
	Bytes            int64 `json:"bytes"`
	Keys             int64 `json:"keys"`
	ChangesBytesADay int64 `json:"changes_bytes_a_day"`
}

// PlausibleNumbers is how many phone numbers there could be, for the anonymity of a prefix.
const PlausibleNumbers = 10_000_000_000

// epochInfoOf returns what the directory says of an epoch.
func (s *Server) epochInfoOf(ctx context.Context, e *keyring.Epoch) epochInfo {
	bits := int(e.Layout.BucketBits)
	i := epochInfo{
		ID: e.ID, State: e.State, PublicKey: encoding.EncodeToString(e.PublicKey.Bytes()), BucketBits: e.Layout.BucketBits,
		Slots: e.Slots, TagBytes: bucket.TagBytesFor(bits, e.Slots), Anonymity: PlausibleNumbers >> bits,
	}
	store, err := s.Lookups.Snapshot(e)
	if err != nil {
		return i
	}
	// Without a snapshot the other modes are offered, whatever the reason.
	if m, _, err := store.Manifest(ctx); err == nil {
		i.Snapshot = &snapshotInfo{m.Bytes, m.Keys, m.ChangesBytesADay}
	}
	return i
}

// getDirectory answers GET /v1/directory.
func (s *Server) getDirectory(c echo.Context) error {
	snapshot, err := s.Keyring.Current()
	if err != nil {
		return err
	}
	answer := info{
		Suite: voprf.Suite, Mode: voprf.Mode, Profile: normalize.Profile, Epochs: []epochInfo{}, Limits: s.Limits,
		Modes: []string{"exact", "bucket"}, Migration: migrationOf(snapshot), KeyLog: keyLogInfoOf(snapshot),
	}
	for _, e := range snapshot.Epochs {
		if !e.Served() {
			continue
		}
		i := s.epochInfoOf(c.Request().Context(), e)
		answer.Epochs = append(answer.Epochs, i)
		if e.State == keyring.StateActive && i.Snapshot != nil {
			answer.Modes = append(answer.Modes, "snapshot")
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return answerCached(c, body)
}

// answerCached answers with JSON that a client may keep and is to ask for again by its ETag.
func answerCached(c echo.Context, body []byte) error {
	sum := sha256.Sum256(body)
	etag := `"` + encoding.EncodeToString(sum[:12]) + `"`
	c.Response().Header().Set("ETag", etag)
	c.Response().Header().Set("Cache-Control", "no-cache")
	if matchesETag(c.Request().Header.Get("If-None-Match"), etag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.JSONBlob(http.StatusOK, body)
}

// matchesETag is the weak comparison of RFC 9110, Section 13.1.2.
func matchesETag(ifNoneMatch, etag string) bool {
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
			return true
		}
	}
	return false
}
