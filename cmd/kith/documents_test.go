package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the root of the repository, from the folder of this package.
const root = "../.."

var (
	testName   = regexp.MustCompile("`[^`\n]*\\b(Test[A-Z]\\w+)`")
	testFunc   = regexp.MustCompile(`(?m)^func (Test[A-Z]\w+)\(`)
	markedLink = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
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
	named := 0
	for _, document := range append(documents, root+"/README.md", root+"/CONTRIBUTING.md") {
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
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), string(m[1]))); err != nil {
				t.Errorf("%s links to %s, which there is not", document, m[1])
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d tests are named: the expression does not find them", named)
	}
}
