package server_test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto/filter"
)

// manifestAnswer is the manifest as docs/protocol.md has it.
type manifestAnswer struct {
	Epoch            uint32 `json:"epoch"`
	CreatedMS        int64  `json:"created_ms"`
	MaxAge           int64  `json:"max_age"`
	Filter           string `json:"filter"`
	ShardBits        uint8  `json:"shard_bits"`
	Keys             int64  `json:"keys"`
	Bytes            int64  `json:"bytes"`
	ChangesSince     string `json:"changes_since"`
	ChangesBytesADay int64  `json:"changes_bytes_a_day"`
	Shards           []struct {
		Shard uint32 `json:"shard"`
		ID    string `json:"id"`
		Keys  int64  `json:"keys"`
		Bytes int64  `json:"bytes"`
	} `json:"shards"`
}

// waitManifest waits for a snapshot of so many keys and returns its manifest.
func (s *stack) waitManifest(t testing.TB, keys int64) manifestAnswer {
	t.Helper()
	for {
		a := s.send(t, call{method: "GET", path: snapshotPath})
		if a.status == http.StatusOK {
			var m manifestAnswer
			decode(t, a, &m)
			if m.Keys == keys {
				return m
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// readChanges reads the feed from a position to its end and returns the entries and the last position.
func (s *stack) readChanges(t testing.TB, since string) ([]filter.Change, string) {
	t.Helper()
	var all []filter.Change
	for {
		a := s.send(t, call{method: "GET", path: changesPath + "?since=" + since, header: http.Header{"Accept": {mimePacked}}})
		if a.status != http.StatusOK {
			t.Fatalf("changes: got %d %s", a.status, a.body)
		}
		entries, err := filter.ParseChanges(a.body)
		must(t, err)
		all = append(all, entries...)
		next := a.header.Get("Kith-Next")
		if next == since {
			return all, next
		}
		since = next
	}
}

func TestSnapshot(t *testing.T) {
	s := newStack(t)
	wantProblem(t, s.send(t, call{method: "GET", path: snapshotPath}), 404, "no-snapshot")
	const visible, hidden, joined = "+14155552671", "+14155552672", "+14155552673"
	s.put(t, registration{Number: visible, Label: "user-1"})
	s.put(t, registration{Number: hidden, Label: "user-2", Discoverable: new(false)})
	s.runLookups(t)
	m := s.waitManifest(t, 1)
	if m.Epoch != 1 || m.Filter != "binary-fuse-16" || len(m.Shards) != 1<<m.ShardBits || m.MaxAge <= 0 {
		t.Fatalf("got manifest %+v", m)
	}
	contacts := s.discover(t, "alice", visible, hidden, joined)

	for i, shard := range m.Shards {
		a := s.send(t, call{method: "GET", path: snapshotPath + "/" + shard.ID})
		sum := sha256.Sum256(a.body)
		if a.status != http.StatusOK || base64url.EncodeToString(sum[:]) != shard.ID || int64(len(a.body)) != shard.Bytes {
			t.Fatalf("shard %d: got %d, %d bytes", i, a.status, len(a.body))
		}
		if got := a.header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" || a.header.Get("ETag") == "" {
			t.Errorf("shard %d: Cache-Control %q, ETag %q", i, got, a.header.Get("ETag"))
		}
		part := s.send(t, call{method: "GET", path: snapshotPath + "/" + shard.ID, header: http.Header{"Range": {"bytes=4-11"}}})
		if part.status != http.StatusPartialContent || !bytes.Equal(part.body, a.body[4:12]) {
			t.Errorf("shard %d: a range got %d %x", i, part.status, part.body)
		}
		unchanged := s.send(t, call{method: "GET", path: snapshotPath + "/" + shard.ID, header: http.Header{"If-None-Match": {a.header.Get("ETag")}}})
		parts := s.send(t, call{method: "GET", path: snapshotPath + "/" + shard.ID, header: http.Header{"Range": {"bytes=0-1,4-5"}}})
		if got := parts.header.Get("Content-Type"); parts.status != http.StatusPartialContent || !strings.HasPrefix(got, "multipart/byteranges") {
			t.Errorf("shard %d: two ranges got %d %s", i, parts.status, got)
		}
		if unchanged.status != http.StatusNotModified {
			t.Errorf("shard %d with its ETag: got %d, want 304", i, unchanged.status)
		}
		f, err := filter.Unmarshal(a.body)
		must(t, err)
		for j, c := range contacts {
			if c.tag.Prefix(int(m.ShardBits)) == shard.Shard && f.Contains(c.tag) != (j == 0) {
				t.Errorf("contact %d in the snapshot: %t", j, f.Contains(c.tag))
			}
		}
	}

	// A registration and one that ends are in the changes.
	s.put(t, registration{Number: joined, Label: "user-3"})
	s.delete(t, registration{Number: visible})
	left, came := filter.TagPrefix(contacts[0].tag[:8]), filter.TagPrefix(contacts[2].tag[:8])
	state := make(map[filter.TagPrefix]bool)
	for since := m.ChangesSince; ; time.Sleep(20 * time.Millisecond) {
		var entries []filter.Change
		entries, since = s.readChanges(t, since)
		for _, e := range entries {
			state[e.Prefix] = e.Visible
		}
		visible, known := state[left]
		if state[came] && known && !visible {
			break
		}
	}
	if len(state) != 2 {
		t.Errorf("%d tags in the changes, want 2", len(state))
	}
}

func TestSnapshotRefuses(t *testing.T) {
	s := newStack(t)
	s.runLookups(t)
	m := s.waitManifest(t, 0)
	token := http.Header{"Authorization": {"Bearer x"}}
	shard := snapshotPath + "/" + m.Shards[0].ID
	tests := []struct {
		name   string
		path   string
		header http.Header
		status int
		code   string
	}{
		{"unknown shard", snapshotPath + "/" + base64url.EncodeToString(make([]byte, 32)), nil, 404, "no-such-shard"},
		{"not a shard", snapshotPath + "/x", nil, 404, "no-such-shard"},
		{"no position", changesPath, nil, 400, "malformed"},
		{"not a position", changesPath + "?since=yesterday", nil, 400, "malformed"},
		{"another feed's position", changesPath + "?since=999.1", nil, 410, "changes-trimmed"},
		{"unknown epoch", "/v1/epochs/7/snapshot", nil, 404, "unknown-epoch"},
		{"a range behind the end", shard, http.Header{"Range": {"bytes=1000000-"}}, 416, "range-not-satisfiable"},
		{"not a range", shard, http.Header{"Range": {"bytes=x"}}, 416, "range-not-satisfiable"},
		{"another shard by If-Match", shard, http.Header{"If-Match": {`"x"`}}, 412, "precondition-failed"},
		{"manifest with a token", snapshotPath, token, 400, "credential-refused"},
		{"shard with a token", shard, token, 400, "credential-refused"},
		{"changes with a token", changesPath + "?since=" + m.ChangesSince, token, 400, "credential-refused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(t, s.send(t, call{method: "GET", path: test.path, header: test.header}), test.status, test.code)
		})
	}
	var info directoryInfo
	decode(t, s.send(t, call{method: "GET", path: "/v1/directory"}), &info)
	if len(info.Modes) != 3 || info.Modes[2] != "snapshot" || info.Epochs[0].Snapshot == nil || info.Epochs[0].Snapshot.Bytes != m.Bytes {
		t.Errorf("the directory does not offer the snapshot: %+v", info)
	}
}
