package server

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/quota"
)

// headerIdempotencyKey names a request, so that its retry is not charged again.
const headerIdempotencyKey = "Idempotency-Key"

// evaluations is the answer in JSON; packed, the elements come back to back and the proof last.
type evaluations struct {
	Epoch    uint32   `json:"epoch"`
	Elements []string `json:"elements"`
	Proof    string   `json:"proof"`
}

// postEvaluations answers POST /v1/epochs/{e}/evaluations: BlindEvaluate of RFC 9497 for a batch of blinded elements.
// The order is: authenticate, check the size, debit, decode, evaluate.
func (s *Server) postEvaluations(c echo.Context) error {
	epoch, snapshot, err := s.epochOf(c)
	if err != nil {
		return err
	}
	blinded, err := readBatch(c, "elements", voprf.ElementSize, s.Limits.MaxElements, kindElements)
	if err != nil {
		return err
	}
	key := c.Request().Header.Get(headerIdempotencyKey)
	if len(key) > quota.MaxKey {
		return refuse(kindMalformed, "The Idempotency-Key is longer than 128 bytes.")
	}
	n := len(blinded.packed) / voprf.ElementSize
	charge, err := s.Ledger.Debit(c.Request().Context(), quota.Request{
		Account: accountOf(c), Epoch: epoch.ID, Elements: n, Key: key, Content: blinded.packed, Secret: snapshot.AccountKey,
	})
	if err != nil {
		return err
	}
	evaluated, proof, err := epoch.Key.BlindEvaluate(s.Rand, blinded.packed)
	if err != nil {
		return err
	}
	s.Metrics.evaluated(n, charge.Now)
	s.Usage.Add(epoch.ID, n)
	c.Response().Header().Set("Cache-Control", "no-store")
	if blinded.json {
		return c.JSON(http.StatusOK, evaluations{epoch.ID, splitText(evaluated, voprf.ElementSize), encoding.EncodeToString(proof[:])})
	}
	return c.Blob(http.StatusOK, mimePacked, append(evaluated, proof[:]...))
}

// splitText returns the values of a packed batch in base64url.
func splitText(packed []byte, size int) []string {
	out := make([]string, 0, len(packed)/size)
	for ; len(packed) > 0; packed = packed[size:] {
		out = append(out, encoding.EncodeToString(packed[:size]))
	}
	return out
}
