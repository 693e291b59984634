package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the root of the repository, from the folder of this package.
const root = "../.."

var (
	testName   = regexp.MustCompile("`[^`\n]*\\b(Test[A-Z]\\w+)`")
	testFunc   = regexp.MustCompile(`(?m)^func (Test[A-Z]\w+)\(`)
	markedLink = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInLinks = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestDocumentsNameWhatExists holds the README and the documents to the tests and files that they name.
func TestDocumentsNameWhatExists(t *testing.T) {
	tests := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	documents, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	problems, err := filepath.Glob(root + "/docs/problems/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, document := range slices.Concat(documents, problems, []string{root + "/README.md", root + "/CONTRIBUTING.md"}) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testName.FindAllSubmatch(text, -1) {
			named++
			if !tests[string(m[1])] {
				t.Errorf("%s names %s, which there is not", document, m[1])
			}
		}
		for _, m := range markedLink.FindAllSubmatch(text, -1) {
			if !leads(document, string(m[1]), string(m[2])) {
				t.Errorf("%s links to %s%s, which there is not", document, m[1], m[2])
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d tests are named: the expression does not find them", named)
	}
}

// leads reports whether a link of a document leads somewhere: to a file, or with "#..." to a heading of it.
func leads(document, file, fragment string) bool {
	target := document
	if file != "" {
		target = filepath.Join(filepath.Dir(document), file)
	}
	if fragment == "" {
		_, err := os.Stat(target)
		return err == nil
	}
	text, err := os.ReadFile(target)
	if err != nil {
		return false
	}
	for _, m := range heading.FindAllSubmatch(text, -1) {
		plain := notInLinks.ReplaceAllString(strings.ToLower(string(m[1])), "")
		if "#"+strings.ReplaceAll(plain, " ", "-") == fragment {
			return true
		}
	}
	return false
}
