package directory_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// generation is the keyring generation of writers in tests that are about something else.
const generation = 5

var lastEpoch atomic.Uint32

// prepared returns a small layout of an epoch that is used nowhere else, 4 partitions of 4 buckets, prepared.
func prepared(t testing.TB, s *directory.Store) directory.Layout {
	t.Helper()
	layout := directory.Layout{Epoch: lastEpoch.Add(1), PartitionBits: 2, BucketBits: 4}
	if err := s.Prepare(context.Background(), layout, generation); err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	return layout
}

// tagNumber returns a tag whose top bits are those of n and whose other bytes are not zero, 10 or any other value that
// text protocols treat specially by accident only.
func tagNumber(n uint16) crypto.Tag {
	var tag crypto.Tag
	for i := range tag {
		tag[i] = byte(i * 31)
	}
	binary.BigEndian.PutUint16(tag[:], n)
	return tag
}

// write returns a versioned write whose other contents follow from tag, version and format.
func write(tag crypto.Tag, format directory.Format, version uint64) directory.Write {
	w := directory.Write{Tag: tag, Format: format, Version: version, Since: 1_000_000 + version%1000}
	for i := range w.Wrapped {
		w.Wrapped[i] = byte(version) ^ byte(i)
	}
	var label crypto.CompactLabel
	for i := range label {
		label[i] = byte(version) + byte(i)*3
	}
	w.Label = label.Sealed()
	return w
}

// stored returns what a store holds after a write.
func stored(w directory.Write) directory.Record {
	r := directory.Record{Format: w.Format, Version: w.Version, Wrapped: w.Wrapped}
	if w.Format == directory.Visible {
		r.Label = w.Label
	} else {
		r.Since = w.Since
	}
	return r
}

// apply applies writes one call each, and fails the test unless all are answered.
func apply(t testing.TB, s *directory.Store, layout directory.Layout, writes ...directory.Write) []directory.Outcome {
	t.Helper()
	var all []directory.Outcome
	for _, w := range writes {
		outcomes, err := s.Apply(context.Background(), layout, generation, []directory.Write{w})
		if err != nil {
			t.Fatalf("Apply: %v", err)
		}
		all = append(all, outcomes...)
	}
	return all
}

// scan returns all records of the epoch by tag.
func scan(t testing.TB, s *directory.Store, layout directory.Layout) map[crypto.Tag]directory.Record {
	t.Helper()
	records := make(map[crypto.Tag]directory.Record)
	for p := range layout.Partitions() {
		var last crypto.Tag
		for entry, err := range s.Scan(context.Background(), layout, uint32(p)) {
			if err != nil {
				t.Fatalf("Scan of partition %d: %v", p, err)
			}
			if bytes.Compare(entry.Tag[:], last[:]) < 0 {
				t.Errorf("Scan of partition %d: tags not in order", p)
			}
			last = entry.Tag
			records[entry.Tag] = entry.Record
		}
	}
	return records
}

// get returns the record of a tag, which must exist.
func get(t testing.TB, s *directory.Store, layout directory.Layout, tag crypto.Tag) (directory.Record, []byte) {
	t.Helper()
	record, raw, err := s.Get(context.Background(), layout, tag)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return record, raw
}

// wantError checks that err is the wanted one, or none if want is nil, and that it tells nothing of keys, tags or
// addresses.
func wantError(t testing.TB, operation string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", operation, err, want)
	}
	if err == nil {
		return
	}
	tag := tagNumber(1)
	for _, part := range []string{"kith:", "{e", "127.0.0.1", "evalsha", string(tag[2:])} {
		if strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %q contains %q", operation, err, part)
		}
	}
}
