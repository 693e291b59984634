package client_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/filter"
)

// The fixed parts of the fake server's figures.
const (
	fakeBits      = 8
	fakeTagBytes  = 4
	fakeShardBits = 1
)

// fakeLookups is what an epoch of the fake server has for the modes bucket and snapshot.
type fakeLookups struct {
	changes  [][]byte // segments of the feed
	trimmed  int      // how many of them are gone
	manifest fakeManifest
	shards   map[string][]byte
	// wrong has tags that are in answers as if they were registered, with labels that do not open.
	wrong []crypto.Tag
}

type fakeManifest struct {
	Epoch        uint32      `json:"epoch"`
	Created      int64       `json:"created_ms"`
	MaxAge       int64       `json:"max_age"`
	Filter       string      `json:"filter"`
	ShardBits    int         `json:"shard_bits"`
	Keys         int         `json:"keys"`
	Bytes        int64       `json:"bytes"`
	ChangesSince string      `json:"changes_since"`
	Shards       []fakeShard `json:"shards"`
}

type fakeShard struct {
	Shard int    `json:"shard"`
	ID    string `json:"id"`
	Keys  int    `json:"keys"`
	Bytes int    `json:"bytes"`
}

// join registers a number in all epochs, leave ends its registration, both with an entry in the feeds.
func (s *fakeServer) join(number, label string) {
	for _, e := range s.epochs {
		tag, sealed := s.seal(e, number, label)
		e.labels[tag] = sealed
		e.changes = append(e.changes, filter.AppendChange(nil, filter.Change{Prefix: filter.Prefix(tag), Visible: true}))
	}
}

func (s *fakeServer) leave(number string) {
	for _, e := range s.epochs {
		tag, _ := s.seal(e, number, "")
		delete(e.labels, tag)
		e.changes = append(e.changes, filter.AppendChange(nil, filter.Change{Prefix: filter.Prefix(tag)}))
	}
}

// publish makes a snapshot of the epoch as it is.
func (s *fakeServer) publish(e *fakeEpoch) {
	e.shards = make(map[string][]byte)
	e.manifest = fakeManifest{
		Epoch: e.id, Created: fakeNow.UnixMilli(), MaxAge: s.maxAge, Filter: "binary-fuse-16", ShardBits: fakeShardBits,
		ChangesSince: fmt.Sprintf("1.%d", len(e.changes)),
	}
	keys := make([][]uint64, 1<<fakeShardBits)
	for tag := range e.labels {
		keys[tag.Prefix(fakeShardBits)] = append(keys[tag.Prefix(fakeShardBits)], filter.Key(tag))
	}
	for _, tag := range e.wrong {
		shard := tag.Prefix(fakeShardBits)
		keys[shard] = append(keys[shard], filter.Key(tag))
		if _, registered := e.labels[tag]; registered {
			keys[shard] = append(keys[shard], ^filter.Key(tag)) // a filter changes when somebody joins
		}
	}
	for i := range keys {
		f, err := filter.Build(keys[i])
		s.must(err)
		data, err := f.MarshalBinary()
		s.must(err)
		sum := sha256.Sum256(data)
		id := base64.RawURLEncoding.EncodeToString(sum[:])
		e.shards[id] = data
		e.manifest.Shards = append(e.manifest.Shards, fakeShard{i, id, len(keys[i]), len(data)})
		e.manifest.Keys += len(keys[i])
		e.manifest.Bytes += int64(len(data))
	}
}

