package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
	"pgregory.net/rapid"
)

// TestAuto picks by itself.
func TestAuto(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(s *fakeServer, o *client.Options)
		mode   client.Mode
		labels client.LabelPolicy
		err    error
	}{
		{"snapshot fits", func(*fakeServer, *client.Options) {}, client.ModeSnapshot, client.LabelsByBucket, nil},
		{"snapshot not offered", func(s *fakeServer, _ *client.Options) { s.modes = []string{"exact", "bucket"} }, client.ModeBucket, client.LabelsByBucket, nil},
		{"exact alone", func(s *fakeServer, _ *client.Options) { s.modes = []string{"exact"} }, "", "", client.ErrMode},
		{"exact alone and allowed", func(s *fakeServer, o *client.Options) {
			s.modes, o.MinPrivacy = []string{"exact"}, client.ModeExact
		}, client.ModeExact, client.LabelsByTag, nil},
		{"snapshot too large", func(s *fakeServer, _ *client.Options) { s.claimed = 3e6 }, client.ModeBucket, client.LabelsByBucket, nil},
		{"snapshot too large when metered", func(s *fakeServer, o *client.Options) {
			s.claimed, o.Metered = 6e5, true
		}, client.ModeBucket, client.LabelsByBucket, nil},
		{"snapshot larger than the directory said", func(s *fakeServer, o *client.Options) {
			e := s.epochs[0]
			for i := range 10_000 {
				e.wrong = append(e.wrong, crypto.Tag{byte(i), 8: byte(i >> 8), 9: byte(i)})
			}
			s.publish(e)
			e.wrong, s.claimed, o.Budget = nil, 100, 16_000
		}, client.ModeBucket, client.LabelsByBucket, nil},
		{"no budget", func(_ *fakeServer, o *client.Options) { o.Budget = -1 }, client.ModeSnapshot, client.LabelsByBucket, nil},
		{"by tag where buckets do not fit", func(s *fakeServer, o *client.Options) {
			s.modes, o.Labels, o.Budget = []string{"exact", "bucket"}, client.LabelsByTag, 5000
		}, client.ModeBucket, client.LabelsByTag, nil},
		{"by bucket where they do", func(_ *fakeServer, o *client.Options) { o.Labels = client.LabelsByTag }, client.ModeSnapshot, client.LabelsByBucket, nil},
		{"no budget worth the name", func(_ *fakeServer, o *client.Options) { o.Budget = 50 }, "", "", client.ErrBudget},
		{"bucket without figures", func(s *fakeServer, _ *client.Options) { s.slots = 0 }, "", "", client.ErrAnswer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeServer(t, map[string]string{"+14155550001": "one"})
			o := modeOptions(s, client.ModeAuto)
			tt.change(s, &o)
			result, err := newClient(t, o).Sync(t.Context(), client.Contacts(manyContacts(5)))
			if tt.err != nil {
				if !errors.Is(err, tt.err) || s.charged != 0 {
					t.Errorf("got error %v after %d charged, want %v before anything is", err, s.charged, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if result.Mode != tt.mode || result.Labels != tt.labels || result.Why == "" || result.Bytes == 0 {
				t.Errorf("got %+v, want %s, %s", result, tt.mode, tt.labels)
			}
			if len(result.Matches) != 1 || result.Deferred != 0 || strings.Contains(result.Why, "555") {
				t.Errorf("got %+v", result)
			}
		})
	}
}

// TestSpreadOverDays has a budget for some prefixes a day. It is never overdrawn, and in the end all is found.
func TestSpreadOverDays(t *testing.T) {
	for _, perDay := range []int64{9, 1 << 40} { // by the feed, and by asking again
		s := newFakeServer(t, map[string]string{"+14155550001": "one", "+14155550038": "38"})
		s.modes, s.perDay = []string{"exact", "bucket"}, perDay
		o := modeOptions(s, client.ModeAuto)
		o.Budget = 5500
		now, matches := fakeNow, 0
		perWindow := int64(0)
		deferred := 1
		for days := 0; deferred > 0; days++ {
			if days == 30 {
				t.Fatalf("%d still deferred after %d days", deferred, days)
			}
			perWindow = 0
			for range 3 { // more Syncs on one day change nothing
				result := syncAt(t, o, now, manyContacts(40))
				if result.Mode != client.ModeBucket || len(result.Matches) < matches {
					t.Errorf("day %d: got %+v", days, result)
				}
				perWindow += result.Bytes
				matches, deferred = len(result.Matches), result.Deferred
				if deferred > 0 {
					if !result.Next.After(now) {
						t.Errorf("day %d: next at %v, want after %v", days, result.Next, now)
					}
				} else if !result.Next.IsZero() {
					t.Errorf("day %d: next at %v although complete", days, result.Next)
				}
			}
			if perWindow > o.Budget {
				t.Errorf("day %d: %d bytes, want at most %d", days, perWindow, o.Budget)
			}
			now = now.Add(25 * time.Hour)
		}
		if matches != 2 || len(s.seen("matches")) != 0 {
			t.Errorf("got %d matches, want 2, and no tags sent", matches)
		}
	}
}

// TestAutoNeverSendsTags with the default MinPrivacy, whatever happens.
func TestAutoNeverSendsTags(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newFakeServer(t, map[string]string{"+14155550001": "one"})
		o := modeOptions(s, client.ModeAuto)
		s.modes = append([]string{"exact"}, rapid.SliceOfDistinct(rapid.SampledFrom([]string{"bucket", "snapshot"}), rapid.ID[string]).Draw(rt, "modes")...)
		s.perDay = rapid.SampledFrom([]int64{0, 900, 1 << 40}).Draw(rt, "changes a day")
		o.Budget = rapid.Int64Range(1, 20_000).Draw(rt, "budget")
		for day := range rapid.IntRange(1, 3).Draw(rt, "days") {
			c := newClient(t, o)
			c.SetNow(func() time.Time { return fakeNow.Add(time.Duration(day) * 26 * time.Hour) })
			result, err := c.Sync(t.Context(), client.Contacts(manyContacts(2)))
			if err == nil && (result.Mode == client.ModeExact || result.Bytes > o.Budget+500) { // a manifest is not foreseen to the byte
				rt.Errorf("got %+v", result)
			}
		}
		if len(s.seen("matches")) != 0 {
			rt.Error("tags were sent")
		}
	})
}

