package client_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
)

// TestLabelDecoys: labels are asked for in classes of counts, which hold the hits; in mode bucket the decoys are prefixes that
// the server has seen already.
func TestLabelDecoys(t *testing.T) {
	for _, m := range []client.Mode{client.ModeBucket, client.ModeSnapshot} {
		for _, tt := range []struct{ hits, want int }{{1, 8}, {8, 8}, {9, 16}} {
			s := newFakeServer(t, nil)
			for i := range tt.hits {
				s.join(fmt.Sprintf("+1415555%04d", i), "x")
			}
			s.publish(s.epochs[0])
			mustSync(t, modeOptions(s, m), manyContacts(25))
			labelled, asked := askedPrefixes(labelRequests(s)), askedPrefixes(bucketRequests(s))
			if len(labelled) != tt.want {
				t.Errorf("%s, %d hits: labels of %d prefixes, want %d", m, tt.hits, len(labelled), tt.want)
			}
			for i := range tt.hits {
				tag, _ := s.seal(s.epochs[0], fmt.Sprintf("+1415555%04d", i), "")
				if !labelled[tag.Prefix(fakeBits)] {
					t.Errorf("%s, %d hits: that of a hit is missing", m, tt.hits)
				}
			}
			for p := range labelled {
				if m == client.ModeBucket && !asked[p] {
					t.Errorf("%s, %d hits: a decoy that was not asked before", m, tt.hits)
				}
			}
		}
	}
}

// TestLabelsAreFetchedOnce, and again when the app wants it or they are 30 days old, by the same prefixes.
func TestLabelsAreFetchedOnce(t *testing.T) {
	for _, m := range []client.Mode{client.ModeBucket, client.ModeSnapshot} {
		s := newFakeServer(t, map[string]string{"+14155550001": "old"})
		o := modeOptions(s, m)
		mustSync(t, o, manyContacts(4))
		first := askedPrefixes(labelRequests(s))
		tag, sealed := s.seal(s.epochs[0], "+14155550001", "new")
		s.epochs[0].labels[tag] = sealed
		for _, step := range []struct {
			name    string
			after   time.Duration
			refresh bool
			want    string
			fetched bool
		}{
			{"soon", time.Hour, false, "old", false},
			{"29 days later", 29 * 24 * time.Hour, false, "old", false},
			{"31 days later", 31 * 24 * time.Hour, false, "new", true},
			{"an hour after that", 31*24*time.Hour + time.Hour, false, "new", false},
			{"by the app", 31*24*time.Hour + 2*time.Hour, true, "new", true},
			{"and not twice", 31*24*time.Hour + 2*time.Hour, false, "new", false},
		} {
			s.requests = nil
			c := newClient(t, o)
			c.SetNow(func() time.Time { return fakeNow.Add(step.after) })
			if step.refresh {
				c.RefreshLabels()
			}
			result, err := c.Sync(t.Context(), client.Contacts(manyContacts(4)))
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Matches) != 1 || result.Matches[0].Label != step.want {
				t.Errorf("%s, %s: got %v, want label %s", m, step.name, found(result), step.want)
			}
			again := askedPrefixes(labelRequests(s))
			if step.fetched != (len(again) > 0) || step.fetched && !maps.Equal(again, first) {
				t.Errorf("%s, %s: labels of %d prefixes, fetched %v", m, step.name, len(again), step.fetched)
			}
		}
	}
}

// TestLabelsByTag pads the tags of hits to a class.
func TestLabelsByTag(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550001": "one"})
	o := modeOptions(s, client.ModeBucket)
	o.Labels = client.LabelsByTag
	for range 2 {
		if result := mustSync(t, o, manyContacts(4)); len(result.Matches) != 1 || result.Labels != client.LabelsByTag {
			t.Errorf("got %+v", result)
		}
	}
	if sent := s.seen("matches"); len(sent) != 1 || len(sent[0].body) != 4*16 {
		t.Errorf("got %d requests, want one of 4 tags", len(sent))
	}
}
