package server

import (
	"encoding/json"

	"github.com/labstack/echo/v4"

	"github.com/kith-project/kith/server/keyring"
)

// getKeyLog answers GET /v1/keylog: the whole key log with its signed checkpoint.
func (s *Server) getKeyLog(c echo.Context) error {
	snapshot, err := s.Keyring.Current()
	if err != nil {
		return err
	}
	body, err := json.Marshal(snapshot.Log)
	if err != nil {
		return err
	}
	return answerCached(c, body)
}

// keyLogInfo is what the directory says of the key log.
type keyLogInfo struct {
	VerifierKey string `json:"verifier_key"`
	Size        int    `json:"size"` // entries
}

// keyLogInfoOf returns what the directory says of the key log, or nil for a keyring that has none.
func keyLogInfoOf(snapshot *keyring.Snapshot) *keyLogInfo {
	key := snapshot.VerifierKey()
	if key == "" {
		return nil
	}
	return &keyLogInfo{VerifierKey: key, Size: len(snapshot.Log.Entries)}
}

// migrationInfo tells devices to move to another epoch at a moment of their own choice.
type migrationInfo struct {
	From   uint32 `json:"from"`
	To     uint32 `json:"to"`
	Begins int64  `json:"begins"` // Unix seconds
	Ends   int64  `json:"ends"`
}

// migrationOf returns the migration that is under way, or nil: one is while an epoch drains, also when its window is over,
// for devices that were away.
func migrationOf(snapshot *keyring.Snapshot) *migrationInfo {
	active := snapshot.Active()
	if active == nil {
		return nil
	}
	from := uint32(0)
	for _, e := range snapshot.Epochs {
		if e.State == keyring.StateDraining {
			from = e.ID // the last one: ids ascend
		}
	}
	if from == 0 {
		return nil
	}
	return &migrationInfo{From: from, To: active.ID, Begins: active.Activated.Unix(), Ends: active.Activated.Add(active.Window).Unix()}
}
