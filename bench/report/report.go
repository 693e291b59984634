package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kith-project/kith/bench/compare"
	"github.com/kith-project/kith/bench/engine"
)

// Sources is what was measured.
type Sources struct {
	Date    time.Time
	Engines []*engine.Result // by the fastest engine of the machine first
	Compare *compare.Result
}

// ErrMarkers means a document without the lines between which a report belongs.
var ErrMarkers = errors.New("report: the document has no place for the report")

// The lines of a document between which the report stands.
const (
	begin = "<!-- kith bench report: what follows is written by it -->"
	end   = "<!-- kith bench report: the end -->"
)

// Into returns a document with the report in its place. It returns ErrMarkers.
func Into(document, report []byte) ([]byte, error) {
	before, rest, found := bytes.Cut(document, []byte(begin+"\n"))
	_, after, found2 := bytes.Cut(rest, []byte(end+"\n"))
	if !found || !found2 {
		return nil, ErrMarkers
	}
	return bytes.Join([][]byte{before, []byte(begin), []byte("\n\n"), report, []byte("\n"), []byte(end), []byte("\n"), after}, nil), nil
}

// Markdown returns the report. plot is where its plot is, as the document names it, or empty.
func (s *Sources) Markdown(plot string) []byte {
	var b bytes.Buffer
	m := s.Compare.Machine
	fmt.Fprintf(&b, "%s, %s, one core, %s.\n\n", m.CPU, m.Go, s.Date.Format("2006-01-02"))
	s.hurry(&b)
	if plot != "" {
		fmt.Fprintf(&b, "\n![What a contact costs a server](%s)\n", plot)
	}
	s.comparison(&b)
	s.engines(&b)
	return b.Bytes()
}

// hurry writes the table for people in a hurry.
func (s *Sources) hurry(b *bytes.Buffer) {
	kith, _ := s.Compare.Row(compare.Kith, most)
	circl, _ := s.Compare.Row(compare.Circl, most)
	fastest := s.Engines[0]
	fmt.Fprintf(b, "| | Kith | circl | |\n|---|---:|---:|---:|\n")
	fmt.Fprintf(b, "| a contact evaluated and proven by HTTP, %s in a request | %.1f µs | %.0f µs | **%.1fx** |\n", thousands(most), kith.Server+kith.Store, circl.Server, circl.Ratio.Median)
	fmt.Fprintf(b, "| contacts a second and core | %s | %s | |\n", thousands(rate(kith.Server)), thousands(rate(circl.Server)))
	for _, row := range []struct{ name, what string }{
		{"evaluate", "the arithmetic alone, without a proof"},
		{"prove_1024", "with a proof over 1,024"},
		{"client_1000", "what a client computes for a contact, of 1,000"},
	} {
		fmt.Fprintf(b, "| %s | %.1f µs | %.0f µs | %.1fx |\n", row.what, fastest.Kith[row.name], fastest.Circl[row.name], fastest.Ratio[row.name])
	}
}

// most is the size of the requests that the headline is about.
const most = 1024

// rate returns how many a second take so many µs each.
func rate(micros float64) int { return int(1e6 / micros) }

// comparison writes the tables of what could be picked instead.
func (s *Sources) comparison(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## Side by side\n\n`kith bench compare`: medians of %d rounds, engine `%s`. Processor time for one contact; in brackets the least and the most\n", s.Compare.Rounds, s.Compare.Engine)
	b.WriteString("of the rounds. Kith's figures have its tokens, quotas, queue, metrics and logs; the others have none of these.\n\n")
	b.WriteString("| contacts in a request | who | server | Redis | times Kith's |\n|---:|---|---:|---:|---:|\n")
	for _, row := range s.Compare.Rows {
		fmt.Fprintf(b, "| %s | %s | %.2f µs | %.2f µs | %.3g (%.3g to %.3g) |\n", thousands(row.Contacts), row.What(), row.Server, row.Store, row.Ratio.Median, row.Ratio.Least, row.Ratio.Most)
	}
	var kept []string
	for _, contacts := range []int{1024, 16, 1} {
		if share := s.Compare.Kept(contacts); share > 0 {
			plural := "s"
			if contacts == 1 {
				plural = ""
			}
			kept = append(kept, fmt.Sprintf("%.0f %% with %s contact%s in a request", 100*share, thousands(contacts), plural))
		}
	}
	fmt.Fprintf(b, "\nOf the engine's rate Kith keeps over HTTP: %s.\n", strings.Join(kept, ", "))
}

// engines writes the tables of the arithmetic.
func (s *Sources) engines(b *bytes.Buffer) {
	b.WriteString("\n## The arithmetic\n\n`kith bench engine`, and `kith bench engine --engine portable`: µs an element, medians of turns that both took alternately; in\nbrackets the middle half of the ratios.\n\n")
	b.WriteString("| | engine | circl | Kith | ratio |\n|---|---|---:|---:|---:|\n")
	for _, r := range s.Engines {
		for _, row := range engine.Rows() {
			spread := r.Quartiles[row.Name]
			fmt.Fprintf(b, "| %s | `%s` | %.2f | %.2f | %.1fx (%.1f to %.1f) |\n", row.What, r.Engine, r.Circl[row.Name], r.Kith[row.Name], r.Ratio[row.Name], spread[0], spread[1])
		}
	}
}

// thousands writes an integer with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
