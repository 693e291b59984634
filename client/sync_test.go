package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/normalize"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testOptions are those of a client of s without a socket, with a new memory state.
func testOptions(s *fakeServer) client.Options {
	return client.Options{
		Server: "https://kith.test",
		Token:  client.StaticToken(testToken),
		Region: "US",
		State:  client.MemoryState(),
		HTTP:   s,
	}
}

// newClient returns a client that does not wait between tries.
func newClient(t testing.TB, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.SetSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	return c
}

func mustSync(t testing.TB, o client.Options, contacts []normalize.Contact) *client.Result {
	t.Helper()
	result, err := newClient(t, o).Sync(t.Context(), client.Contacts(contacts))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func contact(name string, numbers ...string) normalize.Contact {
	return normalize.Contact{Name: name, Numbers: numbers}
}

// manyContacts returns n contacts with a number each, +14155550000 and on.
func manyContacts(n int) []normalize.Contact {
	contacts := make([]normalize.Contact, n)
	for i := range contacts {
		contacts[i] = contact(fmt.Sprintf("Person %d", i), fmt.Sprintf("+1415555%04d", i))
	}
	return contacts
}

// seededRand is a reader of reproducible bytes.
func seededRand(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

func TestSync(t *testing.T) {
	s := newFakeServer(t, map[string]string{
		"+14155550100": "user:ada", "+5491123456789": "user:borges", "+525512345678": "user:frida", "+441632960961": "x",
	})
	place := normalize.Place{Line: 7, Card: 3}
	contacts := []normalize.Contact{
		contact("Ada", "(415) 555-0100", "+1 415 555 0101"),
		contact("Countess", "+14155550100"),
		contact("Borges", "+54 11 2345-6789"),       // without the 9 with which he is registered
		contact("Frida", "+52 1 55 1234 5678"),      // with the 1 that Mexico abolished
		contact("Pelé", "+55 11 6123-4567"),         // an old form, not registered
		contact("Ada", "415.555.0100"),              // the same name again
		{Name: "Nobody", Place: place},              // without number
		{Name: "Bank", Numbers: []string{"n/a"}},    // not a number
		contact("Nobody's neighbour", "4155550102"), // not registered
	}
	result := mustSync(t, testOptions(s), contacts)

	want := []client.Match{
		{Number: "+14155550100", Name: "Ada", OtherNames: []string{"Countess"}, Label: "user:ada"},
		{Number: "+5491123456789", Name: "Borges", Label: "user:borges"},
		{Number: "+525512345678", Name: "Frida", Label: "user:frida"},
	}
	if got := result.Matches; !reflect.DeepEqual(got, want) {
		t.Errorf("Matches: got %+v, want %+v", got, want)
	}
	wantSkipped := []client.Skipped{
		{Name: "Nobody", Place: place, Reason: client.ReasonNoNumber},
		{Name: "Bank", Raw: "n/a", Reason: client.Reason(normalize.ReasonNoDigits)},
	}
	if !reflect.DeepEqual(result.Skipped, wantSkipped) {
		t.Errorf("Skipped: got %+v, want %+v", result.Skipped, wantSkipped)
	}
	if result.Mode != client.ModeExact || result.Epoch != 1 || result.Contacts != 9 || result.Numbers != 6 {
		t.Errorf("got %+v", result)
	}
	if result.Evaluated != 9 || s.charged != 9 { // six numbers, three of them in two forms
		t.Errorf("evaluated %d and charged %d, want 9", result.Evaluated, s.charged)
	}
}

func TestSyncAddressBook(t *testing.T) {
	broken := &normalize.CardError{Place: normalize.Place{Line: 3, Card: 2}, Problem: "broken"}
	failure := errors.New("disk on fire")
	book := func(end error) client.AddressBook {
		return func(yield func(normalize.Contact, error) bool) {
			_ = yield(contact("Ada", "+14155550100"), nil) &&
				yield(normalize.Contact{}, broken) &&
				yield(contact("Bob", "+14155550101"), nil) &&
				(end == nil || yield(normalize.Contact{}, end))
		}
	}
	t.Run("a broken card is skipped", func(t *testing.T) {
		s := newFakeServer(t, map[string]string{"+14155550101": "bob"})
		result, err := newClient(t, testOptions(s)).Sync(t.Context(), book(nil))
		if err != nil {
			t.Fatal(err)
		}
		want := []client.Skipped{{Place: broken.Place, Reason: client.ReasonBrokenCard}}
		if !reflect.DeepEqual(result.Skipped, want) || result.Contacts != 2 || len(result.Matches) != 1 {
			t.Errorf("got %+v", result)
		}
	})
	t.Run("another error ends it before anything is sent", func(t *testing.T) {
		s := newFakeServer(t, nil)
		_, err := newClient(t, testOptions(s)).Sync(t.Context(), book(failure))
		if !errors.Is(err, failure) || len(s.requests) != 0 {
			t.Errorf("got error %v and %d requests, want the book's error and none", err, len(s.requests))
		}
	})
	t.Run("an empty book asks for the directory alone", func(t *testing.T) {
		s := newFakeServer(t, nil)
		result := mustSync(t, testOptions(s), nil)
		if len(s.requests) != 1 || result.Mode != client.ModeExact || len(result.Matches) != 0 {
			t.Errorf("got %d requests and %+v, want 1", len(s.requests), result)
		}
	})
	t.Run("no book", func(t *testing.T) {
		s := newFakeServer(t, nil)
		var none iter.Seq2[normalize.Contact, error]
		if _, err := newClient(t, testOptions(s)).Sync(t.Context(), none); !errors.Is(err, client.ErrOptions) {
			t.Errorf("got error %v, want ErrOptions", err)
		}
	})
}

// TestSyncPaysOnlyForNewNumbers is the promise of the state.
func TestSyncPaysOnlyForNewNumbers(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550002": "two"})
	o := testOptions(s)
	contacts := manyContacts(5)
	for _, tt := range []struct {
		name     string
		contacts []normalize.Contact
		want     int
	}{
		{"first", contacts[:3], 3}, {"the same", contacts[:3], 0}, {"two more", contacts, 2}, {"fewer", contacts[2:], 0},
	} {
		result := mustSync(t, o, tt.contacts)
		if result.Evaluated != tt.want || len(result.Matches) != 1 {
			t.Errorf("%s: evaluated %d with %d matches, want %d with 1", tt.name, result.Evaluated, len(result.Matches), tt.want)
		}
	}
	if s.charged != 5 {
		t.Errorf("charged %d, want 5", s.charged)
	}
	// Who joins later is found, without paying.
	joined := newFakeServer(t, map[string]string{"+14155550004": "four"})
	o.HTTP = joined
	if result := mustSync(t, o, contacts); len(result.Matches) != 1 || joined.charged != 0 {
		t.Errorf("after joining: got %+v and %d charged, want one match and 0", result.Matches, joined.charged)
	}
}

func TestSyncPages(t *testing.T) {
	const n, maxElements, maxTags = 2500 / pageScale, 1024 / pageScale, 1000 / pageScale
	s := newFakeServer(t, map[string]string{"+14155550000": "first page", "+14155550150": "middle", "+14155550249": "last"})
	s.maxElements, s.maxTags = maxElements, maxTags
	result := mustSync(t, testOptions(s), manyContacts(n))
	if len(result.Matches) != 3 || result.Evaluated != n || s.charged != n {
		t.Errorf("got %d matches, %d evaluated, %d charged; want 3, %d, %d", len(result.Matches), result.Evaluated, s.charged, n, n)
	}
	for _, tt := range []struct {
		suffix string
		size   int
		want   []int
	}{
		{"evaluations", 32, []int{maxElements, maxElements, n - 2*maxElements}},
		{"matches", 16, []int{maxTags, maxTags, n - 2*maxTags}},
	} {
		var got []int
		for _, r := range s.seen(tt.suffix) {
			got = append(got, len(r.body)/tt.size)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got pages of %v, want %v", tt.suffix, got, tt.want)
		}
	}
}

func TestSyncProgress(t *testing.T) {
	s := newFakeServer(t, map[string]string{"+14155550000": "a", "+14155550001": "b"})
	s.maxElements, s.maxTags = 50, 40
	o := testOptions(s)
	var got []client.Progress
	o.Progress = func(p client.Progress) { got = append(got, p) }
	mustSync(t, o, manyContacts(120))
	want := []client.Progress{
		{client.StageRead, 0, 0}, {client.StageRead, 100, 0}, {client.StageRead, 120, 120},
		{client.StageEvaluate, 0, 120}, {client.StageEvaluate, 50, 120}, {client.StageEvaluate, 100, 120},
		{client.StageEvaluate, 120, 120},
		{client.StageLookUp, 0, 120}, {client.StageLookUp, 40, 120}, {client.StageLookUp, 80, 120}, {client.StageLookUp, 120, 120},
		{client.StageOpen, 0, 2}, {client.StageOpen, 2, 2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

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
		mustSync(t, o, manyContacts(20))
		mustSync(t, o, manyContacts(20))
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
	if bytes.Equal(sent, inOrder) || len(asked) != 100 {
		t.Errorf("tags are in the order of the evaluations, or not all there: %d of 100", len(asked))
	}
}

func TestSyncsWaitForEachOther(t *testing.T) {
	s := newFakeServer(t, nil)
	c := newClient(t, testOptions(s))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := c.Sync(t.Context(), client.Contacts(manyContacts(10))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.charged != 10 {
		t.Errorf("charged %d, want 10", s.charged)
	}
	t.Run("as long as ctx lasts", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		inside := func(yield func(normalize.Contact, error) bool) {
			cancel()
			if _, err := c.Sync(ctx, client.Contacts(nil)); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want that of ctx", err)
			}
		}
		if _, err := c.Sync(t.Context(), inside); err != nil {
			t.Error(err)
		}
	})
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

func TestSyncInANewEpoch(t *testing.T) {
	registered := map[string]string{"+14155550001": "one"}
	for _, tt := range []struct {
		name string
		at   string // the route whose first request finds the epoch over
	}{{"between Syncs", ""}, {"before the evaluation", "evaluations"}, {"before the lookup", "matches"}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFakeServer(t, registered)
			o := testOptions(s)
			rotate := func() {
				s.epochs[0].state = "retired"
				s.addEpoch(2, "active", registered)
			}
			if tt.at == "" {
				mustSync(t, o, manyContacts(3))
				rotate()
			} else {
				s.failFirst(1, tt.at, func(w http.ResponseWriter) {
					rotate()
					problem(w, http.StatusGone, "epoch-retired", "")
				})
			}
			result := mustSync(t, o, manyContacts(3))
			if result.Epoch != 2 || len(result.Matches) != 1 {
				t.Errorf("got %+v, want a match in epoch 2", result)
			}
			state, _ := o.State.Load(t.Context())
			if got := strings.Count(string(state), "+14155550001"); got != 1 {
				t.Errorf("the number is in the state %d times, want 1: what belongs to the old epoch is useless", got)
			}
			if again := mustSync(t, o, manyContacts(3)); again.Evaluated != 0 {
				t.Errorf("evaluated %d again, want 0", again.Evaluated)
			}
		})
	}
	t.Run("that never comes", func(t *testing.T) {
		s := newFakeServer(t, registered)
		s.failFirst(100, "evaluations", func(w http.ResponseWriter) { problem(w, http.StatusNotFound, "unknown-epoch", "") })
		_, err := newClient(t, testOptions(s)).Sync(t.Context(), client.Contacts(manyContacts(1)))
		var problem *client.ProblemError
		if !errors.As(err, &problem) || problem.Code != client.CodeUnknownEpoch || len(s.seen("directory")) != 2 {
			t.Errorf("got error %v after %d directories, want unknown-epoch after 2", err, len(s.seen("directory")))
		}
	})
}

func BenchmarkSync(b *testing.B) {
	const n = 1000
	s := newFakeServer(b, map[string]string{"+14155550001": "one"})
	contacts := manyContacts(n)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			mustSync(b, testOptions(s), contacts)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/contact")
	})
	b.Run("next", func(b *testing.B) {
		o := testOptions(s)
		mustSync(b, o, contacts)
		for b.Loop() {
			mustSync(b, o, contacts)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/contact")
	})
}
