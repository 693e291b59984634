package server

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/apitest"
)

// problemsMade returns the types of problems in problem.go, by code.
func problemsMade(t *testing.T) []apitest.Problem {
	t.Helper()
	text, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	statuses := make(map[string]int) // by the names of net/http
	for status := 400; status < 600; status++ {
		statuses[strings.ReplaceAll(http.StatusText(status), " ", "")] = status
	}
	var problems []apitest.Problem
	for _, m := range regexp.MustCompile(`&kind\{"([^"]+)", http\.Status(\w+), "([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		problems = append(problems, apitest.Problem{Code: m[1], Title: m[3], Status: statuses[m[2]]})
	}
	slices.SortFunc(problems, func(a, b apitest.Problem) int { return strings.Compare(a.Code, b.Code) })
	return problems
}

// TestEveryProblemIsDocumented holds problem.go, docs/problems.md and docs/openapi.yaml to each other: the type of a problem
// is a link to its section, which begins with its status.
func TestEveryProblemIsDocumented(t *testing.T) {
	made := problemsMade(t)
	d, err := apitest.Parse(apiDocument)
	if err != nil {
		t.Fatal(err)
	}
	documented, err := d.Problems()
	if err != nil || len(made) < 20 || !slices.Equal(made, documented) {
		t.Errorf("problem.go makes\n%v, docs/openapi.yaml has\n%v, %v", made, documented, err)
	}

	text, err := os.ReadFile("../docs/problems.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^## (.+)\n\n(\d{3})[ ,.]`).FindAllStringSubmatch(string(text), -1) {
		sections[m[1]] = m[2]
	}
	index := make(map[string]string)
	for _, row := range regexp.MustCompile(`(?m)^\| ([\d, ]+) \| (.+) \|$`).FindAllStringSubmatch(string(text), -1) {
		for _, m := range regexp.MustCompile(`\[([^]]+)\]\(#([^)]+)\)`).FindAllStringSubmatch(row[2], -1) {
			if m[1] == m[2] {
				index[m[1]] = row[1]
			}
		}
	}
	for _, p := range made {
		status := strconv.Itoa(p.Status)
		if sections[p.Code] != status {
			t.Errorf("the section of %s in docs/problems.md begins with %q, want %s", p.Code, sections[p.Code], status)
		}
		if !slices.Contains(strings.Split(index[p.Code], ", "), status) {
			t.Errorf("%s is in the row %q of the table in docs/problems.md, want %s", p.Code, index[p.Code], status)
		}
	}
	if len(sections) != len(made) || len(index) != len(made) {
		t.Errorf("docs/problems.md has %d sections and %d codes in its table, want %d", len(sections), len(index), len(made))
	}
}
