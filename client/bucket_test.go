package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
)

// TestBucketRequests follows what mode bucket sends over several Syncs, where news come from the feed.
func TestBucketRequests(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550001": "one", "+14155550002": "two"})
	o := modeOptions(s, client.ModeBucket)
	step := func(contacts int, want string) map[uint32]bool {
		t.Helper()
		s.requests = nil
		mustSync(t, o, manyContacts(contacts))
		var got []string
		for _, r := range s.requests {
			if at := strings.LastIndex(r.path, "/") + 1; r.path[at:] != "directory" && r.path[at:] != "evaluations" {
				got = append(got, strings.TrimSuffix(fmt.Sprintf("%s %d", r.path[at:], len(r.body)/4), " 0"))
			}
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%d contacts: got %s, want %s", contacts, text, want)
		}
		return askedPrefixes(bucketRequests(s))
	}
	first := step(9, "snapshot, buckets 10, changes, buckets 8")
	step(9, "changes")
	step(8, "changes")
	second := step(10, "buckets 4, changes")
	s.join("+14155550007", "seven")
	step(10, "changes, changes, buckets 8")
	s.leave("+14155550007")
	step(10, "changes, changes")

	// A feed that is larger than asking again: the identical set, decoys included, is asked, and the feed no longer.
	s.perDay = 1 << 40
	clock := fakeNow.Add(time.Hour)
	s.requests = nil
	syncAt(t, o, clock, manyContacts(10))
	union := maps.Clone(first)
	maps.Copy(union, second)
	if got := askedPrefixes(bucketRequests(s)); !maps.Equal(got, union) || len(s.seen("changes")) != 0 {
		t.Errorf("asked again: got %d prefixes, want the %d that were asked", len(got), len(union))
	}
	// So it is without a feed at all.
	s.epochs[0].manifest = fakeManifest{}
	s.requests = nil
	syncAt(t, o, clock, manyContacts(10))
	if got := askedPrefixes(bucketRequests(s)); !maps.Equal(got, union) {
		t.Errorf("without a snapshot: got %d prefixes, want the %d that were asked", len(got), len(union))
	}
}

// copyState returns a memory state of what is in another.
func copyState(t *testing.T, from client.StateStore) client.StateStore {
	t.Helper()
	data, err := from.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	to := client.MemoryState()
	if err := to.Save(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestPrefixesAreShuffled: the own prefixes are there, in another order than the contacts, among others.
func TestPrefixesAreShuffled(t *testing.T) {
	s := newFakeServer(t, nil)
	mustSync(t, modeOptions(s, client.ModeBucket), manyContacts(13))
	sent := bucketRequests(s)[0].body
	var own []byte
	for _, c := range manyContacts(13) {
		tag, _ := s.seal(s.epochs[0], c.Numbers[0], "")
		p := []byte{0, 0, 0, byte(tag.Prefix(fakeBits))}
		if !bytes.Contains(own, p) {
			own = append(own, p...)
		}
		if !askedPrefixes(bucketRequests(s))[tag.Prefix(fakeBits)] {
			t.Error("a prefix of the address book was not asked")
		}
	}
	if bytes.HasPrefix(sent, own[:16]) {
		t.Error("prefixes are in the order of the address book")
	}
}

// TestHostileLookups has answers that mode bucket and snapshot refuse.
func TestHostileLookups(t *testing.T) {
	type change = func(w http.ResponseWriter, body []byte) []byte
	cut := func(_ http.ResponseWriter, body []byte) []byte { return body[:len(body)-1] }
	header := func(key, value string) change {
		return func(w http.ResponseWriter, body []byte) []byte { w.Header().Set(key, value); return body }
	}
	replace := func(from, to string) change {
		return func(_ http.ResponseWriter, body []byte) []byte {
			return bytes.Replace(body, []byte(from), []byte(to), 1)
		}
	}
	for _, tt := range []struct {
		name   string
		mode   client.Mode
		route  string
		change change
	}{
		{"buckets too short", client.ModeBucket, "buckets", cut},
		{"buckets too long", client.ModeBucket, "buckets", func(_ http.ResponseWriter, b []byte) []byte { return append(b, 0) }},
		{"no buckets", client.ModeBucket, "buckets", func(http.ResponseWriter, []byte) []byte { return nil }},
		{"no slots", client.ModeBucket, "buckets", header("Kith-Slots", "")},
		{"zero slots", client.ModeBucket, "buckets", header("Kith-Slots", "0")},
		{"negative slots", client.ModeBucket, "buckets", header("Kith-Slots", "-16")},
		{"gigantic slots", client.ModeBucket, "buckets", header("Kith-Slots", "4097")},
		{"other slots", client.ModeBucket, "buckets", header("Kith-Slots", "17")},
		{"zero tag bytes", client.ModeBucket, "buckets", header("Kith-Tag-Bytes", "0")},
		{"tags too long", client.ModeBucket, "buckets", header("Kith-Tag-Bytes", "9")},
		{"changes of a wrong length", client.ModeBucket, "changes", func(http.ResponseWriter, []byte) []byte { return []byte("+123") }},
		{"changes of a wrong kind", client.ModeBucket, "changes", func(http.ResponseWriter, []byte) []byte { return []byte("*12345678") }},
		{"changes without next", client.ModeBucket, "changes", header("Kith-Next", "")},
		{"changes with an endless next", client.ModeBucket, "changes", header("Kith-Next", strings.Repeat("1", 1025))},
		{"manifest that is no JSON", client.ModeSnapshot, "snapshot", cut},
		{"manifest of another epoch", client.ModeSnapshot, "snapshot", replace(`"epoch":1`, `"epoch":2`)},
		{"manifest with a wrong sum", client.ModeSnapshot, "snapshot", replace(`"bytes":`, `"bytes":1`)},
		{"manifest with another number of shards", client.ModeSnapshot, "snapshot", replace(`"shard_bits":1`, `"shard_bits":2`)},
		{"manifest with negative bits", client.ModeSnapshot, "snapshot", replace(`"shard_bits":1`, `"shard_bits":-1`)},
		{"manifest with a shard twice", client.ModeSnapshot, "snapshot", replace(`{"shard":1`, `{"shard":0`)},
		{"manifest with a name that leads elsewhere", client.ModeSnapshot, "snapshot", replace(`"id":"`, `"id":"../`)},
		{"manifest without position", client.ModeSnapshot, "snapshot", replace(`"changes_since":"1.0"`, `"changes_since":""`)},
		{"manifest without end", client.ModeSnapshot, "snapshot", replace(`"max_age":86400`, `"max_age":0`)},
		{"shard that is another", client.ModeSnapshot, "shard", func(_ http.ResponseWriter, b []byte) []byte { b[5] ^= 1; return b }},
		{"shard too short", client.ModeSnapshot, "shard", cut},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeServer(t, map[string]string{"+14155550001": "one"})
			s.rewrite = func(w http.ResponseWriter, path string, body []byte) []byte {
				route := path[strings.LastIndex(path, "/")+1:]
				if strings.Contains(path, "snapshot/") {
					route = "shard"
				}
				if route == tt.route {
					return tt.change(w, body)
				}
				return body
			}
			o := modeOptions(s, tt.mode)
			if err := syncError(t, o); !errors.Is(err, client.ErrAnswer) {
				t.Errorf("got error %v, want ErrAnswer", err)
			}
			s.rewrite = nil
			if result := mustSync(t, o, manyContacts(3)); len(result.Matches) != 1 {
				t.Errorf("afterwards: %d matches, want 1", len(result.Matches))
			}
		})
	}
}

