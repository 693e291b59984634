package usage

import (
	"sync"
	"time"
)

// DefaultCeiling is how many elements may be evaluated under one key before it is to be rotated, where nothing else is
// configured: 2^40, over 30 years of a thousand elements a second.
const DefaultCeiling = 1 << 40

// warnEvery is how often one epoch is warned of.
const warnEvery = time.Hour

// Level says how much of a ceiling has been used.
type Level int

// The levels, ascending.
const (
	Below Level = iota // less than three quarters
	Near               // from three quarters on
	Above              // from the ceiling on
)

// LevelOf returns how much of a ceiling a total is.
func LevelOf(total, ceiling int64) Level {
	switch {
	case total >= ceiling:
		return Above
	case total >= ceiling-ceiling/4:
		return Near
	default:
		return Below
	}
}

// Warner says when a log is to have a warning of an epoch: once an hour, and at once when its level has risen. The zero
// value is ready for use.
type Warner struct {
	mu     sync.Mutex
	warned map[uint32]warning
}

// warning is the last one of an epoch.
type warning struct {
	level Level
	at    time.Time
}

// Due reports whether there is to be a warning of an epoch now.
func (w *Warner) Due(epoch uint32, level Level, now time.Time) bool {
	if level == Below {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.warned[epoch]
	if level <= last.level && now.Sub(last.at) < warnEvery {
		return false
	}
	if w.warned == nil {
		w.warned = make(map[uint32]warning)
	}
	w.warned[epoch] = warning{level, now}
	return true
}
