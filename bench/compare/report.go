package compare

import (
	"fmt"
	"strconv"
	"strings"
)

// what says what each work is.
var what = map[string]string{
	Kith:         "Kith, over HTTP",
	KithJSON:     "Kith, over HTTP, bodies in JSON",
	Engine:       "Kith's engine alone, in its process",
	Circl:        "circl's VOPRF behind Echo",
	Edwards25519: "filippo.io/edwards25519 behind Echo, no proof",
	Hashed:       "hashed numbers in Redis behind Echo, no privacy",
}

// What says what the row's work is.
func (r Row) What() string { return what[r.Name] }

// KithJSON is the name of Kith's work with bodies in JSON.
const KithJSON = "kith-json"

// Report is the result as a table.
func (r *Result) Report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "One core of %s, %s, engine %s: medians of %d rounds.\n", r.Machine.CPU, r.Machine.Go, r.Engine, r.Rounds)
	contacts := 0
	for _, row := range r.Rows {
		if row.Contacts != contacts {
			contacts = row.Contacts
			fmt.Fprintf(&b, "\n%-50s %10s %10s %12s  %s\n", fmt.Sprintf("contacts in a request: %d", contacts), "server µs", "Redis µs", "times Kith's", "from, to")
		}
		fmt.Fprintf(&b, "%-50s %10.2f %10.2f %12s  %s, %s\n", row.What(), row.Server, row.Store,
			times(row.Ratio.Median), times(row.Ratio.Least), times(row.Ratio.Most))
	}
	b.WriteString("\nTimes are of processors, for one contact. What Kith keeps of its engine's rate over HTTP:")
	for _, contacts := range []int{1024, 16, 1} {
		if kept := r.Kept(contacts); kept > 0 {
			fmt.Fprintf(&b, " %.0f %% at %d,", 100*kept, contacts)
		}
	}
	return strings.TrimSuffix(b.String(), ",") + ".\n"
}

// times writes a ratio with three digits.
func times(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) }
