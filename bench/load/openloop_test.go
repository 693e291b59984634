package load

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// stalled answers at once that there is nothing, but for a while in which it does not answer.
type stalled struct {
	from, to time.Time
	asked    atomic.Int64
}

func (s *stalled) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	if now := time.Now(); !now.Before(s.from) && now.Before(s.to) {
		if err := pause(r.Context(), s.to.Sub(now)); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/problem+json"}},
		Body: io.NopCloser(strings.NewReader(`{"code":"not-found"}`)), Request: r,
	}, nil
}

// newTestGenerator has devices that ask a server for its directory, and get no further.
func newTestGenerator(via http.RoundTripper, rate float64, duration time.Duration) *generator {
	g := &generator{
		Config: Config{
			Server: "http://kith.test", Devices: via, Lookups: via, AccountService: via, Books: DefaultBooks, Modes: Modes{Bucket: 1}, Users: 10, Pool: 20,
			Shape: Shape{Profile: Steady, Rate: rate, Duration: duration}, MaxUnderWay: 100_000, Drain: time.Minute, Seed: 1,
		},
		name: "test", checks: new(checks), epoch: &served{maxElements: 1},
	}
	g.makeRegistrations()
	g.newPool()
	return g
}

// TestStallIsMeasuredByAll stalls a server for two of ten seconds. All who would have come meanwhile do come, and wait until its
// end: a fifth of all requests take up to two seconds, evenly. A generator that waits for answers would have had one slow request.
func TestStallIsMeasuredByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		server := &stalled{from: began.Add(4 * time.Second), to: began.Add(6 * time.Second)}
		g := newTestGenerator(server, 500, 10*time.Second)
		g.record = newRecorder(began, g.Shape.Duration)
		working, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		var visits sync.WaitGroup
		if err := g.dispatch(t.Context(), working, began, &visits); err != nil {
			t.Fatal(err)
		}
		visits.Wait()
		offered, late := int(g.offered.Load()), g.record.late.Max()
		if want := g.Shape.Expected(); float64(offered) < 0.9*want || float64(offered) > 1.1*want {
			t.Errorf("%d arrivals, want about %.0f", offered, want)
		}
		if late > 1000 {
			t.Errorf("an arrival was %d µs late, though no answer is waited for", late)
		}
		// A tenth of all came in its first second, and so waited for more than another.
		times, slow := g.record.kinds[KindDirectory].times, int64(0)
		for _, bar := range times.Distribution() {
			if bar.From >= 1_000_000 {
				slow += bar.Count
			}
		}
		if share := float64(slow) / float64(times.TotalCount()); share < 0.08 || share > 0.12 {
			t.Errorf("%.3f of %d requests took more than a second, want a tenth", share, times.TotalCount())
		}
		// The windows of the stall have as many arrivals as the others.
		for _, w := range g.record.windows[16:24] {
			if float64(w.offered) < 0.6*500*g.record.window.Seconds() {
				t.Errorf("%d arrivals in a window of the stall, want about %.0f", w.offered, 500*g.record.window.Seconds())
			}
		}
	})
}

// TestFirstRequestCountsFromTheSchedule sends a device's first request two seconds late: that is part of its time, and not of the
// next one's.
func TestFirstRequestCountsFromTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		g := newTestGenerator(answering{}, 1, time.Minute)
		g.record = newRecorder(began, time.Minute)
		time.Sleep(3 * time.Second)
		v := g.newVisit(1, began.Add(time.Second))
		for _, kind := range []Kind{KindDirectory, KindKeyLog} {
			if _, err := v.call(t.Context(), request{kind: kind, method: http.MethodGet, url: "http://kith.test/", accept: typeJSON}); err != nil {
				t.Fatal(err)
			}
		}
		first, second := g.record.kinds[KindDirectory].times.Max(), g.record.kinds[KindKeyLog].times.Max()
		if first < 2_000_000 || first > 2_010_000 || second > 1000 {
			t.Errorf("got %d and %d µs, want two seconds and next to nothing", first, second)
		}
	})
}

// answering answers everything at once.
type answering struct{}

func (answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {typeJSON}}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// TestTooManyUnderWay does not begin arrivals beyond the bound, and counts them as failed after the longest time a device waits.
func TestTooManyUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		g := newTestGenerator(&stalled{from: began, to: began.Add(time.Hour)}, 100, 5*time.Second)
		g.MaxUnderWay = 50
		g.record = newRecorder(began, g.Shape.Duration)
		working, stop := context.WithTimeout(t.Context(), 6*time.Second)
		defer stop()
		var visits sync.WaitGroup
		if err := g.dispatch(t.Context(), working, began, &visits); err != nil {
			t.Fatal(err)
		}
		visits.Wait()
		offered := int(g.offered.Load())
		if refused := g.record.errors[KindDirectory][reasonNotBegun]; refused != offered-50 {
			t.Errorf("%d of %d were not begun, want all but 50", refused, offered)
		}
		if p99 := g.record.kinds[KindAll].times.ValueAtQuantile(99); p99 < requestTimeout.Microseconds()*99/100 {
			t.Errorf("99 %% took %d µs: those that were not begun are left out", p99)
		}
	})
}

// TestModel asks the model for what an answer must say, at each moment of a registration and a removal.
func TestModel(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(1000+seconds), 0) }
	set := func(r *registration, moments ...int) {
		for i, to := range []*atomic.Int64{&r.joinSent, &r.joinAcknowledged, &r.leaveSent, &r.leaveAcknowledged} {
			if i < len(moments) {
				to.Store(at(moments[i]).UnixNano())
			}
		}
	}
	for _, tt := range []struct {
		moments        []int // registration sent, acknowledged, removal sent, acknowledged
		from, to, late int
		want           expectation
	}{
		{nil, 0, 1, 0, absent},
		{[]int{10}, 0, 5, 0, absent},
		{[]int{10}, 0, 15, 0, uncertain},
		{[]int{10, 20}, 15, 25, 0, uncertain},
		{[]int{10, 20}, 21, 25, 0, registered},
		{[]int{10, 20}, 21, 25, 2, uncertain}, // the memory of another server may be late
		{[]int{10, 20}, 23, 25, 2, registered},
		{[]int{10, 20, 30}, 21, 29, 0, registered},
		{[]int{10, 20, 30}, 21, 31, 0, uncertain},
		{[]int{10, 20, 30, 40}, 35, 45, 0, uncertain},
		{[]int{10, 20, 30, 40}, 41, 45, 0, absent},
		{[]int{10, 20, 30, 40}, 41, 45, 2, uncertain},
	} {
		r := new(registration)
		set(r, tt.moments...)
		if got := r.expect(at(tt.from), at(tt.to), time.Duration(tt.late)*time.Second); got != tt.want {
			t.Errorf("%v, asked from %d to %d: got %d, want %d", tt.moments, tt.from, tt.to, got, tt.want)
		}
	}
}
