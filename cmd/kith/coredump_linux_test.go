package main

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMemoryIsWithheld looks at a server, and at this process after the same call.
func TestMemoryIsWithheld(t *testing.T) {
	s := serve(t, t.TempDir(), "--ephemeral")
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("the server may write core dumps:\n%s", limits)
	}
	if err := withholdMemory(); err != nil {
		t.Fatal(err)
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("dumpable is %d, %v, want 0", dumpable, err)
	}
}
