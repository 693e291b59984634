package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
)

// stream is a repeatable source of bytes that look random: SHA-256 in counter mode.
type stream struct {
	counter uint64
	buffer  []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		if len(s.buffer) == 0 {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, s.counter))
			s.counter++
			s.buffer = sum[:]
		}
		c := copy(p[n:], s.buffer)
		s.buffer = s.buffer[c:]
		n += c
	}
	return len(p), nil
}

// sent is one request as the server received it.
type sent struct {
	head string // request line and headers
	body []byte
}

// parseRequests reads the requests of one connection after another out of a capture.
func parseRequests(t *testing.T, capture []byte) []sent {
	t.Helper()
	var requests []sent
	for r := bufio.NewReader(bytes.NewReader(capture)); ; {
		request, err := http.ReadRequest(r)
		if err == io.EOF {
			return requests
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Fatal(err)
		}
		var head strings.Builder
		fmt.Fprintf(&head, "%s %s\n", request.Method, request.URL)
		if err := request.Header.Write(&head); err != nil {
			t.Fatal(err)
		}
		requests = append(requests, sent{head.String(), body})
	}
}

// TestTwoAddressBooksLookAlike is the stronger sister of TestConfidentialityOfContacts: under the same randomness, what a
// device sends for one address book differs from what it sends for another of the same size in blinded elements and tags
// alone. Everything else it sends is the same, byte for byte, so nothing else can tell of the contacts. This is the mode
// that tells most; TestOperatorWithTheKey compares what is sent in the others.
func TestTwoAddressBooksLookAlike(t *testing.T) {
	s, _ := onRedis(t)
	const size = 1100 // two pages of evaluations
	first, second := fictional(0, size), fictional(5000, size)
	s.putMany(t, append(append([]string(nil), first[:50]...), second[200:230]...), func(string) string { return "here" })
	signer, err := keyDir(s.dir).signer()
	if err != nil {
		t.Fatal(err)
	}

	// Each run is an account of its own, since the fixed randomness gives all of them the same Idempotency-Keys.
	discover := func(account string, numbers []string, name string) []sent {
		t.Helper()
		token, err := signer.Mint(account, "discover", "kith", time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		proxy := record(t, strings.TrimPrefix(s.url, "http://"))
		contacts := make([]normalize.Contact, len(numbers))
		for i, number := range numbers {
			contacts[i] = normalize.Contact{Name: fmt.Sprint(name, i), Numbers: []string{number}}
		}
		c, err := client.New(client.Options{
			Server: "http://" + proxy.addr, Token: client.StaticToken(token), State: client.MemoryState(), Region: "US",
			Mode: client.ModeExact, LookupDelay: noDelay, Rand: new(stream),
		})
		if err != nil {
			t.Fatal(err)
		}
		result, err := c.Sync(context.Background(), client.Contacts(contacts))
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Matches) == 0 {
			t.Fatal("nothing found: the comparison would prove nothing")
		}
		return parseRequests(t, bytes.ReplaceAll(proxy.received(), []byte(token), []byte("the account's token")))
	}
	a, b, again := discover("1", first, "Alice"), discover("2", second, "Bob"), discover("3", first, "Alice")

	if len(a) != len(b) || len(a) != len(again) {
		t.Fatalf("%d, %d and %d requests, want as many for each", len(a), len(b), len(again))
	}
	differing := 0
	for i := range a {
		if a[i].head != b[i].head {
			t.Errorf("request %d has another head:\n%s\n%s", i, a[i].head, b[i].head)
		}
		if !bytes.Equal(a[i].body, again[i].body) {
			t.Errorf("request %d differs for the same address book: the randomness is not fixed, and the test proves nothing", i)
		}
		if len(a[i].body) != len(b[i].body) {
			t.Errorf("request %d: %d and %d bytes of body", i, len(a[i].body), len(b[i].body))
		}
		if bytes.Equal(a[i].body, b[i].body) {
			continue
		}
		differing++
		switch {
		case strings.Contains(a[i].head, "/evaluations\n"):
			if len(a[i].body)%32 != 0 {
				t.Errorf("request %d: a body that is not elements alone", i)
			}
		case strings.Contains(a[i].head, "/matches\n"):
			if len(a[i].body)%16 != 0 {
				t.Errorf("request %d: a body that is not tags alone", i)
			}
		default:
			t.Errorf("request %d differs, and is neither an evaluation nor a lookup:\n%s", i, a[i].head)
		}
	}
	if differing != 3 {
		t.Errorf("%d requests differ, want 2 pages of evaluations and 1 of matches", differing)
	}
}
