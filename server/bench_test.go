package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server"
	"github.com/kith-project/kith/server/admission"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
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

// BenchmarkShedding is the refusal of a request of 64 elements over one connection, by a server that nobody has a place in, with its log in a file. The client
// sends the same bytes each time, so that most of the time is the server's.
func BenchmarkShedding(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "log"))
	must(b, err)
	defer file.Close()
	s := newStack(b, func(c *server.Config) {
		c.Admission = &gate{check: &admission.OverloadedError{RetryAfter: time.Second}}
		c.Logger = slog.New(slog.NewJSONHandler(file, nil))
	})
	body := make([]byte, 64*voprf.ElementSize)
	request := append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: kith.example\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		evaluationsPath, s.mint(b, "alice", "discover"), mimePacked, len(body)), body...)
	conn, err := net.Dial("tcp", s.public.Listener.Addr().String())
	must(b, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for b.Loop() {
		_, err := conn.Write(request)
		must(b, err)
		a, err := http.ReadResponse(answers, nil)
		must(b, err)
		_, err = io.Copy(io.Discard, a.Body)
		must(b, err)
		if a.StatusCode != http.StatusServiceUnavailable || a.Close {
			b.Fatalf("got %d, closed %t", a.StatusCode, a.Close)
		}
	}
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

// BenchmarkImport registers 40,000 numbers by one stream, in 256 partitions of a real Redis, without versions, so that each is written.
func BenchmarkImport(b *testing.B) {
	const lines = 40_000
	s := newStackOf(b, keyring.Plan{Layout: directory.Layout{PartitionBits: 8, BucketBits: 10}, Slots: 96})
	var body bytes.Buffer
	for i := range lines {
		body.WriteString(lineOf(fmt.Sprintf("+1415%d", 2_000_000+i), fmt.Sprint("user-", i)))
	}
	c := s.importCall(b, body.String())
	for b.Loop() {
		request, err := http.NewRequestWithContext(b.Context(), c.method, s.public.URL+c.path, bytes.NewReader(c.body))
		must(b, err)
		request.Header.Set("Authorization", "Bearer "+c.token)
		request.Header.Set("Content-Type", c.mime)
		response, err := http.DefaultClient.Do(request)
		must(b, err)
		answer, err := io.ReadAll(response.Body)
		must(b, err)
		must(b, response.Body.Close())
		if got := bytes.Count(answer, []byte(`"applied":true`)); got != lines {
			b.Fatalf("got %d and %d lines applied", response.StatusCode, got)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/lines, "µs/line")
}

// BenchmarkBuckets is a lookup of 1,000 prefixes over HTTP, packed, answered from memory, in an epoch of 50,000 users.
func BenchmarkBuckets(b *testing.B) {
	const prefixes, users = 1000, 50_000
	s := newStackOf(b, keyring.Plan{Layout: directory.Layout{PartitionBits: 8, BucketBits: 10}, Slots: 96})
	current, err := s.keys.Current()
	must(b, err)
	epoch := current.Active()
	writes := make([]directory.Write, users)
	for i := range writes {
		writes[i] = directory.Write{Format: directory.Visible, Version: 1}
		_, _ = rand.Read(writes[i].Tag[:])
	}
	_, err = s.directory.Apply(context.Background(), epoch.Layout, current.Generation, writes)
	must(b, err)
	s.runLookups(b)
	s.waitMemory(b, epoch)
	all := make([]uint32, prefixes)
	for i := range all {
		all[i] = uint32(i)
	}
	c := call{method: "POST", path: bucketsPath, mime: mimePacked, body: packPrefixes(all...)}
	for b.Loop() {
		if a := s.send(b, c); a.status != 200 || len(a.body) != prefixes*96*4 {
			b.Fatalf("got %d with %d bytes", a.status, len(a.body))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/lookup")
}

// waitMemory waits until a lookup of all buckets is answered from memory alone.
func (s *stack) waitMemory(b *testing.B, epoch *keyring.Epoch) {
	b.Helper()
	all := make([]uint32, 1<<epoch.Layout.BucketBits)
	for i := range all {
		all[i] = uint32(i)
	}
	for {
		before := s.fromStore.Load()
		_, _, err := s.lookups.Tags(context.Background(), epoch, all)
		must(b, err)
		if s.fromStore.Load() == before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