// TestDelay waits between evaluations and lookups, and only then.
func TestDelay(t *testing.T) {
	s := newFakeServer(t, nil)
	o := testOptions(s)
	var waits []time.Duration
	sync := func(delay time.Duration) {
		o.LookupDelay = delay
		c := newClient(t, o)
		c.SetSleep(func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil })
		c.SetJitter(func(limit time.Duration) time.Duration { return limit })
		if _, err := c.Sync(t.Context(), client.Contacts(manyContacts(len(s.requests)+1))); err != nil {
			t.Fatal(err)
		}
	}
	sync(0)
	sync(time.Minute)
	sync(-1)
	if want := []time.Duration{client.DefaultLookupDelay, time.Minute}; !slices.Equal(waits, want) {
		t.Errorf("got %v, want %v", waits, want)
	}
	waits = nil
	mustSync(t, o, manyContacts(1))
	if len(waits) != 0 {
		t.Errorf("waited %v without evaluations", waits)
	}
}

// TestFailedLookupsCount against the budget.
func TestFailedLookupsCount(t *testing.T) {
	s := newFakeServer(t, nil)
	s.modes = []string{"bucket"}
	o := modeOptions(s, client.ModeAuto)
	o.Budget = 20_000
	s.rewrite = func(_ http.ResponseWriter, path string, body []byte) []byte {
		if strings.HasSuffix(path, "buckets") {
			return body[1:]
		}
		return body
	}
	var err error
	for range 100 {
		if _, err = newClient(t, o).Sync(t.Context(), client.Contacts(manyContacts(40))); err == nil {
			break
		}
	}
	total := 0
	for _, r := range s.seen("buckets") {
		total += len(r.body) / 4 * (4 + 16*4)
	}
	if err != nil || int64(total) > o.Budget {
		t.Errorf("got error %v after %d bytes, want none once the budget of %d is used up", err, total, o.Budget)
	}
}
