//go:build !linux

package meter

import (
	"errors"
	"time"
)

// Process returns errors.ErrUnsupported: this system has no such clock.
func Process(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