func (s *fakeServer) serveLookup(w http.ResponseWriter, r *http.Request, e *fakeEpoch, route string, body []byte) {
	id, isShard := strings.CutPrefix(route, "snapshot/")
	switch {
	case route == "matches":
		s.serveMatches(w, r, e, body)
	case route == "buckets":
		s.serveBuckets(w, r, e, body)
	case route == "snapshot" && e.manifest.Epoch == 0:
		problem(w, http.StatusNotFound, "no-snapshot", "")
	case route == "snapshot":
		text, err := json.Marshal(e.manifest)
		s.must(err)
		s.answer(w, r.URL.Path, "application/json", text)
	case isShard && e.shards[id] != nil:
		s.answer(w, r.URL.Path, "application/octet-stream", e.shards[id])
	case route == "changes":
		s.serveChanges(w, r, e)
	default:
		problem(w, http.StatusNotFound, "not-found", "")
	}
}

func (s *fakeServer) serveChanges(w http.ResponseWriter, r *http.Request, e *fakeEpoch) {
	var since int
	if _, err := fmt.Sscanf(r.URL.Query().Get("since"), "1.%d", &since); err != nil || since > len(e.changes) {
		problem(w, http.StatusBadRequest, "invalid-request", "")
	} else if since < e.trimmed {
		problem(w, http.StatusGone, "changes-trimmed", "")
	} else {
		next, entries := since, []byte(nil)
		if since < len(e.changes) {
			next, entries = since+1, e.changes[since]
		}
		w.Header().Set("Kith-Next", fmt.Sprintf("1.%d", next))
		s.answer(w, r.URL.Path, "application/octet-stream", entries)
	}
}

// fakeSlot is a place in the answer for a bucket.
type fakeSlot struct {
	short []byte
	label crypto.SealedLabel
}

func (s *fakeServer) serveBuckets(w http.ResponseWriter, r *http.Request, e *fakeEpoch, body []byte) {
	labels := r.URL.RawQuery == "labels=true"
	limit := s.maxPrefixes
	if labels {
		limit = s.maxLabels
	}
	if len(body) > 4*limit {
		problem(w, http.StatusRequestEntityTooLarge, "too-many-prefixes", "")
		return
	}
	var prefixes []uint32
	for ; len(body) >= 4; body = body[4:] {
		p := binary.BigEndian.Uint32(body)
		if p >= 1<<fakeBits || slices.Contains(prefixes, p) {
			problem(w, http.StatusBadRequest, "invalid-request", "")
			return
		}
		prefixes = append(prefixes, p)
	}
	if len(body) != 0 || len(prefixes) == 0 {
		problem(w, http.StatusBadRequest, "invalid-request", "")
		return
	}
	buckets := make(map[uint32][]fakeSlot)
	for tag, label := range e.labels {
		p := tag.Prefix(fakeBits)
		buckets[p] = append(buckets[p], fakeSlot{tag.AppendShort(nil, fakeBits, fakeTagBytes), label})
		s.slots = max(s.slots, len(buckets[p])+4)
	}
	for _, tag := range e.wrong {
		p := tag.Prefix(fakeBits)
		buckets[p] = append(buckets[p], fakeSlot{short: tag.AppendShort(nil, fakeBits, fakeTagBytes)})
	}
	var answer []byte
	for _, p := range prefixes {
		answer = s.appendBucket(answer, p, buckets[p], labels)
	}
	w.Header().Set("Kith-Slots", fmt.Sprint(s.slots))
	w.Header().Set("Kith-Tag-Bytes", fmt.Sprint(fakeTagBytes))
	s.answer(w, r.URL.Path, "application/octet-stream", answer)
}

func (s *fakeServer) appendBucket(dst []byte, prefix uint32, slots []fakeSlot, labels bool) []byte {
	for i := len(slots); i < s.slots; i++ {
		sum := sha256.Sum256(fmt.Append(nil, "fill ", prefix, " ", i))
		slots = append(slots, fakeSlot{short: sum[:fakeTagBytes]})
	}
	slices.SortFunc(slots, func(a, b fakeSlot) int { return bytes.Compare(a.short, b.short) })
	for _, slot := range slots {
		dst = append(dst, slot.short...)
	}
	for _, slot := range slots {
		if labels {
			dst = append(dst, slot.label[:]...)
		}
	}
	return dst
}
