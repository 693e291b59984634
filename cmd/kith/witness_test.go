package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/crypto/secret"
	"github.com/kith-project/kith/crypto/voprf"
)

// forks returns two logs of one signer, neither of which extends the other.
func forks(t *testing.T) (verifier string, logs [2]keylog.Message) {
	t.Helper()
	signer, err := keylog.NewSigner("kith.example/keylog", secret.Value{1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range logs {
		entry := keylog.Entry{Event: keylog.EventEpoch, Epoch: 1, Suite: voprf.Suite, Time: time.UnixMilli(1_700_000_000_000)}
		entry.PublicKey[0] = byte(i)
		if logs[i], err = keylog.Append(keylog.Message{}, signer, entry); err != nil {
			t.Fatal(err)
		}
	}
	return signer.VerifierKey(), logs
}

// witness returns the command of a witness, which has signed nothing yet, at a server.
func witness(t *testing.T, server, verifier string) *keylogCosignCommand {
	t.Helper()
	dir := t.TempDir()
	cmd := &keylogCosignCommand{
		Key: filepath.Join(dir, "key"), Name: "witness.example", Checkpoint: filepath.Join(dir, "checkpoint"), First: true,
	}
	cmd.Server, cmd.VerifierKey = server, verifier
	return cmd
}

// TestOverlappingCosignsSignOneLog shows two forks to two runs of a witness at once, the second of which begins while the
// first waits for its log. Signing both is what a witness is there not to do.
func TestOverlappingCosignsSignOneLog(t *testing.T) {
	verifier, logs := forks(t)
	var (
		mu    sync.Mutex
		asked int
	)
	first, second := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n := asked
		asked++
		mu.Unlock()
		switch n {
		case 0:
			close(first)
			select {
			case <-second:
			case <-time.After(time.Second): // the second run waits for this one to end
			}
		case 1:
			close(second)
		}
		_ = json.NewEncoder(w).Encode(logs[min(n, 1)])
	}))
	defer s.Close()
	signed := witness(t, s.URL, verifier)
	again := *signed
	var (
		wg    sync.WaitGroup
		lines [2]bytes.Buffer
		errs  [2]error
	)
	run := func(i int, cmd *keylogCosignCommand) {
		wg.Go(func() { errs[i] = cmd.Run(t.Context(), &terminal{stdout: &lines[i], stderr: &bytes.Buffer{}}) })
	}
	run(0, signed)
	<-first
	run(1, &again)
	wg.Wait()
	if errs[0] != nil || !strings.HasPrefix(lines[0].String(), "— witness.example ") {
		t.Errorf("the first run: got %q, %v, want a signature", lines[0].String(), errs[0])
	}
	if errs[1] == nil || lines[1].Len() != 0 {
		t.Errorf("the second run: got %q, %v, want no signature", lines[1].String(), errs[1])
	}
	// With the flag that it then needs, it sees the fork.
	again.First = false
	if err := again.Run(t.Context(), &terminal{stdout: &lines[1], stderr: &bytes.Buffer{}}); !errors.Is(err, keylog.ErrFork) || lines[1].Len() != 0 {
		t.Errorf("the second run once more: got %q, %v, want ErrFork", lines[1].String(), err)
	}
	if text, err := os.ReadFile(signed.Checkpoint); err != nil || string(text) != logs[0].Checkpoint {
		t.Errorf("the checkpoint is %q, %v, want that of the log that was signed", text, err)
	}
}

// TestCheckpointInUse has something else hold the checkpoint for as long as a command waits.
func TestCheckpointInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	release, err := client.FileState(path).(client.StateLocker).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = checkpointFile(path).lock(t.Context(), 20*time.Millisecond)
	if hint, ok := errors.AsType[*hinted](err); !ok || !strings.HasPrefix(err.Error(), path+" is in use by another kith keylog") || hint.hint == "" {
		t.Errorf("got %v, want it said that the file is in use", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { _ = release() })
	unlock, err := checkpointFile(path).lock(t.Context(), time.Minute)
	if err != nil {
		t.Fatalf("while it becomes free: %v", err)
	}
	unlock()
	if unlock, err = checkpointFile(path).lock(t.Context(), 0); err != nil {
		t.Fatalf("free again: %v", err)
	}
	unlock()
}

// TestSignatureIsNotGivenOutBeforeItIsRemembered makes the checkpoint impossible to write.
func TestSignatureIsNotGivenOutBeforeItIsRemembered(t *testing.T) {
	verifier, logs := forks(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(logs[0]) }))
	defer s.Close()
	cmd := witness(t, s.URL, verifier)
	if err := os.MkdirAll(filepath.Join(cmd.Checkpoint+".tmp", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	var line bytes.Buffer
	if err := cmd.Run(t.Context(), &terminal{stdout: &line, stderr: &bytes.Buffer{}}); err == nil || line.Len() != 0 {
		t.Errorf("got %q, %v, want an error and no signature", line.String(), err)
	}
}
