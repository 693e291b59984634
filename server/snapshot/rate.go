package snapshot

import "time"

const (
	day = 24 * time.Hour
	// youngest is the age below which a feed is not taken for younger: a minute's burst is not multiplied by 1440.
	youngest = time.Hour
)

// rate measures how many bytes a feed grows by in a day, in windows of one day.
type rate struct {
	day    int64 // when the window began, ms since 1970
	bytes  int64 // since then
	before int64 // in the window before, -1 if there was none
}

func newRate(now time.Time) rate {
	return rate{day: now.UnixMilli(), before: -1}
}

// at returns the rate with the window that now is in.
func (r rate) at(now time.Time) rate {
	passed := (now.UnixMilli() - r.day) / day.Milliseconds()
	switch {
	case passed <= 0:
		return r
	case passed == 1:
		r.before = r.bytes
	default:
		r.before = 0 // the window before now's was empty
	}
	r.day += passed * day.Milliseconds()
	r.bytes = 0
	return r
}

// add returns the rate after n more bytes.
func (r rate) add(now time.Time, n int) rate {
	r = r.at(now)
	r.bytes += int64(n)
	return r
}

// perDay returns the bytes of the last 24 hours, taking those of the window before as evenly spread. In the first window
// it extrapolates from what there is, as if that had taken an hour at least.
func (r rate) perDay(now time.Time) int64 {
	r = r.at(now)
	passed := max(now.UnixMilli()-r.day, 0)
	if r.before < 0 {
		share := float64(max(passed, youngest.Milliseconds())) / float64(day.Milliseconds())
		return int64(float64(r.bytes) / share)
	}
	left := 1 - float64(passed)/float64(day.Milliseconds())
	return r.bytes + int64(float64(r.before)*left)
}
