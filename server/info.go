package server

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/normalize"
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
}

type epochInfo struct {
	ID         uint32        `json:"id"`
	State      keyring.State `json:"state"`
	PublicKey  string        `json:"public_key"`
	BucketBits uint8         `json:"bucket_bits"`
}

// modes are the lookup modes that this server offers.
var modes = []string{"exact"}

// getDirectory answers GET /v1/directory.
func (s *Server) getDirectory(c echo.Context) error {
	snapshot, err := s.Keyring.Current()
	if err != nil {
		return err
	}
	answer := info{Suite: voprf.Suite, Mode: voprf.Mode, Profile: normalize.Profile, Epochs: []epochInfo{}, Limits: s.Limits, Modes: modes}
	for _, e := range snapshot.Epochs {
		if e.Served() {
			answer.Epochs = append(answer.Epochs, epochInfo{e.ID, e.State, encoding.EncodeToString(e.Key.PublicKey().Bytes()), e.Layout.BucketBits})
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
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
