package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
)

// memoryAge is how old an answer by another server than the one that was written to may be: 1 s, and some.
const memoryAge = 1100 * time.Millisecond

// TestModesAgree has three clients on one directory, one for each mode, while users join, hide and leave at two servers.
// Whenever the writers pause, all three find exactly those who are registered, with their labels, and after a second also
// at the server that was not written to. (The seed is printed; the histories are replayed by setting it.)
func TestModesAgree(t *testing.T) {
	first, store := onRedis(t)
	second := serve(t, first.dir, "--redis", store.URL())
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	pool := fictional(0, 40)
	book := make([]normalize.Contact, len(pool))
	for i, number := range pool {
		book[i] = normalize.Contact{Name: contactName(i), Numbers: []string{number}}
	}
	token, err := readToken(second.token("discover"))
	if err != nil {
		t.Fatal(err)
	}
	clients := make(map[client.Mode]*client.Client)
	for _, mode := range []client.Mode{client.ModeExact, client.ModeBucket, client.ModeSnapshot} {
		clients[mode], err = client.New(client.Options{
			Server: second.url, Token: client.StaticToken(token), State: client.MemoryState(), Region: "US", Mode: mode, LookupDelay: noDelay,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	waitForManifest(t, second.url)

	model := make(map[string]string) // number to label
	for round := range 5 {
		// Writers and clients at once: what is found meanwhile is of some moment of the round, and no error.
		var during sync.WaitGroup
		for mode, c := range clients {
			during.Go(func() {
				if _, err := c.Sync(t.Context(), client.Contacts(book)); err != nil {
					t.Errorf("mode %s while users join and leave: %v", mode, err)
				}
			})
		}
		for range 30 {
			number := pool[random.IntN(len(pool))]
			s := []*serving{first, second}[random.IntN(2)]
			switch label := fmt.Sprintf("user %d of round %d", random.IntN(1000), round); random.IntN(4) {
			case 0:
				s.register(t, http.MethodDelete, map[string]any{"number": number})
				delete(model, number)
			case 1:
				s.register(t, http.MethodPut, map[string]any{"number": number, "label": label, "discoverable": false})
				delete(model, number)
			default:
				if model[number] != "" {
					continue // a label that changes is learned when labels are refreshed
				}
				s.register(t, http.MethodPut, map[string]any{"number": number, "label": label})
				model[number] = label
			}
		}
		during.Wait()
		time.Sleep(memoryAge)
		for mode, c := range clients {
			if mode != client.ModeExact {
				// A number that left and joined again within the round may have another label: have it fetched anew.
				c.RefreshLabels()
			}
			result, err := c.Sync(t.Context(), client.Contacts(book))
			if err != nil {
				t.Fatalf("round %d, mode %s: %v", round, mode, err)
			}
			found := make(map[string]string)
			for _, m := range result.Matches {
				found[m.Number] = m.Label
			}
			if !maps.Equal(found, model) {
				t.Errorf("round %d, mode %s: found %v, want %v", round, mode, sorted(found), sorted(model))
			}
		}
	}
}

// sorted makes a failure readable.
func sorted(m map[string]string) []string {
	var out []string
	for number, label := range m {
		out = append(out, number+" "+label)
	}
	slices.Sort(out)
	return out
}

// waitForManifest waits until a server offers a snapshot.
func waitForManifest(t testing.TB, url string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(url + "/v1/epochs/1/snapshot")
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no snapshot after a minute")
		}
	}
}
