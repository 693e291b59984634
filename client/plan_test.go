package client

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestChoose(t *testing.T) {
	all := []Mode{ModeSnapshot, ModeBucket, ModeExact}
	small, middle, large := FiguresFor(100_000, 100), FiguresFor(10_000_000, 10_000), FiguresFor(1_000_000_000, 1_000_000)
	for _, tt := range []struct {
		name string
		s    situation
		want Mode
		why  string // in the sentence
		err  error
		wait bool
	}{
		{"small directory", situation{figures: small, new: 1000, missing: 226_000}, ModeSnapshot, "takes 226.0 KB and lookups may cost 2.0 MB more", nil, false},
		{"no budget", situation{figures: middle, left: unlimited, budget: unlimited, missing: 23e6}, ModeSnapshot, "no budget is set", nil, false},
		{"snapshot too large", situation{figures: middle, new: 1000, missing: 23e6}, ModeBucket, "the snapshot takes 23.0 MB", nil, false},
		{"anonymity", situation{figures: middle, new: 1000, missing: 23e6}, ModeBucket, "about 38,000 numbers", nil, false},
		{"snapshot in the cache", situation{figures: middle, missing: 30_000}, ModeSnapshot, "", nil, false},
		{"no snapshot", situation{offered: all[1:], figures: middle, new: 1000}, ModeBucket, "no snapshot", nil, false},
		{"spread", situation{figures: large, new: 50_000, missing: 23e8}, ModeBucket, "spread over several days", nil, false},
		{"spread, although exact is offered", situation{figures: large, new: 10_000, numbers: 10_000, missing: 23e8}, ModeBucket, "", nil, false},
		{"exact before spreading", situation{figures: large, new: 10_000, numbers: 10_000, missing: 23e8, minPrivacy: ModeExact}, ModeExact, "the operator can", nil, false},
		{"bucket before exact", situation{figures: large, new: 1000, numbers: 1000, missing: 23e8, minPrivacy: ModeExact}, ModeBucket, "", nil, false},
		{"nothing left", situation{figures: large, new: 1000, missing: 23e8, left: 100}, ModeBucket, "not even one bucket", nil, false},
		{"budget below a bucket", situation{figures: large, new: 1000, missing: 23e8, left: 100, budget: 100}, "", "", ErrBudget, false},
		{"budget below a bucket with labels", situation{figures: large, new: 1000, missing: 23e8, left: 500, budget: 500}, "", "", ErrBudget, false},
		{"no labels", situation{figures: large, new: 1000, missing: 23e8, left: 1000, budget: 1000, labels: LabelsNone}, ModeBucket, "", nil, false},
		{"snapshot or nothing, later", situation{figures: small, missing: 226_000, left: 1000, minPrivacy: ModeSnapshot}, ModeSnapshot, "Nothing was looked up", nil, true},
		{"snapshot or nothing, never", situation{figures: middle, missing: 23e6, minPrivacy: ModeSnapshot}, "", "", ErrBudget, false},
		{"exact alone, later", situation{offered: all[2:], figures: middle, numbers: 1000, left: 1000, minPrivacy: ModeExact}, ModeExact, "", nil, true},
		{"exact alone, not allowed", situation{offered: all[2:], figures: middle, numbers: 1000}, "", "", ErrMode, false},
		{"nothing new", situation{figures: middle, missing: 23e6, left: 0}, ModeBucket, "", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.s
			if s.offered == nil {
				s.offered = all
			}
			if s.minPrivacy == "" {
				s.minPrivacy = ModeBucket
			}
			if s.labels == "" {
				s.labels = LabelsByBucket
			}
			if s.budget == 0 {
				s.budget = DefaultBudget
			}
			if s.left == 0 && tt.name != "nothing new" {
				s.left = s.budget
			}
			got, err := s.choose()
			if got.mode != tt.want || got.wait != tt.wait || !errors.Is(err, tt.err) || !strings.Contains(got.why, tt.why) {
				t.Errorf("got %+v and %v, want %s, %v, with %q", got, err, tt.want, tt.err, tt.why)
			}
		})
	}
}

// TestMinPrivacyIsNeverUndercut, whatever the figures and the budget are.
func TestMinPrivacyIsNeverUndercut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 1e10)
		s := situation{
			offered:    rapid.SliceOfDistinct(rapid.SampledFrom(byPrivacy), rapid.ID[Mode]).Draw(t, "offered"),
			minPrivacy: rapid.SampledFrom(byPrivacy).Draw(t, "least"),
			labels:     rapid.SampledFrom([]LabelPolicy{LabelsByBucket, LabelsByTag, LabelsNone}).Draw(t, "labels"),
			figures:    FiguresFor(amount.Draw(t, "users"), amount.Draw(t, "changes")),
			left:       amount.Draw(t, "left"), news: amount.Draw(t, "news"), missing: amount.Draw(t, "missing"),
			numbers: rapid.IntRange(0, 1e5).Draw(t, "numbers"), new: rapid.IntRange(0, 1e5).Draw(t, "new"),
		}
		s.budget = s.left + amount.Draw(t, "spent")
		c, err := s.choose()
		if err != nil {
			return
		}
		if !c.mode.atLeast(s.minPrivacy) || !slices.Contains(s.offered, c.mode) || c.why == "" {
			t.Errorf("got %+v", c)
		}
	})
}
