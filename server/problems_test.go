package server

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestEveryProblemIsDocumented holds problem.go and docs/problems.md to each other: the type of a problem is a link to
// its section.
func TestEveryProblemIsDocumented(t *testing.T) {
	find := func(path, pattern string) []string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			codes = append(codes, string(m[1]))
		}
		slices.Sort(codes)
		return codes
	}
	made := find("problem.go", `&kind\{"([^"]+)", http\.Status`)
	documented := find("../docs/problems.md", "(?m)^## (.+)$")
	if len(made) < 20 || !slices.Equal(made, documented) {
		t.Errorf("problem.go makes\n%q, docs/problems.md has\n%q", made, documented)
	}
}
