package client

import (
	"fmt"
	"testing"
)

// TestEstimateCost has the figures of docs: address books of which a fifth is registered, and 0.1 % of all users joining
// or leaving a day.
func TestEstimateCost(t *testing.T) {
	for _, tt := range []struct {
		users    int64
		contacts int
		want     string // first and daily cost of exact, bucket and snapshot, labels included
	}{
		{100_000, 200, "7.3 KB 7.3 KB, 566.3 KB 900 bytes, 718.4 KB 900 bytes"},
		{100_000, 1000, "34.8 KB 34.8 KB, 2.3 MB 900 bytes, 2.2 MB 900 bytes"},
		{100_000, 5000, "173.9 KB 173.9 KB, 8.7 MB 900 bytes, 8.1 MB 900 bytes"},
		{10_000_000, 200, "7.3 KB 7.3 KB, 482.4 KB 90.0 KB, 23.0 MB 90.0 KB"},
		{10_000_000, 1000, "34.8 KB 34.8 KB, 2.0 MB 90.0 KB, 24.3 MB 90.0 KB"},
		{10_000_000, 5000, "173.9 KB 173.9 KB, 8.2 MB 90.0 KB, 29.2 MB 90.0 KB"},
		{1_000_000_000, 200, "7.3 KB 7.3 KB, 1.2 MB 207.0 KB, 2263.9 MB 9.0 MB"},
		{1_000_000_000, 1000, "34.8 KB 34.8 KB, 4.8 MB 946.2 KB, 2266.7 MB 9.0 MB"},
		{1_000_000_000, 5000, "173.9 KB 173.9 KB, 20.0 MB 4.7 MB, 2278.2 MB 9.0 MB"},
	} {
		f, c := FiguresFor(tt.users, tt.users/1000), Counts{Numbers: tt.contacts, Hits: tt.contacts / 5}
		got := ""
		for i, m := range []Mode{ModeExact, ModeBucket, ModeSnapshot} {
			cost := EstimateCost(m, LabelsByBucket, f, c)
			if i > 0 {
				got += ", "
			}
			got += fmt.Sprintf("%s %s", formatBytes(cost.First), formatBytes(cost.Daily))
		}
		if got != tt.want {
			t.Errorf("%d users, %d contacts: got %q, want %q", tt.users, tt.contacts, got, tt.want)
		}
	}
	if got := EstimateCost(ModeAuto, LabelsByBucket, FiguresFor(1000, 1), Counts{Numbers: 10}); got != (Cost{}) {
		t.Errorf("auto: got %+v, want zeros", got)
	}
}

func TestLabelsCost(t *testing.T) {
	f := FiguresFor(10_000_000, 0)
	for _, tt := range []struct {
		labels LabelPolicy
		hits   int
		want   int64
	}{
		{LabelsByBucket, 0, 0}, {LabelsNone, 100, 0}, {LabelsByBucket, 1, 8 * f.labelBucketCost()},
		{LabelsByBucket, 9, 16 * f.labelBucketCost()}, {LabelsByTag, 10, 10*16 + 10*92},
	} {
		if got := f.labelsCost(tt.labels, tt.hits); got != tt.want {
			t.Errorf("%s, %d hits: got %d, want %d", tt.labels, tt.hits, got, tt.want)
		}
	}
}

// TestFiguresFor: the figures are those that the server's own rules give.
func TestFiguresFor(t *testing.T) {
	for _, tt := range []struct {
		users int64
		want  Figures
	}{
		{0, Figures{0, 8, 3, 0, 0}},
		{1000, Figures{4, 112, 4, 2263, 0}},
		{100_000, Figures{11, 96, 4, 226250, 0}},
		{10_000_000, Figures{18, 80, 4, 22_625_000, 0}},
		{1_000_000_000, Figures{23, 184, 5, 2_262_500_000, 0}},
	} {
		if got := FiguresFor(tt.users, 0); got != tt.want {
			t.Errorf("%d users: got %+v, want %+v", tt.users, got, tt.want)
		}
	}
}

// TestCountAskedIsWhatIsPaidFor holds the counts to the bytes of EstimateCost.
func TestCountAskedIsWhatIsPaidFor(t *testing.T) {
	for _, users := range []int64{1_000, 1_000_000, 2_000_000_000} {
		f := FiguresFor(users, 0)
		for _, c := range []Counts{{Numbers: 1}, {Numbers: 500, Hits: 150}, {Numbers: 5000, Hits: 5000}} {
			for _, mode := range []Mode{ModeExact, ModeBucket, ModeSnapshot} {
				for _, labels := range []LabelPolicy{LabelsByBucket, LabelsByTag, LabelsNone} {
					a := CountAsked(mode, labels, f, c)
					got := int64(a.Tags)*16 + int64(a.Prefixes)*f.bucketCost() + int64(a.LabelPrefixes)*f.labelBucketCost()
					switch {
					case mode == ModeSnapshot:
						got += f.SnapshotBytes + f.manifestCost()
					}
					if mode == ModeExact || labels == LabelsByTag {
						got += int64(c.Hits) * matchSize
					}
					if want := EstimateCost(mode, labels, f, c).First; got != want {
						t.Errorf("%d users, %+v, %v, %v: %+v is %d bytes, the cost is %d", users, c, mode, labels, a, got, want)
					}
				}
			}
		}
	}
}
