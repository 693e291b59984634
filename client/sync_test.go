package client_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
)

func TestSync(t *testing.T) {
	s := newFakeServer(t, map[string]string{
		"+14155550100": "user:ada", "+5491123456789": "user:borges", "+525512345678": "user:frida", "+441632960961": "x",
	})
	place := normalize.Place{Line: 7, Card: 3}
	contacts := []normalize.Contact{
		contact("", "415-555-0100"), // a contact without a name does not hide those of others
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
	if result.Mode != client.ModeExact || result.Epoch != 1 || result.Contacts != 10 || result.Numbers != 6 {
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
		t.Errorf("got %d matches, %d evaluated, %d charged; want 3, and %d twice",
			len(result.Matches), result.Evaluated, s.charged, n)
	}
	for _, tt := range []struct {
		suffix string
		size   int
		want   []int
	}{
		{"evaluations", 32, []int{maxElements, maxElements, n - 2*maxElements}},
		{"matches", 16, []int{maxTags, maxTags, 560 / pageScale}}, // padded to 2,560
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
		{client.StageLookUp, 0, 128}, {client.StageLookUp, 40, 128}, {client.StageLookUp, 80, 128},
		{client.StageLookUp, 120, 128}, {client.StageLookUp, 128, 128},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
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
		o := testOptions(s)
		_, err := newClient(t, o).Sync(t.Context(), client.Contacts(manyContacts(1)))
		var problem *client.ProblemError
		if !errors.As(err, &problem) || problem.Code != client.CodeUnknownEpoch || len(s.seen("directory")) != 2 {
			t.Errorf("got error %v after %d directories, want unknown-epoch after 2", err, len(s.seen("directory")))
		}
		s.fault = nil // the server had not heard of it
		if result := mustSync(t, o, manyContacts(1)); len(s.seen("evaluations")) != 3 || result.Evaluated != 1 || s.charged != 1 {
			t.Errorf("afterwards: got %+v, and charged %d", result, s.charged)
		}
	})
}
