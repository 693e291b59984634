package server_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
)

// BenchmarkEvaluations is a full batch over HTTP, packed: decoding, debiting, evaluating and proving.
func BenchmarkEvaluations(b *testing.B) {
	s := newStack(b)
	const batch = 1024
	numbers := make([]string, batch)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1415555%04d", i)
	}
	c := call{method: "POST", path: evaluationsPath, token: s.mint(b, "alice", "discover"), mime: mimePacked, body: blind(b, numbers...).packed}
	for b.Loop() {
		if a := s.send(b, c); a.status != 200 {
			b.Fatalf("got %d %s", a.status, a.body)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/batch, "µs/element")
}

// BenchmarkMatches is a lookup of 1,000 tags over HTTP, packed, half of them registered, in a real Redis.
func BenchmarkMatches(b *testing.B) {
	s := newStack(b)
	const tags = 1000
	snapshot, err := s.keys.Current()
	must(b, err)
	contacts := make([]contact, tags)
	var writes []directory.Write
	for i := range contacts {
		_, _ = rand.Read(contacts[i].tag[:])
		if i%2 == 0 {
			w := directory.Write{Tag: contacts[i].tag, Format: directory.Visible, Version: 1}
			w.Label, err = crypto.LabelKey{}.Seal(rand.Reader, w.Tag, "user")
			must(b, err)
			writes = append(writes, w)
		}
	}
	_, err = s.directory.Apply(context.Background(), snapshot.Active().Layout, snapshot.Generation, writes)
	must(b, err)
	c := call{method: "POST", path: matchesPath, mime: mimePacked, body: packTags(contacts)}
	for b.Loop() {
		if a := s.send(b, c); a.status != 200 || len(a.body) != tags/2*(crypto.TagSize+crypto.SealedLabelSize) {
			b.Fatalf("got %d with %d bytes", a.status, len(a.body))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/tags, "µs/tag")
}
