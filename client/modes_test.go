package client_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"pgregory.net/rapid"
)

// lookupModes are the modes of which each test of all modes makes a client.
var lookupModes = []client.Mode{client.ModeExact, client.ModeBucket, client.ModeSnapshot}

// modeOptions are testOptions for a mode.
func modeOptions(s *fakeServer, m client.Mode) client.Options {
	o := testOptions(s)
	o.Mode, o.Cache = m, client.MemoryCache()
	return o
}

// found returns the numbers and labels of a result.
func found(r *client.Result) []string {
	var matches []string
	for _, m := range r.Matches {
		matches = append(matches, m.Number+" "+m.Label)
	}
	return matches
}

// syncAt is mustSync at a time.
func syncAt(t testing.TB, o client.Options, at time.Time, contacts []normalize.Contact) *client.Result {
	t.Helper()
	c := newClient(t, o)
	c.SetNow(func() time.Time { return at })
	result, err := c.Sync(t.Context(), client.Contacts(contacts))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestModesAgree lets people join and leave, contacts come and go, the server publish, trim and raise its slots, and Syncs be
// interrupted. Afterwards each mode finds exactly those who are registered and in the address book. All numbers were
// evaluated before, so that the interruptions are those of lookups. Some numbers have false positives: they do not leave, since
// one that was confirmed and then leaves is shown until its label is due again, as the package comment says.
func TestModesAgree(t *testing.T) {
	evaluated := testOptions(newFakeServer(t, nil))
	mustSync(t, evaluated, manyContacts(8))
	rapid.Check(t, func(rt *rapid.T) {
		s := newFakeServer(t, nil)
		s.maxPrefixes, s.maxLabels, s.maxTags = 5, 3, 4
		e := s.epochs[0]
		var all []*interrupter
		for range lookupModes {
			all = append(all, &interrupter{StateStore: copyState(t, evaluated.State), cache: client.MemoryCache(), server: s})
		}
		registered, book := make(map[int]bool), make(map[int]bool)
		joined, wrong := make(map[int]bool), make(map[int]bool)
		number := func(i int) string { return fmt.Sprintf("+1415555%04d", i) }
		label := func(i int) string { return fmt.Sprint("label ", i) }
		who := rapid.IntRange(0, 7)
		now := fakeNow
		for range rapid.IntRange(1, 25).Draw(rt, "operations") {
			i := who.Draw(rt, "who")
			switch rapid.IntRange(0, 9).Draw(rt, "operation") {
			case 0, 1:
				s.join(number(i), label(i))
				registered[i], joined[i] = true, true
			case 2:
				if wrong[i] {
					continue
				}
				s.leave(number(i))
				delete(registered, i)
			case 3, 4:
				book[i] = true
			case 5:
				delete(book, i)
			case 6:
				s.publish(e)
				e.trimmed = rapid.IntRange(e.trimmed, len(e.changes)).Draw(rt, "trimmed")
			case 7:
				if joined[i] {
					continue
				}
				wrong[i] = true
				tag, _ := s.seal(e, number(i), "")
				e.wrong = append(e.wrong, tag)
				s.slots = max(s.slots, 24+len(e.wrong))
			case 8:
				s.perDay = rapid.SampledFrom([]int64{900, 1 << 40}).Draw(rt, "changes a day")
				now = now.Add(time.Hour)
			case 9:
				for at, m := range lookupModes {
					way, point := rapid.SampledFrom(interruptions).Draw(rt, "way"), rapid.IntRange(0, 60).Draw(rt, "point")
					all[at].syncBook(t, m, way, point, now, bookOf(book, number))
				}
			}
		}
		var want []string
		for i := range 8 {
			if registered[i] && book[i] {
				want = append(want, number(i)+" "+label(i))
			}
		}
		for at, m := range lookupModes {
			result, interrupted := all[at].syncBook(t, m, "", -2, now, bookOf(book, number))
			if result == nil {
				rt.Fatalf("%s: the Sync failed: %v", m, interrupted)
			}
			if got := found(result); !slices.Equal(got, want) {
				rt.Errorf("%s: got %v, want %v", m, got, want)
			}
			if result.Deferred != 0 || !result.Next.IsZero() {
				rt.Errorf("%s: %d deferred without a budget", m, result.Deferred)
			}
		}
	})
}

func bookOf(members map[int]bool, number func(int) string) []normalize.Contact {
	var contacts []normalize.Contact
	for i := range 8 {
		if members[i] {
			contacts = append(contacts, contact(fmt.Sprint("Person ", i), number(i)))
		}
	}
	return contacts
}

// TestLookupsTellNothing looks at every request of lookups in all modes: no credential, and in the modes bucket and snapshot
// no tag, and no prefix in mode snapshot without labels.
func TestLookupsTellNothing(t *testing.T) {
	for _, m := range lookupModes {
		for _, labels := range []client.LabelPolicy{client.LabelsByBucket, client.LabelsByTag, client.LabelsNone} {
			s := newFakeServer(t, map[string]string{"+14155550000": "zero", "+14155550001": "one"})
			o := modeOptions(s, m)
			o.Labels = labels
			result := mustSync(t, o, manyContacts(6))
			if len(result.Matches) != 2 || result.Mode != m {
				t.Errorf("%s, %s: got %+v", m, labels, result)
			}
			routes := make(map[string]bool)
			for _, r := range s.requests {
				if strings.Contains(r.path, "evaluations") {
					continue
				}
				routes[r.path[strings.LastIndex(r.path, "/")+1:]] = true
				if r.header.Get("Authorization") != "" || r.header.Get("Cookie") != "" || r.header.Get("Idempotency-Key") != "" {
					t.Errorf("%s, %s: %s has a credential", m, labels, r.path)
				}
			}
			if wantTags := m == client.ModeExact || labels == client.LabelsByTag; routes["matches"] != wantTags {
				t.Errorf("%s, %s: tags sent: %v, want %v", m, labels, routes["matches"], wantTags)
			}
			wantBuckets := m == client.ModeBucket || m == client.ModeSnapshot && labels == client.LabelsByBucket
			if routes["buckets"] != wantBuckets {
				t.Errorf("%s, %s: prefixes sent: %v, want %v", m, labels, routes["buckets"], wantBuckets)
			}
		}
	}
}

// TestUnconfirmedHits has the tag of a contact in all answers although it is not registered, and lets it register.
func TestUnconfirmedHits(t *testing.T) {
	for _, m := range []client.Mode{client.ModeBucket, client.ModeSnapshot} {
		for _, perDay := range []int64{900, 1 << 40} { // by the feed, and by asking again
			s := newFakeServer(t, nil)
			s.perDay, s.slots = perDay, 24
			e := s.epochs[0]
			tag, _ := s.seal(e, "+14155550002", "")
			e.wrong = []crypto.Tag{tag}
			s.publish(e)
			o := modeOptions(s, m)
			for try := range 3 {
				result := syncAt(t, o, fakeNow.Add(time.Duration(try)*time.Hour), manyContacts(6))
				if len(result.Matches) != 0 || result.Unconfirmed != 1 {
					t.Errorf("%s: got %d matches and %d unconfirmed, want 0 and 1", m, len(result.Matches), result.Unconfirmed)
				}
			}
			if got := len(labelRequests(s)); got != 1 {
				t.Errorf("%s: labels were asked for %d times, want once", m, got)
			}
			s.join("+14155550002", "two")
			if got := found(syncAt(t, o, fakeNow.Add(3*time.Hour), manyContacts(6))); !slices.Equal(got, []string{"+14155550002 two"}) {
				t.Errorf("%s: after joining: got %v", m, got)
			}
			o.Labels, o.State = client.LabelsNone, client.MemoryState()
			s.leave("+14155550002")
			s.publish(e)
			o.Cache = client.MemoryCache()
			if result := mustSync(t, o, manyContacts(6)); len(result.Matches) != 1 || result.Matches[0].Label != "" {
				t.Errorf("%s, without labels: got %+v, want the false positive", m, result.Matches)
			}
		}
	}
}

// labelRequests returns the lookups by bucket that asked for labels, bucketRequests those that did not.
func labelRequests(s *fakeServer) []seenRequest {
	return slices.DeleteFunc(s.seen("buckets"), func(r seenRequest) bool { return r.query == "" })
}

func bucketRequests(s *fakeServer) []seenRequest {
	return slices.DeleteFunc(s.seen("buckets"), func(r seenRequest) bool { return r.query != "" })
}

// TestRemovedContactsAreNotShown, whatever the state still knows of them.
func TestRemovedContactsAreNotShown(t *testing.T) {
	for _, m := range lookupModes {
		s := newFakeServer(t, map[string]string{"+14155550000": "zero", "+14155550001": "one"})
		o := modeOptions(s, m)
		mustSync(t, o, manyContacts(3))
		if got := found(mustSync(t, o, manyContacts(3)[1:])); !slices.Equal(got, []string{"+14155550001 one"}) {
			t.Errorf("%s: got %v", m, got)
		}
	}
}
