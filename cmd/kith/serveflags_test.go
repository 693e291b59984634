package main

import (
	"strings"
	"testing"
)

// TestServeRefuses gives kith serve flags that are out of range, one at a time: each is refused by its name, before anything is opened.
func TestServeRefuses(t *testing.T) {
	if err := parsed(t, "serve", "--ephemeral").Serve.check(); err != nil {
		t.Fatalf("the defaults: got %v", err)
	}
	for _, flag := range []string{
		"--expected-users=0", "--min-anonymity=0", "--rescan-interval=999ms", "--snapshot-interval=59s", "--keep-changes=59s",
		"--keep-tombstones=59m", "--rotation-share=0", "--rotation-share=1.1", "--rotation-lease=99ms", "--rotation-lease=6m",
		"--sweep-after=99ms", "--second-sweep=99ms", "--key-ceiling=0",
	} {
		err := parsed(t, "serve", "--ephemeral", flag).Serve.check()
		if name, _, _ := strings.Cut(flag, "="); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want it refused by its name", flag, err)
		}
	}
	if err := parsed(t, "serve").Serve.check(); err == nil {
		t.Error("no store: got no error")
	}
}
