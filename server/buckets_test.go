package server_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server"
)

// bucketAnswer is the answer in JSON as docs/protocol.md has it.
type bucketAnswer struct {
	TagBytes int `json:"tag_bytes"`
	Buckets  []struct {
		Prefix uint32 `json:"prefix"`
		Tags   string `json:"tags"`
		Labels string `json:"labels"`
	} `json:"buckets"`
}

// testBits is the number of bucket bits of a stack's epoch.
const testBits = 4

// packPrefixes returns prefixes as a packed body has them.
func packPrefixes(prefixes ...uint32) []byte {
	var b []byte
	for _, p := range prefixes {
		b = binary.BigEndian.AppendUint32(b, p)
	}
	return b
}

// buckets asks for prefixes and returns slots, bytes of a tag, and the answer cut into buckets.
func (s *stack) buckets(t testing.TB, query string, prefixes ...uint32) (slots, tagBytes int, parts [][]byte) {
	t.Helper()
	a := s.send(t, call{method: "POST", path: bucketsPath + query, mime: mimePacked, body: packPrefixes(prefixes...)})
	if a.status != http.StatusOK || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v %s", a.status, a.header, a.body)
	}
	slots, err := strconv.Atoi(a.header.Get("Kith-Slots"))
	must(t, err)
	tagBytes, err = strconv.Atoi(a.header.Get("Kith-Tag-Bytes"))
	must(t, err)
	if len(a.body)%len(prefixes) != 0 {
		t.Fatalf("%d bytes for %d prefixes", len(a.body), len(prefixes))
	}
	for part := range slices.Chunk(a.body, len(a.body)/len(prefixes)) {
		parts = append(parts, part)
	}
	return slots, tagBytes, parts
}

// slotOf returns the slot of a bucket that has the short tag, or -1.
func slotOf(part []byte, slots, tagBytes int, tag crypto.Tag) int {
	short := tag.AppendShort(nil, testBits, tagBytes)
	for i := range slots {
		if bytes.Equal(part[i*tagBytes:(i+1)*tagBytes], short) {
			return i
		}
	}
	return -1
}

func TestBuckets(t *testing.T) {
	s := newStack(t)
	s.runLookups(t)
	const visible, hidden, deleted, unknown = "+14155552671", "+14155552672", "+14155552673", "+14155552674"
	s.put(t, registration{Number: visible, Label: "user-1"})
	s.put(t, registration{Number: hidden, Label: "user-2", Discoverable: new(false)})
	s.put(t, registration{Number: deleted, Label: "user-3"})
	s.delete(t, registration{Number: deleted})
	contacts := s.discover(t, "alice", visible, hidden, deleted, unknown)

	all := make([]uint32, 1<<testBits)
	for i := range all {
		all[i] = uint32(i)
	}
	slots, tagBytes, plain := s.buckets(t, "", all...)
	if slots != 96 || tagBytes != 4 {
		t.Errorf("got %d slots of %d bytes, want 96 of 4", slots, tagBytes)
	}
	_, _, labelled := s.buckets(t, "?labels=true", all...)
	for i := range plain {
		if len(plain[i]) != slots*tagBytes || len(labelled[i]) != slots*(tagBytes+crypto.SealedLabelSize) {
			t.Errorf("bucket %d has %d bytes, and %d with labels", i, len(plain[i]), len(labelled[i]))
		}
		if !bytes.Equal(plain[i], labelled[i][:len(plain[i])]) {
			t.Errorf("bucket %d has other tags when labels are asked for", i)
		}
	}

	for i, c := range contacts {
		part := labelled[c.tag.Prefix(testBits)]
		slot := slotOf(part, slots, tagBytes, c.tag)
		if found := slot >= 0; found != (i == 0) {
			t.Errorf("contact %d is found: %t", i, found)
		}
		if i != 0 {
			continue
		}
		at := slots*tagBytes + slot*crypto.SealedLabelSize
		if label, err := c.key.Open(c.tag, crypto.SealedLabel(part[at:])); err != nil || label != "user-1" {
			t.Errorf("opened %q, %v, want user-1", label, err)
		}
	}
}

func TestBucketsInJSON(t *testing.T) {
	s := newStack(t)
	s.put(t, registration{Number: number, Label: "user-1"})
	slots, tagBytes, packed := s.buckets(t, "?labels=true", 3, 1)
	for _, labels := range []bool{false, true} {
		body := encodeJSON(t, map[string]any{"prefixes": []int{3, 1}, "labels": labels})
		var got bucketAnswer
		decode(t, s.send(t, call{method: "POST", path: bucketsPath, mime: mimeJSON, body: body}), &got)
		if got.TagBytes != tagBytes || len(got.Buckets) != 2 {
			t.Fatalf("got %d bytes a tag and %d buckets, want %d and 2", got.TagBytes, len(got.Buckets), tagBytes)
		}
		for i, prefix := range []uint32{3, 1} {
			b := got.Buckets[i]
			wantLabels := ""
			if labels {
				wantLabels = base64url.EncodeToString(packed[i][slots*tagBytes:])
			}
			if b.Prefix != prefix || b.Tags != base64url.EncodeToString(packed[i][:slots*tagBytes]) || b.Labels != wantLabels {
				t.Errorf("labels %t, bucket %d: not what the packed answer has", labels, prefix)
			}
		}
	}
}

