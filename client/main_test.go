package client_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
	"go.uber.org/goleak"
)

// fakeNow is the time of the fake server and of new clients.
var fakeNow = time.Date(2026, 8, 1, 12, 30, 0, 0, time.UTC)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testOptions are those of a client of s without a socket, with a new memory state, in mode exact.
func testOptions(s *fakeServer) client.Options {
	return client.Options{
		Server: "https://kith.test",
		Token:  client.StaticToken(testToken),
		Region: "US",
		State:  client.MemoryState(),
		Mode:   client.ModeExact,
		HTTP:   s,
	}
}

// newClient returns a client that does not wait, and for which time stands still.
func newClient(t testing.TB, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.SetSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	c.SetNow(func() time.Time { return fakeNow })
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