// TestSlotsRaised has a directory that was read before the slots were raised.
func TestSlotsRaised(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550001": "one"})
	s.maxPrefixes, s.maxLabels = 2, 2
	o := modeOptions(s, client.ModeBucket)
	s.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "buckets") {
			s.slots += 8
		}
		return false
	}
	result := mustSync(t, o, manyContacts(3))
	if len(result.Matches) != 1 {
		t.Errorf("got %+v, want a match", result)
	}
	if want := int64(len(bucketRequests(s))*4*2 + len(labelRequests(s))*4*2); result.Bytes <= want {
		t.Errorf("got %d bytes, want more than those of the requests", result.Bytes)
	}
}

// TestChangesTrimmed: when the feed no longer reaches back, everything is taken anew.
func TestChangesTrimmed(t *testing.T) {
	for _, m := range []client.Mode{client.ModeBucket, client.ModeSnapshot} {
		s := newFakeServer(t, map[string]string{"+14155550001": "one"})
		o := modeOptions(s, m)
		mustSync(t, o, manyContacts(4))
		s.leave("+14155550001")
		s.join("+14155550003", "three")
		s.publish(s.epochs[0])
		s.epochs[0].trimmed = 2
		s.requests = nil
		if got := found(mustSync(t, o, manyContacts(4))); !slices.Equal(got, []string{"+14155550003 three"}) {
			t.Errorf("%s: got %v", m, got)
		}
		if got := len(s.seen("snapshot")); got != 1 {
			t.Errorf("%s: %d manifests, want 1", m, got)
		}
	}
}

// TestSyncsOfModesAreDeterministic: the same randomness gives the same bytes, in all modes.
func TestSyncsOfModesAreDeterministic(t *testing.T) {
	for _, m := range lookupModes {
		run := func(seed byte) (sent []string) {
			s := newFakeServer(t, map[string]string{"+14155550003": "c"})
			s.maxPrefixes, s.maxLabels = 7, 5
			o := modeOptions(s, m)
			o.Rand = seededRand(seed)
			mustSync(t, o, manyContacts(9))
			for _, r := range s.requests {
				if !strings.Contains(r.path, "snapshot/") {
					sent = append(sent, fmt.Sprintf("%s %s %x", r.path, r.query, r.body))
				}
			}
			return sent
		}
		if !slices.Equal(run(1), run(1)) {
			t.Errorf("%s: two runs with the same randomness differ", m)
		}
		if slices.Equal(run(1), run(2)) {
			t.Errorf("%s: two runs with different randomness are the same", m)
		}
	}
}
