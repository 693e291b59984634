package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
)

// An app syncs the address book of its user, who is +1 415 555 0199. The server is one for tests.
func ExampleClient_Sync() {
	server := httptest.NewServer(newFakeServer(nil, map[string]string{
		"+14155550100": "user:ada", "+442079460123": "user:charles",
	}))
	defer server.Close()

	c, err := client.New(client.Options{
		Server:    server.URL,                    // https in production
		Token:     client.StaticToken(testToken), // one that renews itself in production
		OwnNumber: "+14155550199",                // so that "(415) 555-0100" is read as an American number
		State:     client.MemoryState(),          // client.FileState in production
	})
	if err != nil {
		log.Fatal(err)
	}
	book := []normalize.Contact{
		{Name: "Ada Lovelace", Numbers: []string{"(415) 555-0100"}},
		{Name: "Charles Babbage", Numbers: []string{"+44 20 7946 0123", "+44 20 7946 0124"}},
		{Name: "Voicemail", Numbers: []string{"*86"}},
	}
	for range 2 { // the second time, all numbers are known
		result, err := c.Sync(context.Background(), client.Contacts(book))
		if err != nil {
			log.Fatal(err)
		}
		for _, m := range result.Matches {
			fmt.Println(m.Name, m.Number, m.Label)
		}
		fmt.Println(result.Contacts, "contacts,", result.Evaluated, "evaluations, mode", result.Mode, "skipped:", result.SkippedByReason())
	}
	// Output:
	// Ada Lovelace +14155550100 user:ada
	// Charles Babbage +442079460123 user:charles
	// 3 contacts, 3 evaluations, mode snapshot skipped: [{short-code 1}]
	// Ada Lovelace +14155550100 user:ada
	// Charles Babbage +442079460123 user:charles
	// 3 contacts, 0 evaluations, mode snapshot skipped: [{short-code 1}]
}

// What an address book of 1,000 numbers, 100 of them registered, costs at a server of ten million users of whom ten thousand
// join or leave a day.
func ExampleEstimateCost() {
	figures := client.FiguresFor(10_000_000, 10_000)
	for _, mode := range []client.Mode{client.ModeExact, client.ModeBucket, client.ModeSnapshot} {
		cost := client.EstimateCost(mode, client.LabelsByBucket, figures, client.Counts{Numbers: 1000, Hits: 100})
		fmt.Printf("%-8s %8d bytes at first, %6d a day\n", mode, cost.First, cost.Daily)
	}
	// Output:
	// exact       25584 bytes at first,  25584 a day
	// bucket    1151488 bytes at first,  90000 a day
	// snapshot 23449192 bytes at first,  90000 a day
}

// An app asks for a budget and follows what it says: with a large address book and little room, it calls Sync again when
// there is more.
func ExampleResult() {
	c, err := client.New(client.Options{
		Server: "https://kith.example", Token: client.StaticToken(testToken), Region: "US",
		State: client.MemoryState(), HTTP: newFakeServer(nil, nil),
		MinPrivacy: client.ModeBucket, // the default: never whole tags
		Budget:     500_000,           // bytes in 24 hours
	})
	if err != nil {
		log.Fatal(err)
	}
	book := []normalize.Contact{{Name: "Ada Lovelace", Numbers: []string{"(415) 555-0100"}}}
	result, err := c.Sync(context.Background(), client.Contacts(book))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Mode, result.Labels)
	if result.Deferred > 0 {
		fmt.Println(result.Deferred, "numbers wait; next Sync at", result.Next)
	}
	// Output:
	// snapshot bucket
}

