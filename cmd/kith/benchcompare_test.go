package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/kith-project/kith/bench/compare"
)

// TestBenchCompare runs a comparison as short as can be: that all servers do their work, and every row is there.
func TestBenchCompare(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal(err)
	}
	var r compare.Result
	if err := json.Unmarshal([]byte(output(t, "bench", "compare", "--rounds", "1", "--turn", "10ms", "--json")), &r); err != nil {
		t.Fatal(err)
	}
	for _, contacts := range comparedContacts {
		for _, name := range []string{compare.Engine, compare.Kith, compare.KithJSON, compare.Circl, compare.Edwards25519, compare.Hashed} {
			row, found := r.Row(name, contacts)
			if !found || row.PerSecond <= 0 || name == compare.Kith && row.Ratio.Median != 1 {
				t.Errorf("%s, %d contacts: got %+v", name, contacts, row)
			}
		}
	}
	if report := r.Report(); !strings.Contains(report, "contacts in a request: 1024") {
		t.Errorf("the report has no part for 1,024 contacts:\n%s", report)
	}
}
