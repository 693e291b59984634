package server

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
		problems = append(problems, apitest.Problem{Code: m[1], Title: m[3], Type: (&kind{code: m[1]}).page(), Status: statuses[m[2]]})
	}
	slices.SortFunc(problems, func(a, b apitest.Problem) int { return strings.Compare(a.Code, b.Code) })
	return problems
}

// TestEveryProblemIsDocumented holds problem.go, docs/openapi.yaml, and the pages of docs/problems with their index to each
// other: the type of a problem is the address of its page, which has its status, title, members and headers.
func TestEveryProblemIsDocumented(t *testing.T) {
	made := problemsMade(t)
	d, err := apitest.Parse(apiDocument)
	if err != nil {
		t.Fatal(err)
	}
	documented, err := d.Problems()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for i, p := range documented {
		checkPage(t, p)
		rows = append(rows, fmt.Sprintf("| %d | [%s](problems/%[2]s.md) | %s |", p.Status, p.Code, p.Title))
		documented[i].Members = ""
	}
	if len(made) < 20 || !slices.Equal(made, documented) {
		t.Errorf("problem.go makes\n%v, docs/openapi.yaml has\n%v", made, documented)
	}

	index, err := os.ReadFile("../docs/problems.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`(?m)^\| \d+ \| .+ \|$`).FindAllString(string(index), -1)
	slices.Sort(listed)
	slices.Sort(rows)
	if !slices.Equal(listed, rows) {
		t.Errorf("docs/problems.md lists\n%s\nwant\n%s", strings.Join(listed, "\n"), strings.Join(rows, "\n"))
	}
	pages, err := filepath.Glob("../docs/problems/*")
	if err != nil || len(pages) != len(made) {
		t.Errorf("docs/problems has %d pages, %v, want %d", len(pages), err, len(made))
	}
}

// ownOf are the members and headers that a page has in its list.
var ownOf = regexp.MustCompile("(?m)^- `([A-Za-z-]+)`: ")

// checkPage looks at the page of a type of problem, which is where its type leads.
func checkPage(t *testing.T, p apitest.Problem) {
	t.Helper()
	_, path, _ := strings.Cut(p.Type, "/blob/main/")
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
	if err != nil {
		t.Errorf("%s leads nowhere: %v", p.Type, err)
		return
	}
	page := string(text)
	if want := fmt.Sprintf("# %s\n\n%d. %s\n\n## What happened\n\n", p.Code, p.Status, p.Title); !strings.HasPrefix(page, want) {
		t.Errorf("%s begins with\n%.200s\nwant\n%s", path, page, want)
	}
	if !strings.Contains(page, "\n\n## What to do\n\n") || !strings.Contains(page, "\n\n## Members and headers\n\n") {
		t.Errorf("%s lacks a section", path)
	}
	var members []string
	retryAfter := false
	for _, m := range ownOf.FindAllStringSubmatch(page, -1) {
		retryAfter = retryAfter || m[1] == "Retry-After"
		if strings.ToLower(m[1]) == m[1] {
			members = append(members, m[1])
		}
	}
	slices.Sort(members)
	if got := strings.Join(members, " "); got != p.Members {
		t.Errorf("%s has the members %q, want %q", path, got, p.Members)
	}
	if want := p.Status >= 500 || p.Status == http.StatusTooManyRequests; retryAfter != want {
		t.Errorf("%s has Retry-After: %t, want %t", path, retryAfter, want)
	}
}
