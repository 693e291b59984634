package admission

import (
	"math"
	"time"
)

const (
	// window is how long is measured before the rate is changed.
	window = 100 * time.Millisecond
	// memory is how long a rate that was measured counts for as much as all since.
	memory = 500 * time.Millisecond
	// minRate keeps the time that anything takes finite.
	minRate = 1
)

// meter measures how many elements a second are done while requests wait: otherwise workers are idle, and what is done says
// nothing about what could be. It is not safe for concurrent use.
type meter struct {
	rate float64 // elements a second

	last     time.Time // when the last request ended; zero if none waited then
	measured time.Duration
	elements int // that ended in it
}

// done counts a request that has ended while others waited. Time is counted from the end of one to the end of another.
func (m *meter) done(elements int, now time.Time) {
	if !m.last.IsZero() {
		m.measured += now.Sub(m.last)
		m.elements += elements
	}
	m.last = now
	if m.measured < window {
		return
	}
	sample := float64(m.elements) / m.measured.Seconds()
	weight := float64(m.measured) / float64(m.measured+memory)
	m.rate = max(m.rate+weight*(sample-m.rate), minRate)
	m.measured, m.elements = 0, 0
}

// pause says that nothing waits any more.
func (m *meter) pause() { m.last = time.Time{} }

// in returns how many elements are done in a time.
func (m *meter) in(d time.Duration) int {
	return int(min(m.rate*d.Seconds(), math.MaxInt32))
}

// timeFor returns how long so many elements take, to the millisecond above.
func (m *meter) timeFor(elements int) time.Duration {
	ms := math.Ceil(float64(elements) / m.rate * 1000)
	return time.Duration(min(ms, math.MaxInt32)) * time.Millisecond
}

// exactly returns how long so many elements take.
func (m *meter) exactly(elements int) time.Duration {
	return time.Duration(min(float64(elements)/m.rate, math.MaxInt32) * float64(time.Second))
}
