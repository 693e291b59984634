package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

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
		fmt.Println(result.Contacts, "contacts,", result.Evaluated, "evaluations, skipped:", result.SkippedByReason())
	}
	// Output:
	// Ada Lovelace +14155550100 user:ada
	// Charles Babbage +442079460123 user:charles
	// 3 contacts, 3 evaluations, skipped: [{short-code 1}]
	// Ada Lovelace +14155550100 user:ada
	// Charles Babbage +442079460123 user:charles
	// 3 contacts, 0 evaluations, skipped: [{short-code 1}]
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

// Where the quota is used up for longer than Options.MaxWait, the app schedules the next Sync, which goes on where
// this one stopped.
func ExampleProblemError() {
	var err error = &client.ProblemError{Request: "evaluations", Status: 429, Code: client.CodeRateLimited, RetryAfter: 3600e9}

	if problem, ok := errors.AsType[*client.ProblemError](err); ok && problem.RetryAfter > 0 {
		fmt.Println("next Sync in", problem.RetryAfter)
	}
	fmt.Println(err)
	// Output:
	// next Sync in 1h0m0s
	// client: evaluations: server answered 429 rate-limited, retry after 1h0m0s
}
