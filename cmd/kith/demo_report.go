package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/normalize"
	"github.com/kith-project/kith/server/token"
)

// print writes what was found, and a plain account of what the server received.
func (cmd *demoCommand) print(t *terminal, d *demo, result *client.Result, book []byte, took time.Duration) error {
	if cmd.JSON {
		return printJSON(t.stdout, result)
	}
	if err := printResult(t.stdout, result); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "found in %s\n\n", took.Round(time.Millisecond))
	return printReceived(t.stdout, d.tap, result, book, cmd.Region)
}

// shortestWord is the least length of a name that is searched for: shorter ones turn up in random bytes.
const shortestWord = 6

// printReceived tells what reached the server, having searched it.
func printReceived(w io.Writer, tap *tap, result *client.Result, book []byte, region string) error {
	total, routes := tap.summary()
	fmt.Fprintf(w, "What the server received, %d bytes in all:\n", total)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range routes {
		credential := "with a token"
		if r.anonymous {
			credential = "without any credential"
		}
		fmt.Fprintf(table, "  %s\t%s\t%d bytes of body\t%s\n", r.route, times(r.requests), r.body, credential)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	names, numbers := searchWords(book, region)
	fmt.Fprintf(w, `
Searched for in it: the %d names of the address book, %d found; its %d numbers in all
their forms, %d found. Blinded elements are random to whoever does not have the blinds,
which stayed here.

What the server learned, mode %s: %s
`, len(names), tap.search(names), result.Numbers, tap.search(numbers), result.Mode, learned(result.Mode))
	return nil
}

func times(n int) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}

// learned says in plain words what a mode tells the server.
func learned(m client.Mode) string {
	switch m {
	case client.ModeSnapshot:
		return `how many numbers were evaluated, and that a
device downloaded the set of all users. Which contacts were looked up: nothing. For the
labels of the hits it was asked for whole buckets, among others without a hit.`
	case client.ModeBucket:
		return `how many numbers were evaluated, and the
beginning of each pseudonym, which millions of possible numbers share here. For the labels
of the hits it was asked for whole buckets, among others without a hit.`
	default:
		return `how many numbers were asked for, and
a pseudonym (tag) of each. Without the server's key nobody can tell whose they are. Whoever
has the key can: the operator could try all numbers there are. This mode is private against
everyone but the operator.`
	}
}

// searchWords returns the names of an address book that are long enough to search for, and its numbers in the forms that
// they could be sent in.
func searchWords(book []byte, region string) (names, numbers []string) {
	seen := make(map[string]bool)
	for contact, err := range normalize.ReadContacts(bytes.NewReader(book)) {
		if err != nil {
			continue
		}
		if utf8.RuneCountInString(contact.Name) >= shortestWord && !seen[contact.Name] {
			seen[contact.Name] = true
			names = append(names, contact.Name)
		}
		for _, raw := range contact.Numbers {
			number, err := normalize.Parse(raw, region)
			if err != nil {
				continue
			}
			numbers = append(numbers, raw)
			for _, e164 := range number.Candidates() {
				numbers = append(numbers, strings.TrimPrefix(e164, "+"))
			}
		}
	}
	return names, numbers
}

// keepServing writes tokens and waits until the process is told to stop.
func (cmd *demoCommand) keepServing(ctx context.Context, t *terminal, d *demo) error {
	path, err := os.MkdirTemp("", "kith-demo-")
	if err != nil {
		return fileError("key directory", err)
	}
	defer func() { _ = os.RemoveAll(path) }()
	if err := keyDir(path).writeTokens(d.signer, token.DefaultAudience); err != nil {
		return err
	}
	t.say("serving %s until interrupted; tokens in %s", d.url, path)
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	return ctx.Err()
}
