package engine

import (
	"fmt"
	"slices"
	"strings"
)

// A Row is one comparison of a Result: its name there, and what it is.
type Row struct{ Name, What string }

// Rows returns the comparisons in the order of the report.
func Rows() []Row { return slices.Clone(rows) }

var rows = []Row{
	{"evaluate", "1,024 elements, without a proof"},
	{"prove_1024", "1,024 elements with a proof"},
	{"prove_16", "16 elements with a proof"},
	{"prove_1", "1 element with a proof"},
	{"client_1000", "a client's part for 1,000 contacts"},
}

// Report is the result as a table.
func (r *Result) Report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Engine %s on one core of %s, %s.\n\n", r.Engine, r.CPU, r.Go)
	fmt.Fprintf(&b, "%-36s%9s%9s%9s%20s%8s\n", "µs an element", "circl", "Kith", "ratio", "half of the turns", "turns")
	for _, row := range rows {
		spread := r.Quartiles[row.Name]
		fmt.Fprintf(&b, "%-36s%9.2f%9.2f%9.2f%20s%8d\n", row.What, r.Circl[row.Name], r.Kith[row.Name], r.Ratio[row.Name],
			fmt.Sprintf("%.2f to %.2f", spread[0], spread[1]), r.Rounds[row.Name])
	}
	return b.String()
}
