//go:build !windows

package main

import (
	"net/http"
	"syscall"
	"testing"
)

// TestHangupAtTheStart sends SIGHUP as soon as a server has said where it answers. It used to end most of them.
func TestHangupAtTheStart(t *testing.T) {
	for range 4 {
		s := serve(t, t.TempDir(), "--ephemeral")
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		answer, err := http.Get(s.url + "/v1/directory")
		if err != nil {
			t.Fatalf("after SIGHUP: %v", err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("after SIGHUP: got %s, want 200", answer.Status)
		}
	}
}
