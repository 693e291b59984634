package client_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
)

// seededRand is a reader of reproducible bytes.
func seededRand(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// TestSyncIsDeterministic runs the same Sync twice, under the same randomness.
func TestSyncIsDeterministic(t *testing.T) {
	run := func(seed byte) []seenRequest {
		s := newFakeServer(t, map[string]string{"+14155550003": "c"})
		s.maxElements, s.maxTags = 10, 9
		o := testOptions(s)
		o.Rand = seededRand(seed)
		mustSync(t, o, manyContacts(25))
		return s.requests
	}
	first, second, other := run(1), run(1), run(2)
	if !reflect.DeepEqual(first, second) {
		t.Error("two runs with the same randomness sent different bytes")
	}
	if bytes.Equal(first[1].body, other[1].body) || bytes.Equal(first[4].body, other[4].body) {
		t.Error("runs with different randomness sent the same bytes")
	}
}

// TestRequestsHaveNoNumbersOrNames looks for them in everything that is sent.
func TestRequestsHaveNoNumbersOrNames(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550003": "label-c"})
	mustSync(t, testOptions(s), manyContacts(20))
	for _, r := range s.requests {
		var text bytes.Buffer
		fmt.Fprintf(&text, "%s %v %s", r.path, r.header, r.body)
		for _, secret := range []string{"Person", "415555", "label"} {
			if strings.Contains(text.String(), secret) {
				t.Errorf("%s contains %q", r.path, secret)
			}
		}
	}
}

// TestLookupsAreAnonymous checks over real sockets that lookups share neither credential nor connection with metered
// requests, and that no two Syncs share one.
func TestLookupsAreAnonymous(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550003": "c"})
	s.maxElements, s.maxTags = 5, 5
	server := httptest.NewServer(s)
	defer server.Close()
	for _, own := range []bool{true, false} {
		o := testOptions(s)
		o.Server, o.HTTP = server.URL, nil
		if !own {
			shared := &http.Transport{}
			defer shared.CloseIdleConnections()
			o.HTTP = shared
		}
		s.requests = nil
		c := newClient(t, o)
		for range 2 {
			if _, err := c.Sync(t.Context(), client.Contacts(manyContacts(20))); err != nil {
				t.Fatal(err)
			}
		}
		metered := make(map[string]bool)
		for _, r := range s.seen("evaluations") {
			metered[r.remote] = true
		}
		lookups := make(map[string]int)
		for _, r := range s.seen("matches") {
			lookups[r.remote]++
			if metered[r.remote] || r.header.Get("Authorization") != "" || r.header.Get("Cookie") != "" {
				t.Errorf("own transports %v: a lookup can be linked to the account", own)
			}
		}
		if len(lookups) != 2 {
			t.Errorf("own transports %v: lookups of two Syncs over %d connections, want 2", own, len(lookups))
		}
	}
}

func TestTagsAreShuffled(t *testing.T) {
	s := newFakeServer(t, nil)
	mustSync(t, testOptions(s), manyContacts(100))
	inputs := make([][]byte, 100)
	for i, c := range manyContacts(100) {
		inputs[i] = normalize.Input(c.Numbers[0])
	}
	ns, err := s.epochs[0].key.Evaluate(inputs)
	if err != nil {
		t.Fatal(err)
	}
	var inOrder []byte
	asked := make(map[crypto.Tag]bool)
	sent := s.seen("matches")[0].body
	for i, n := range ns {
		tag, _ := crypto.Derive(n)
		inOrder = append(inOrder, tag[:]...)
		asked[crypto.Tag(sent[i*crypto.TagSize:(i+1)*crypto.TagSize])] = true
	}
	if bytes.Contains(sent, inOrder[:160]) || len(asked) != 100 {
		t.Errorf("tags are in the order of the evaluations, or not all there: %d of 100", len(asked))
	}
}

// TestMatchesThatDoNotOpen registers a label under the tag of another number, as a server could that wants to show
// the user somebody they do not know.
func TestMatchesThatDoNotOpen(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550000": "zero", "+14155550001": "one"})
	labels := s.epochs[0].labels
	var tags []crypto.Tag
	for tag := range labels {
		tags = append(tags, tag)
	}
	labels[tags[0]], labels[tags[1]] = labels[tags[1]], labels[tags[0]]
	if result := mustSync(t, testOptions(s), manyContacts(3)); len(result.Matches) != 0 || result.Unconfirmed != 2 {
		t.Errorf("got %d matches and %d unconfirmed, want 0 and 2", len(result.Matches), result.Unconfirmed)
	}
}
