package server

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/server/keyring"
)

// epochOf returns the epoch that a request names and the keyring it was found in. An epoch that devices may not use yet
// is unknown to them, and one that they may not use any more is retired.
func (s *Server) epochOf(c echo.Context) (*keyring.Epoch, *keyring.Snapshot, error) {
	id, err := strconv.ParseUint(c.Param("epoch"), 10, 32)
	if err != nil {
		return nil, nil, keyring.ErrUnknownEpoch
	}
	epoch, snapshot, err := s.Keyring.Epoch(c.Request().Context(), uint32(id))
	switch {
	case err != nil:
		return nil, nil, err
	case epoch.Served():
		return epoch, snapshot, nil
	case epoch.State == keyring.StateRetired:
		return nil, nil, refuse(kindEpochRetired, "")
	default:
		return nil, nil, keyring.ErrUnknownEpoch
	}
}
