package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// scripted answers GET /v1/epochs with one answer after another, and with the last one from then on.
func scripted(t *testing.T, answers ...any) *adminFlags {
	t.Helper()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch a := answers[min(int(asked.Add(1)), len(answers))-1].(type) {
		case int:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(a)
			fmt.Fprintf(w, `{"code":"code-%d","title":"Title."}`, a)
		default:
			_ = json.NewEncoder(w).Encode(a)
		}
	}))
	t.Cleanup(s.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &adminFlags{Admin: s.URL, TokenFile: token}
}

// standing returns an answer in which epoch 2 is in a state, with a rotation if it has a phase.
func standing(state string, r rotationState) epochsStatus {
	e := epochStatus{ID: 2, State: state, From: 1}
	if r.Phase != "" {
		e.Rotation = &r
	}
	return epochsStatus{Epochs: []epochStatus{{ID: 1, State: stateActive}, e}}
}

func TestWait(t *testing.T) {
	copying := standing(stateStaged, rotationState{Phase: "copy", Items: 256, ItemsDone: 17, Records: 12345, RecordsDone: 600, RecordsPerSecond: 1500.4, ETASeconds: 65, Auto: true})
	tests := []struct {
		name    string
		answers []any
		stdout  string // "" for an error
		stderr  []string
		err     string
		hint    string
	}{
		{
			name: "until it is active", stdout: "epoch 2 is active\n",
			answers: []any{copying, standing(stateStaged, rotationState{Phase: "ready", Auto: true}), standing(stateActive, rotationState{Phase: "settle"})},
			stderr:  []string{"kith: epoch 2: copying registrations, 600 of 12345, 1500 a second, about 1m5s left\n", "it becomes active in a moment"},
		},
		{name: "it drains already", answers: []any{standing(stateDraining, rotationState{})}, stdout: "epoch 2 is active\n"},
		{name: "servers are restarted", answers: []any{copying, 503, 502, standing(stateActive, rotationState{})}, stdout: "epoch 2 is active\n"},
		{
			name: "by hand", stdout: "epoch 2 is verified\n", stderr: []string{"kith: kith epoch activate 2 makes it active\n"},
			answers: []any{standing(stateStaged, rotationState{Phase: "ready"})},
		},
		{
			name: "aborted", answers: []any{copying, standing(stateAborted, rotationState{Phase: "sweep"})},
			err: "the rotation to epoch 2 was aborted", hint: "epoch 1 is in use as before",
		},
		{
			name: "unreadable", err: "3 registrations can not be read, so that epoch 2 does not become active by itself",
			answers: []any{standing(stateStaged, rotationState{Phase: "verify", Items: 8, ItemsDone: 8, Unreadable: 3, Accepted: 1, Auto: true})},
			hint:    "kith epoch activate 2 --accept-loss 3 gives up what can not be read, kith epoch abort 2 stays with epoch 1",
		},
		{
			name: "some unreadable, and still at it", stdout: "epoch 2 is active\n",
			answers: []any{standing(stateStaged, rotationState{Phase: "verify", Items: 8, ItemsDone: 7, Unreadable: 3, Auto: true}), standing(stateActive, rotationState{})},
		},
		{
			name: "unreadable and accepted", stdout: "epoch 2 is active\n",
			answers: []any{standing(stateStaged, rotationState{Phase: "verify", Items: 8, ItemsDone: 8, Unreadable: 3, Accepted: 3, Auto: true}), standing(stateActive, rotationState{})},
		},
		{
			name: "token refused", answers: []any{copying, 401}, err: "the server refused (code-401): Title.",
			stderr: []string{"kith: the rotation to epoch 2 goes on in the servers\n"},
		},
		{name: "another store", answers: []any{epochsStatus{}}, err: "the servers do not know epoch 2 any more", hint: "has the store been replaced?"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			err := newWait(scripted(t, test.answers...), &terminal{stdout: &stdout, stderr: &stderr}, 2).run(t.Context())
			if stdout.String() != test.stdout {
				t.Errorf("got %q on standard output, want %q", &stdout, test.stdout)
			}
			for _, want := range test.stderr {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("standard error lacks %q: %q", want, &stderr)
				}
			}
			if test.stdout != "" {
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			}
			if err == nil || err.Error() != test.err {
				t.Fatalf("got error %v, want %s", err, test.err)
			}
			if h, ok := errors.AsType[*hinted](err); test.hint != "" && (!ok || !strings.Contains(h.hint, test.hint)) {
				t.Errorf("got hint %+v, want %s", h, test.hint)
			}
		})
	}
}

