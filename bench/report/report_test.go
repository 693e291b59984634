package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/bench/compare"
	"github.com/kith-project/kith/bench/engine"
	"github.com/kith-project/kith/bench/meter"
)

func sources() *Sources {
	result := func(name string, ratio float64) *engine.Result {
		r := &engine.Result{Engine: name, Circl: map[string]float64{}, Kith: map[string]float64{}, Ratio: map[string]float64{}, Quartiles: map[string][2]float64{}}
		for _, row := range engine.Rows() {
			r.Circl[row.Name], r.Kith[row.Name], r.Ratio[row.Name], r.Quartiles[row.Name] = 100, 100/ratio, ratio, [2]float64{ratio - 1, ratio + 1}
		}
		return r
	}
	c := &compare.Result{Machine: meter.Machine{CPU: "Some CPU", Go: "go1.26"}, Engine: "ifma", Rounds: 10}
	for _, row := range []struct {
		name          string
		server, ratio float64
	}{{compare.Engine, 7.2, 0.9}, {compare.Kith, 8, 1}, {compare.Circl, 136, 17}, {compare.Edwards25519, 56, 7}, {compare.Hashed, 0.4, 0.05}} {
		c.Rows = append(c.Rows, compare.Row{Name: row.name, Contacts: 1024, Server: row.server, Ratio: compare.Spread{Median: row.ratio, Least: row.ratio - 0.01, Most: row.ratio + 1}})
	}
	return &Sources{Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Engines: []*engine.Result{result("ifma", 20), result("portable", 2)}, Compare: c}
}

func TestMarkdown(t *testing.T) {
	text := string(sources().Markdown("plot.svg"))
	for _, want := range []string{
		"Some CPU, go1.26, one core, 2026-01-02.",
		"| a contact evaluated and proven by HTTP, 1,024 in a request | 8.0 µs | 136 µs | **17.0x** |",
		"| contacts a second and core | 125,000 | 7,352 | |",
		"![What a contact costs a server](plot.svg)",
		"`kith bench compare`: medians of 10 rounds",
		"| 1,024 | circl's VOPRF behind Echo | 136.00 µs | 0.00 µs | 17 (17 to 18) |",
		"90 % with 1,024 contacts in a request.",
		"| `portable` | 100.00 | 50.00 | 2.0x (1.0 to 3.0) |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}

func TestInto(t *testing.T) {
	document := []byte("# Title\n" + begin + "\nold\n" + end + "\nmore\n")
	for _, want := range []string{"new", "newer"} { // again into what it has written itself
		got, err := Into(document, []byte(want+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if text := "# Title\n" + begin + "\n\n" + want + "\n\n" + end + "\nmore\n"; string(got) != text {
			t.Errorf("got %q, want %q", got, text)
		}
		document = got
	}
	for _, bad := range []string{"", begin + "\n", end + "\n", "x" + begin} {
		if _, err := Into([]byte(bad), nil); !errors.Is(err, ErrMarkers) {
			t.Errorf("%q: got %v, want ErrMarkers", bad, err)
		}
	}
}

func TestPlot(t *testing.T) {
	svg, err := sources().Plot()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "Kith: 8", "circl&#39;s VOPRF: 136"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("the plot lacks %q:\n%s", want, svg)
		}
	}
}
