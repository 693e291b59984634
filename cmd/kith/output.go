package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/kith-project/kith/client"
)

// resultJSON is what --json prints: one object.
type resultJSON struct {
	Mode     client.Mode          `json:"mode"`
	Epoch    uint32               `json:"epoch"`
	Contacts int                  `json:"contacts"`
	Numbers  int                  `json:"numbers"`
	Skipped  []client.ReasonCount `json:"skipped"`
	Matches  []matchJSON          `json:"matches"`
	Labels   client.LabelPolicy   `json:"labels"`
	Why      string               `json:"why"`
	Deferred int                  `json:"deferred"`
	Moving   *movingJSON          `json:"moving,omitempty"`
	Waiting  *waitingJSON         `json:"waiting,omitempty"`
}

// movingJSON is there while the move to a new epoch waits.
type movingJSON struct {
	From uint32 `json:"from"`
	To   uint32 `json:"to"`
	Left int    `json:"left"`
	New  int    `json:"new"`
}

// waitingJSON is there while some numbers could not be evaluated yet.
type waitingJSON struct {
	Code string     `json:"code"` // of the refusal
	New  int        `json:"new"`
	Left int        `json:"left"`
	Next *time.Time `json:"next,omitempty"`
}

type matchJSON struct {
	Number     string   `json:"number"`
	Name       string   `json:"name"`
	OtherNames []string `json:"other_names,omitempty"`
	Label      string   `json:"label"`
}

// printJSON writes a result as one JSON object.
func printJSON(w io.Writer, r *client.Result) error {
	out := resultJSON{
		Mode: r.Mode, Epoch: r.Epoch, Contacts: r.Contacts, Numbers: r.Numbers, Skipped: r.SkippedByReason(),
		Matches: make([]matchJSON, 0, len(r.Matches)), Labels: r.Labels, Why: r.Why, Deferred: r.Deferred,
	}
	if m := r.Moving; m != nil {
		out.Moving = &movingJSON{m.From, m.To, m.Left, m.New}
	}
	if w := r.Waiting; w != nil {
		out.Waiting = &waitingJSON{Code: w.Refusal.Code, New: w.New, Left: w.Left}
		if !w.Next.IsZero() {
			next := w.Next.UTC().Truncate(time.Second)
			out.Waiting.Next = &next
		}
	}
	for _, m := range r.Matches {
		out.Matches = append(out.Matches, matchJSON{m.Number, m.Name, m.OtherNames, m.Label})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

// printResult writes a result for people: the matches, what was skipped and why, and the sums.
func printResult(w io.Writer, r *client.Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Matches) > 0 {
		fmt.Fprintln(table, "NAME\tNUMBER\tREGISTERED AS")
	}
	for _, m := range r.Matches {
		fmt.Fprintf(table, "%s\t%s\t%s\n", printable(m.Name), m.Number, printable(m.Label))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := printSkipped(w, r); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d of %d numbers in %d contacts are registered (mode %s, epoch %d; %d evaluated now)\n",
		len(r.Matches), r.Numbers, r.Contacts, r.Mode, r.Epoch, r.Evaluated)
	if r.Deferred > 0 {
		fmt.Fprintf(w, "%d numbers wait for the budget, until %s\n", r.Deferred, r.Next.Format("2006-01-02 15:04"))
	}
	if m := r.Moving; m != nil {
		fmt.Fprintf(w, "the move from epoch %d to %d waits for quota: %d elements are left, and %d new numbers were not looked up; the next run with this --state goes on\n",
			m.From, m.To, m.Left, m.New)
	}
	if waiting := r.Waiting; waiting != nil {
		fmt.Fprintf(w, "not looked up yet: %d of %d numbers; %s\n", waiting.New, r.Numbers, refusalText(waiting.Refusal, time.Now()))
	}
	_, err := fmt.Fprintf(w, "%s Lookups and labels took %s.\n", r.Why, bytesText(r.Bytes))
	return err
}

// bytesText writes a length in decimal units.
func bytesText(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}

// printSkipped lists every contact that could not be looked up, with its place in the file and the reason.
func printSkipped(w io.Writer, r *client.Result) error {
	if len(r.Skipped) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nNot looked up:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range r.Skipped {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", s.Place, printable(s.Name), printable(s.Raw), s.Reason.Explain())
	}
	return table.Flush()
}

// printable replaces control characters, which an address book from elsewhere could use to write on the terminal, and
// shortens what is very long.
func printable(s string) string {
	const longest = 60
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if len(out) == longest {
			out = append(out, '…')
			break
		}
		if !isPrintable(r) {
			r = '�'
		}
		out = append(out, r)
	}
	return string(out)
}

// isPrintable reports whether a rune may be shown on a terminal: no control character, and none that changes the
// direction of what follows.
func isPrintable(r rune) bool {
	switch {
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f:
		return false
	case r == 0x200d: // joins the parts of an emoji
		return true
	default:
		return unicode.IsGraphic(r)
	}
}
