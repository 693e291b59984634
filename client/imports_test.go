package client_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports: an app that links this package gets neither the server nor Redis with it.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skip("no go command: ", err)
	}
	for _, path := range strings.Fields(string(out)) {
		if strings.HasPrefix(path, "github.com/kith-project/kith/server") || strings.Contains(path, "redis") {
			t.Errorf("client imports %s", path)
		}
	}
}
