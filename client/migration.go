package client

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// migration is the window in which devices move to the active epoch, each at a moment that it has drawn, so that they do not
// all come at once.
type migration struct {
	From   uint32 `json:"from"`
	To     uint32 `json:"to"`
	Begins int64  `json:"begins"` // in seconds since 1970, as is Ends
	Ends   int64  `json:"ends"`
}

// valid reports whether the window does not end before it begins.
func (m *migration) valid() bool { return 0 <= m.Begins && m.Begins <= m.Ends }

// lot is the part of a window that a device waits, in units of 2^-32 of the window. It is drawn once for each epoch: with
// a new one in each Sync, devices that sync often would all move early. Zero stands for none.
type lot uint32

// drawLot returns a lot, or the reader's error.
func drawLot(random io.Reader) (lot, error) {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0, fmt.Errorf("client: reading randomness: %w", err)
	}
	return max(lot(binary.BigEndian.Uint32(b[:])), 1), nil
}

// moment is when a device with that lot moves.
func (m *migration) moment(l lot) time.Time {
	part := float64(l) / (1 << 32)
	return time.Unix(m.Begins+int64(part*float64(m.Ends-m.Begins)), 0)
}
