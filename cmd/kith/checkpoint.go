package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/kith-project/kith/client"
	"github.com/kith-project/kith/crypto/keylog"
)

const (
	// lockPatience is how long a command waits for another that has the checkpoint: as long as one may take that has a slow
	// server.
	lockPatience = 10 * time.Second
	// lockEvery is how often it looks.
	lockEvery = 50 * time.Millisecond
)

// checkpointFile is where the checkpoint that was verified last is remembered: a signed note. "" remembers nothing.
type checkpointFile string

// lock keeps other commands from the file, from before it is read until after it is written: of two at once, each would
// compare the log that it is shown with the same checkpoint, and both could pass that are no continuation of each other. The
// lock is that of a client's state, which ends with the process.
func (f checkpointFile) lock(ctx context.Context, patience time.Duration) (unlock func(), err error) {
	locker, ok := client.FileState(string(f)).(client.StateLocker)
	if f == "" || !ok {
		return func() {}, nil
	}
	for deadline := time.Now().Add(patience); ; {
		release, err := locker.Lock(ctx)
		switch {
		case err == nil:
			return func() { _ = release() }, nil
		case !errors.Is(err, client.ErrStateInUse):
			return nil, fileError("checkpoint", err)
		case time.Now().After(deadline):
			return nil, withHint(fmt.Errorf("%s is in use by another kith keylog, for more than %s", string(f), patience), "run one at a time; the lock ends with the process that has it")
		}
		if err := pause(ctx, lockEvery); err != nil {
			return nil, err
		}
	}
}

// load returns the checkpoint, or nil if there is none yet.
func (f checkpointFile) load() (*keylog.Checkpoint, error) {
	if f == "" {
		return nil, nil
	}
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError("checkpoint", err)
	}
	body, _, _ := strings.Cut(string(text), "\n\n")
	c, err := keylog.ParseCheckpoint(body + "\n")
	if err != nil {
		return nil, withHint(fmt.Errorf("%s: %w", string(f), err), "it is damaged, or no checkpoint: without it the log can not be compared with what was seen before")
	}
	return &c, nil
}

// save remembers the checkpoint of a log that was verified, in one step and so that a power cut does not undo it.
func (f checkpointFile) save(ctx context.Context, m keylog.Message) error {
	if f == "" {
		return nil
	}
	if err := client.FileState(string(f)).Save(ctx, []byte(m.Checkpoint)); err != nil {
		return fileError("checkpoint", err)
	}
	return nil
}

// evidence is where a log is kept that does not extend the checkpoint.
func (f checkpointFile) evidence() string { return string(f) + ".conflict.json" }

func (f checkpointFile) keepEvidence(m keylog.Message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return replaceFile(f.evidence(), append(data, '\n'))
}
