package client

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/kith-project/kith/crypto/filter"
)

// testLookupState is testState with what lookups leave behind.
func testLookupState(t testing.TB) *state {
	t.Helper()
	s := testState(t)
	s.spent = ledger{{495_000, 1000}, {495_002, 7}}
	e := s.epoch(4)
	s.useBits(e, 12)
	e.buckets.plan([]uint32{17, 42, 4095})
	e.buckets.queue = e.buckets.queue[1:]
	e.buckets.position, e.buckets.read = "1.7", 1_782_000_000
	e.buckets.found["+14155550100"] = finding{hit: true, basis: basis{1, 2}}
	e.buckets.found["+14155550101"] = finding{}
	e.labels.known["+14155550100"] = labelRecord{text: "user:ada", confirmed: true, at: 1_782_000_000}
	e.labels.known["+14155550101"] = labelRecord{basis: basis{3}, at: 1_782_000_001}
	e.labels.fetched[17] = 1_782_000_000
	e.labels.queue = []uint32{9, 3}
	return s
}

func TestLookupStateRoundTrip(t *testing.T) {
	want := testLookupState(t)
	data, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.encode()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("got %s and %v, want %s", again, err, data)
	}
	a, b := got.epoch(4), want.epoch(4)
	if !reflect.DeepEqual(a.buckets, b.buckets) || !reflect.DeepEqual(a.labels, b.labels) || !reflect.DeepEqual(got.spent, want.spent) {
		t.Errorf("got %+v, %+v, %v", a.buckets, a.labels, got.spent)
	}
}

func TestDecodeLookupStateRefuses(t *testing.T) {
	data, err := testLookupState(t).encode()
	if err != nil {
		t.Fatal(err)
	}
	valid := string(data)
	for _, tt := range []struct{ name, from, to string }{
		{"negative spending", `"bytes":7`, `"bytes":-7`},
		{"spending out of order", `"hour":495002`, `"hour":494000`},
		{"too many bits", `"bits":12`, `"bits":33`},
		{"negative bits", `"bits":12`, `"bits":-1`},
		{"prefix too long", `"asked":[17,42,4095]`, `"asked":[17,42,4096]`},
		{"prefixes out of order", `"asked":[17,42,4095]`, `"asked":[42,17,4095]`},
		{"prefix twice", `"asked":[17,42,4095]`, `"asked":[17,17,42,4095]`},
		{"queue of what was not chosen", `"queue":[42,4095]`, `"queue":[43]`},
		{"queue with a prefix twice", `"queue":[42,4095]`, `"queue":[42,42]`},
		{"endless position", `"1.7"`, `"` + strings.Repeat("1", maxPosition+1) + `"`},
		{"time before 1970", `"read":1782000000`, `"read":-1`},
		{"finding of no number", `"+14155550101":""`, `"14155550101":""`},
		{"short basis", `"+14155550101":""`, `"+14155550101":"AAAA"`},
		{"label too long", `user:ada`, strings.Repeat("x", 48)},
		{"label not confirmed", `"label":"user:ada"`, `"label":"user:ada","unconfirmed":"AAAAAAAAAAA"`},
		{"label from before 1970", `"at":1782000001`, `"at":-1`},
		{"labels' prefix twice", `"queue":[9,3]`, `"queue":[9,9]`},
		{"labels' time before 1970", `"17":1782000000`, `"17":-1`},
		{"labels' prefix that is no number", `"17":1782000000`, `"x":1782000000`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broken := strings.Replace(valid, tt.from, tt.to, 1)
			if broken == valid {
				t.Fatal("the case changes nothing")
			}
			if _, err := decodeState([]byte(broken)); !errors.Is(err, ErrState) || strings.Contains(err.Error(), "5550") {
				t.Errorf("got error %v, want ErrState", err)
			}
		})
	}
}

// TestLookupsAreForgotten when their epoch is over, or its prefixes have another length.
func TestLookupsAreForgotten(t *testing.T) {
	s := testLookupState(t)
	e := s.epoch(4)
	s.dirty = false
	if s.useBits(e, 12); len(e.buckets.asked) != 3 || s.dirty {
		t.Error("the same length changed something")
	}
	if s.useBits(e, 33); len(e.buckets.asked) != 3 {
		t.Error("an impossible length changed something")
	}
	if s.useBits(e, 13); len(e.buckets.asked)+len(e.labels.known)+len(e.labels.queue) != 0 || !s.dirty {
		t.Errorf("another length: got %+v", e)
	}
	for _, inUse := range []bool{true, false} {
		s = testLookupState(t)
		s.forget(5, func(uint32) bool { return inUse })
		if e := s.epoch(4); (e.buckets.stored() != nil) != inUse || (e.labels.stored() != nil) != inUse || e.hasResults() != inUse {
			t.Errorf("a later epoch, in use %v: got %+v", inUse, e)
		}
	}
}

func TestApplyChanges(t *testing.T) {
	const number = "+14155550100"
	for _, tt := range []struct {
		name        string
		confirmed   bool
		visible     []bool
		kept, found bool
	}{
		{"joined", false, []bool{true}, false, true},
		{"joined, as was known", true, []bool{true}, true, true},
		{"left", true, []bool{false}, false, false},
		{"left and came back", true, []bool{false, true}, false, true},
	} {
		l := newLabelState()
		l.known[number] = labelRecord{confirmed: tt.confirmed}
		b := bucketState{found: map[string]finding{number: {}}}
		for _, visible := range tt.visible {
			c := filter.Change{Visible: visible}
			l.apply(number, c)
			b.apply(number, c)
			b.apply("+1", c)
		}
		if _, kept := l.known[number]; kept != tt.kept || b.found[number].hit != tt.found || len(b.found) != 1 {
			t.Errorf("%s: label kept %v, found %v; want %v, %v", tt.name, kept, b.found[number].hit, tt.kept, tt.found)
		}
	}
}

// FuzzDecodeBuckets expects that an answer is divided without rest, and that no tag is looked for outside of it.
func FuzzDecodeBuckets(f *testing.F) {
	f.Add(make([]byte, 3*4*(4+76)), uint8(3), uint8(12), uint16(4), uint8(4), true)
	f.Add(make([]byte, 8), uint8(1), uint8(32), uint16(1), uint8(8), false)
	f.Fuzz(func(t *testing.T, answer []byte, n, bits uint8, slots uint16, tagBytes uint8, labels bool) {
		if !validFormat(int(slots), int(tagBytes)) || bits > 32 {
			return
		}
		asked := make([]uint32, n)
		answers, err := decodeBuckets(answer, asked, int(bits), int(slots), int(tagBytes), labels)
		if err != nil {
			if !errors.Is(err, ErrAnswer) {
				t.Fatalf("got error %v, want ErrAnswer", err)
			}
			return
		}
		var again []byte
		for _, a := range answers {
			again = append(append(again, a.tags...), a.labels...)
			if got := a.finding([16]byte{}); labels && got.hit != (len(a.sealedLabels([16]byte{})) > 0) {
				t.Error("a hit without a place for its label")
			}
		}
		if !bytes.Equal(again, answer) {
			t.Error("the answers are not the whole")
		}
	})
}
