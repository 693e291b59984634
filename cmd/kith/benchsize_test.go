package main

import (
	"os"
	"strings"
	"testing"

	"github.com/kith-project/kith/bench/size"
)

// TestSizingDocument holds docs/sizing.md to what the command prints and to the constants in the code.
func TestSizingDocument(t *testing.T) {
	document, err := os.ReadFile(root + "/docs/sizing.md")
	if err != nil {
		t.Fatal(err)
	}
	r := runKith(t, "bench", "size", "--table")
	if r.status != 0 {
		t.Fatalf("got status %d and %q", r.status, r.stderr)
	}
	for name, table := range map[string]string{"kith bench size --table": r.stdout, "the constants": size.MarkdownConstants()} {
		if !strings.Contains(string(document), "\n\n"+table+"\n") {
			t.Errorf("docs/sizing.md does not have the table of %s:\n%s", name, table)
		}
	}
}

// TestSizeLayoutIsTheServers has sizes at which the layout changes.
func TestSizeLayoutIsTheServers(t *testing.T) {
	for users, want := range map[int64]size.Layout{
		1:             {PartitionBits: 0, BucketBits: 0, Slots: 8, TagBytes: 3},
		1_000_000:     {PartitionBits: 8, BucketBits: 14, Slots: 112, TagBytes: 5},
		500_000_000:   {PartitionBits: 8, BucketBits: 23, Slots: 104, TagBytes: 5},
		2_000_000_000: {PartitionBits: 8, BucketBits: 23, Slots: 328, TagBytes: 5},
	} {
		got := sizeLayout(users)
		if got != want {
			t.Errorf("%d users: got %+v, want %+v", users, got, want)
		}
	}
}