func TestBucketsRefuse(t *testing.T) {
	s := newStack(t, func(c *server.Config) { c.Limits = server.Limits{MaxPrefixes: 4, MaxLabelPrefixes: 2} })
	packed := func(prefixes ...uint32) []byte { return packPrefixes(prefixes...) }
	tests := []struct {
		name   string
		mime   string
		body   []byte
		query  string
		header http.Header
		status int
		code   string
	}{
		{"empty", mimePacked, []byte{}, "", nil, 400, "malformed"},
		{"length off by one", mimePacked, packed(1)[1:], "", nil, 400, "malformed"},
		{"a prefix too large", mimePacked, packed(1 << testBits), "", nil, 400, "malformed"},
		{"a prefix twice", mimePacked, packed(1, 2, 1), "", nil, 400, "malformed"},
		{"one prefix too many", mimePacked, packed(0, 1, 2, 3, 4), "", nil, 413, "too-many-prefixes"},
		{"one prefix too many with labels", mimePacked, packed(0, 1, 2), "?labels=true", nil, 413, "too-many-prefixes"},
		{"labels neither true nor false", mimePacked, packed(0), "?labels=1", nil, 400, "malformed"},
		{"labels empty", mimePacked, packed(0), "?labels=", nil, 400, "malformed"},
		{"JSON, empty", mimeJSON, []byte(`{"prefixes":[]}`), "", nil, 400, "malformed"},
		{"JSON, no prefixes", mimeJSON, []byte(`{"labels":true}`), "", nil, 400, "malformed"},
		{"JSON, too large", mimeJSON, []byte(`{"prefixes":[4294967296]}`), "", nil, 400, "malformed"},
		{"JSON, negative", mimeJSON, []byte(`{"prefixes":[-1]}`), "", nil, 400, "malformed"},
		{"JSON, a fraction", mimeJSON, []byte(`{"prefixes":[1.5]}`), "", nil, 400, "malformed"},
		{"JSON, too many", mimeJSON, []byte(`{"prefixes":[0,1,2,3,4]}`), "", nil, 413, "too-many-prefixes"},
		{"JSON, too many with labels", mimeJSON, []byte(`{"prefixes":[0,1,2],"labels":true}`), "", nil, 413, "too-many-prefixes"},
		{"JSON, endless", mimeJSON, fmt.Appendf(nil, `{"prefixes":[%01200d]}`, 0), "", nil, 413, "too-many-prefixes"},
		{"JSON, unknown member", mimeJSON, []byte(`{"prefixes":[0],"lables":true}`), "", nil, 400, "malformed"},
		{"JSON, other letters", mimeJSON, []byte(`{"prefixes":[0],"Labels":true}`), "", nil, 400, "malformed"},
		{"JSON, prefixes twice", mimeJSON, []byte(`{"prefixes":[0],"prefixes":[1]}`), "", nil, 400, "malformed"},
		{"JSON, null", mimeJSON, []byte(`null`), "", nil, 400, "malformed"},
		{"JSON, null for the prefixes", mimeJSON, []byte(`{"prefixes":null}`), "", nil, 400, "malformed"},
		{"JSON, null for a prefix", mimeJSON, []byte(`{"prefixes":[null]}`), "", nil, 400, "malformed"},
		{"JSON, null for labels", mimeJSON, []byte(`{"prefixes":[0],"labels":null}`), "", nil, 400, "malformed"},
		{"JSON, not JSON", mimeJSON, []byte(`prefixes`), "", nil, 400, "malformed"},
		{"another type", "text/plain", packed(0), "", nil, 415, "unsupported-media-type"},
		{"no type", "", packed(0), "", nil, 415, "unsupported-media-type"},
		{"a token", mimePacked, packed(0), "", http.Header{"Authorization": {"Bearer x"}}, 400, "credential-refused"},
		{"a cookie", mimePacked, packed(0), "", http.Header{"Cookie": {"a=b"}}, 400, "credential-refused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := s.send(t, call{method: "POST", path: bucketsPath + test.query, mime: test.mime, body: test.body, header: test.header})
			wantProblem(t, a, test.status, test.code)
		})
	}
	if _, _, parts := s.buckets(t, "", 0, 1, 2, 3); len(parts) != 4 {
		t.Errorf("as many prefixes as allowed: got %d buckets, want 4", len(parts))
	}
	if _, _, parts := s.buckets(t, "?labels=true", 0, 15); len(parts) != 2 {
		t.Errorf("as many prefixes with labels as allowed: got %d buckets, want 2", len(parts))
	}
}

// TestABucketTooFullRaisesTheSlots registers more users than a bucket has slots: the answer has all of them, and all
// buckets grow alike, for every server.
func TestABucketTooFullRaisesTheSlots(t *testing.T) {
	s := newStack(t)
	const users = 1700 // 106 a bucket, of 96 slots
	s.putMany(t, users)
	slots, tagBytes, parts := s.buckets(t, "", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	if slots <= 96 {
		t.Fatalf("got %d slots, want more than 96", slots)
	}
	for i, part := range parts {
		if len(part) != slots*tagBytes {
			t.Errorf("bucket %d has %d bytes, want %d", i, len(part), slots*tagBytes)
		}
	}
	var info directoryInfo
	decode(t, s.send(t, call{method: "GET", path: "/v1/directory"}), &info)
	if info.Epochs[0].Slots != slots {
		t.Errorf("the directory says %d slots, the answer has %d", info.Epochs[0].Slots, slots)
	}
	contacts := s.discover(t, "alice", manyNumber(0), manyNumber(users-1), manyNumber(users))
	for i, c := range contacts {
		if found := slotOf(parts[c.tag.Prefix(testBits)], slots, tagBytes, c.tag) >= 0; found != (i < 2) {
			t.Errorf("contact %d is found: %t", i, found)
		}
	}
}

// manyNumber returns the i-th of 10,000 numbers.
func manyNumber(i int) string { return fmt.Sprintf("+1415555%04d", i) }

// putMany registers so many users.
func (s *stack) putMany(t testing.TB, users int) {
	t.Helper()
	for i := range users {
		s.put(t, registration{Number: manyNumber(i), Label: "user"})
	}
}
