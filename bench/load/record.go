package load

import (
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// longest is what longer times are recorded as.
	longest = time.Hour
	// digits is how many decimal digits of a time are kept.
	digits = 3
)

// outcome is a request or a sync that has ended.
type outcome struct {
	kind        Kind
	origin, end time.Time // since when its time counts, and when it ended
	tries       int
	refused     int    // tries that were answered 429 or 503
	reason      string // why it failed, or ""
}

// recorder holds what was measured. It may be used concurrently.
type recorder struct {
	began  time.Time
	window time.Duration

	mu      sync.Mutex
	kinds   map[Kind]*series
	errors  map[Kind]map[string]int
	windows []windowCount
	late    *hdr.Histogram // of the generator
}

// series is what was measured of one kind.
type series struct {
	times                   *hdr.Histogram // µs
	failed, tries, refusals int
}

// windowCount is what happened in one part of the run.
type windowCount struct {
	offered, begun, ended, failed, requests int
	times                                   *hdr.Histogram // µs, of requests whose time began to count in it
}

func newRecorder(began time.Time, duration time.Duration) *recorder {
	r := &recorder{
		began: began, window: windowFor(duration), kinds: make(map[Kind]*series), errors: make(map[Kind]map[string]int),
		late: newHistogram(digits),
	}
	for _, kind := range allKinds {
		r.kinds[kind] = &series{times: newHistogram(digits)}
	}
	return r
}

func newHistogram(digits int) *hdr.Histogram { return hdr.New(1, longest.Microseconds(), digits) }

// windowFor divides a run into some 40 parts of at least a quarter of a second.
func windowFor(duration time.Duration) time.Duration {
	return max(duration/40, 250*time.Millisecond).Round(time.Millisecond)
}

// record adds a time to a histogram, which has room for times up to longest.
func record(h *hdr.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d, time.Microsecond), longest).Microseconds()) // within its bounds
}

// at returns the window of a moment. It is to be called with the lock held.
func (r *recorder) at(moment time.Time) *windowCount {
	n := max(int(moment.Sub(r.began)/r.window), 0)
	for len(r.windows) <= n {
		r.windows = append(r.windows, windowCount{times: newHistogram(2)})
	}
	return &r.windows[n]
}

// arrived notes an arrival, and how late the generator was for it.
func (r *recorder) arrived(scheduled time.Time, late time.Duration, begun bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record(r.late, late)
	w := r.at(scheduled)
	w.offered++
	if begun {
		w.begun++
	}
}

// visited notes that a sync or a registration has ended.
func (r *recorder) visited(end time.Time, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.at(end)
	w.ended++
	if failed {
		w.failed++
	}
}

// add records a request or a sync. A request counts among all, too; what was not begun is no request.
func (r *recorder) add(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addTo(o.kind, o)
	if o.kind == KindFirstSync || o.kind == KindDailySync {
		return
	}
	r.addTo(KindAll, o)
	record(r.at(o.origin).times, o.end.Sub(o.origin))
	r.at(o.end).requests++
}

func (r *recorder) addTo(kind Kind, o outcome) {
	s := r.kinds[kind]
	record(s.times, o.end.Sub(o.origin))
	s.tries += o.tries
	s.refusals += o.refused
	if o.reason == "" {
		return
	}
	s.failed++
	if r.errors[kind] == nil {
		r.errors[kind] = make(map[string]int)
	}
	r.errors[kind][o.reason]++
}

// live returns how many requests were answered, how many of them failed, and the 99th percentile of all.
func (r *recorder) live() (requests, failed int, p99 time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.kinds[KindAll]
	return int(s.times.TotalCount()), s.failed, time.Duration(s.times.ValueAtQuantile(99)) * time.Microsecond
}