// TestWaitInterrupted shows that Ctrl-C says that the rotation goes on.
func TestWaitInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	admin := scripted(t, standing(stateStaged, rotationState{Phase: "copy", Items: 8, Auto: true}))
	var stderr lockedBuffer
	ended := make(chan error)
	go func() { ended <- newWait(admin, &terminal{stdout: &stderr, stderr: &stderr}, 2).run(ctx) }()
	for !strings.Contains(stderr.String(), "copying") {
		select {
		case err := <-ended:
			t.Fatalf("it has ended with %v", err)
		default:
		}
	}
	cancel()
	var out strings.Builder
	report(&out, <-ended)
	want := "kith: interrupted: the rotation to epoch 2 goes on in the servers\n" +
		"hint: kith epoch rotate --wait joins it again, kith epoch abort 2 ends it\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestWarningsOfStatus(t *testing.T) {
	s := standing(stateStaged, rotationState{Phase: "copy", Unreadable: 2})
	s.KeyCeiling, s.Epochs[0].Evaluations = 1<<40, 1<<40
	got := strings.Join(s.warnings(), "\n")
	want := "the key of epoch 1 has evaluated 1099511627776 elements, over its ceiling of 2^40: rotate it (kith epoch rotate)\n" +
		"2 registrations can not be read, so that epoch 2 does not become active by itself: " +
		"kith epoch activate 2 --accept-loss 2 gives up what can not be read, kith epoch abort 2 stays with epoch 1"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s.Epochs[0].Evaluations, s.Epochs[1].Rotation = 1<<40-1<<38, nil
	if got := strings.Join(s.warnings(), "\n"); !strings.Contains(got, "more than three quarters of its ceiling") {
		t.Errorf("at three quarters: got %q", got)
	}
	s.Epochs[0].Evaluations--
	if got := s.warnings(); len(got) != 0 {
		t.Errorf("below three quarters: got %q", got)
	}
	s.Epochs[0].State, s.Epochs[1] = stateDraining, epochStatus{ID: 2, State: stateActive, From: 1, Rotation: &rotationState{Phase: "settle", Unreadable: 1}}
	want = "1 registration can not be read any more, so that epoch 1 is not retired and no other rotation begins: " +
		"kith epoch activate 2 --accept-loss 1 gives up what epoch 1 alone may have of them; registering these numbers anew mends it too"
	if got := strings.Join(s.warnings(), "\n"); got != want {
		t.Errorf("while settling: got\n%s\nwant\n%s", got, want)
	}
	s.Epochs[1].Rotation.Accepted = 1
	if got := s.warnings(); len(got) != 0 {
		t.Errorf("with the loss accepted: got %q", got)
	}
}

// TestStatusIsALineAnEpoch has two epochs being removed and one drain: a line each, under the table.
func TestStatusIsALineAnEpoch(t *testing.T) {
	removed := &rotationState{Phase: "sweep", Items: 4, ItemsDone: 4}
	status := epochsStatus{Epochs: []epochStatus{
		{ID: 1, State: stateRetired, Rotation: removed}, {ID: 2, State: stateAborted, Rotation: removed},
		{ID: 3, State: stateDraining, RetireAt: time.UnixMilli(1_700_000_000_000)}, {ID: 4, State: stateActive},
	}}
	var stdout bytes.Buffer
	cmd := &epochStatusCommand{adminFlags: *scripted(t, status)}
	if err := cmd.Run(t.Context(), &terminal{stdout: &stdout, stderr: &bytes.Buffer{}}); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(stdout.String(), "\n\n")
	want := "epoch 1: over; what is stored of it is removed, and some minutes later once more, 4 of 4 ranges\n" +
		"epoch 2: over; what is stored of it is removed, and some minutes later once more, 4 of 4 ranges\n" +
		"epoch 3 drains: it answers devices that have not moved, at least until 2023-11-14 22:13:20 UTC\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