// An app reads a vCard file and tells the user what was skipped, and why.
func ExampleReason_Explain() {
	file := strings.NewReader("BEGIN:VCARD\nVERSION:4.0\nFN:Ada\nTEL:555\nEND:VCARD\n")
	c, err := client.New(client.Options{
		Server: "https://kith.example", Token: client.StaticToken(testToken), Region: "US",
		State: client.MemoryState(), HTTP: newFakeServer(nil, nil),
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := c.Sync(context.Background(), normalize.ReadContacts(file))
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range result.Skipped {
		fmt.Printf("%s, %s: %s\n", s.Name, s.Raw, s.Reason.Explain())
	}
	// Output:
	// Ada, 555: Digits are missing from this number, perhaps the area code.
}

// Where nothing can be looked up, because the quota of a new device is used up for longer than Options.MaxWait, say, the
// app schedules the next Sync, which goes on where this one stopped.
func ExampleProblemError() {
	var err error = &client.ProblemError{Request: "evaluations", Status: 429, Code: client.CodeQuotaExceeded, RetryAfter: 3600e9}

	if problem, ok := errors.AsType[*client.ProblemError](err); ok && problem.RetryAfter > 0 {
		fmt.Println("next Sync in", problem.RetryAfter)
	}
	fmt.Println(err)
	// Output:
	// next Sync in 1h0m0s
	// client: evaluations: server answered 429 quota-exceeded, retry after 1h0m0s
}

// The quota allows a part of the address book alone. What that has is shown, and the app syncs again when there is more.
func ExampleWaiting() {
	server := newFakeServer(nil, map[string]string{"+14155550100": "user:ada"})
	c, err := client.New(client.Options{
		Server: "https://kith.example", Token: client.StaticToken(testToken), Region: "US",
		State: client.MemoryState(), HTTP: server, LookupDelay: -1,
	})
	if err != nil {
		log.Fatal(err)
	}
	server.limited, server.quota, server.told = true, 1, `,"limit":1,"remaining":1`
	book := client.Contacts([]normalize.Contact{
		{Name: "Ada Lovelace", Numbers: []string{"(415) 555-0100"}},
		{Name: "Charles Babbage", Numbers: []string{"(415) 555-0101"}},
	})
	result, err := c.Sync(context.Background(), book)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Matches[0].Name, "is", result.Matches[0].Label)
	if w := result.Waiting; w != nil {
		fmt.Println(w.New, "number waits; next Sync in", time.Until(w.Next).Round(time.Hour))
	}
	// Output:
	// Ada Lovelace is user:ada
	// 1 number waits; next Sync in 1h0m0s
}

// The server has a new epoch, and the quota of the account does not allow the whole move. What is known is shown, and the
// app syncs again when there is more.
func ExampleMoving() {
	registered := map[string]string{"+14155550100": "user:ada"}
	server := newFakeServer(nil, registered)
	c, err := client.New(client.Options{
		Server: "https://kith.example", Token: client.StaticToken(testToken), Region: "US",
		State: client.MemoryState(), HTTP: server, LookupDelay: -1,
	})
	if err != nil {
		log.Fatal(err)
	}
	book := client.Contacts([]normalize.Contact{{Name: "Ada Lovelace", Numbers: []string{"(415) 555-0100"}}})
	for _, quota := range []int{1, 0, 1} {
		server.limited, server.quota = true, quota
		result, err := c.Sync(context.Background(), book)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(result.Matches), "match in epoch", result.Epoch)
		if m := result.Moving; m != nil {
			fmt.Println("on the way to epoch", m.To, "with", m.Left, "to evaluate; next Sync in", time.Until(m.Next).Round(time.Hour))
		}
		if len(server.epochs) == 1 {
			server.rotate(2, registered)
			server.migration = nil // no window: devices move at once
		}
	}
	// Output:
	// 1 match in epoch 1
	// 1 match in epoch 1
	// on the way to epoch 2 with 1 to evaluate; next Sync in 1h0m0s
	// 1 match in epoch 2
}

// An app comes with the key of the server's log, and tells its user when the server can not be trusted.
func ExampleKeyLog() {
	server := newFakeServer(nil, nil)
	c, err := client.New(client.Options{
		Server: "https://kith.example", Token: client.StaticToken(testToken), Region: "US",
		State: client.MemoryState(), HTTP: server,
		KeyLog: client.KeyLog{VerifierKey: "kith.test/keylog+57b37f69+AWt5xX5qCVI5KCwEgY6WES8/A6QAG6l6VkwjhSo/HqX8"},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Sync(context.Background(), client.Contacts(nil))
	fmt.Println(errors.Is(err, client.ErrKeyLog), err)
	// Output:
	// true client: key log refused: the server has none: client: keylog: server answered 404 not-found
}
