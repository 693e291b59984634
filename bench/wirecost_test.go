package bench_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/kith-project/kith/bench"
)

var update = flag.Bool("update", false, "rewrite docs/wire-cost.md with its plot, and the tables of docs/metering.md")

// TestWireCostDocument holds the document to the client's planner.
func TestWireCostDocument(t *testing.T) {
	svg, err := bench.WireCostPlot()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]byte{"../docs/wire-cost.md": []byte(bench.WireCost()), "../docs/wire-cost.svg": svg} {
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not current: go test ./bench -run WireCost -update", path)
		}
	}
}
