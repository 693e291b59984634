package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/kith-project/kith/server/keyring"
)

// Variables with master keys themselves. There are no flags for that: command lines are there for all to see.
const (
	masterKeyVariable    = "KITH_MASTER_KEY"
	oldMasterKeyVariable = "KITH_OLD_MASTER_KEY"
)

// masterKeyFlags say where the master key comes from, for all commands that open the keyring.
type masterKeyFlags struct {
	MasterKeyFile    string `placeholder:"FILE" xor:"master" help:"Master key, 64 hexadecimal digits. KITH_MASTER_KEY in the environment has the digits themselves."`
	MasterKeyCommand string `placeholder:"CMD" xor:"master" help:"Shell command that prints the master key, for a key management service. It has 30 seconds."`
	OldMasterKeyFile string `placeholder:"FILE" help:"Another master key that is accepted too, while the keyring is sealed anew (kith keyring reseal). KITH_OLD_MASTER_KEY in the environment has the digits themselves."`
}

// given reports whether the master key is configured.
func (f *masterKeyFlags) given() bool {
	return f.MasterKeyFile != "" || f.MasterKeyCommand != "" || os.Getenv(masterKeyVariable) != ""
}

// masters returns the master keys to try, the present one first.
func (f *masterKeyFlags) masters(ctx context.Context, t *terminal) ([]keyring.MasterKey, error) {
	if !f.given() {
		return nil, withHint(errors.New("no master key given"), "--master-key-file FILE, --master-key-command CMD, or the environment variable %s", masterKeyVariable)
	}
	master, err := f.master(ctx, t)
	if err != nil {
		return nil, err
	}
	return f.withOld(t, master)
}

// master returns the present master key, which has to be configured.
func (f *masterKeyFlags) master(ctx context.Context, t *terminal) (keyring.MasterKey, error) {
	switch {
	case f.MasterKeyCommand != "":
		return runKeyCommand(ctx, f.MasterKeyCommand, keyCommandTimeout, t.stderr)
	case f.MasterKeyFile != "":
		return readMasterKey(t, f.MasterKeyFile)
	default:
		return parseMasterKey(os.Getenv(masterKeyVariable), masterKeyVariable)
	}
}

// withOld returns the master keys to try where the present one is known.
func (f *masterKeyFlags) withOld(t *terminal, master keyring.MasterKey) ([]keyring.MasterKey, error) {
	masters := []keyring.MasterKey{master}
	var old keyring.MasterKey
	var err error
	switch text := os.Getenv(oldMasterKeyVariable); {
	case f.OldMasterKeyFile != "":
		old, err = readMasterKey(t, f.OldMasterKeyFile)
	case text != "":
		old, err = parseMasterKey(text, oldMasterKeyVariable)
	default:
		return masters, nil
	}
	return append(masters, old), err
}

// readMasterKey reads a master key from a file, and warns if others can read it too.
func readMasterKey(t *terminal, path string) (keyring.MasterKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return keyring.MasterKey{}, fileError("master key", err)
	}
	defer clear(text)
	warnIfShared(t, path)
	return parseMasterKey(string(text), path)
}

// parseMasterKey reads a master key that came from somewhere.
func parseMasterKey(text, from string) (keyring.MasterKey, error) {
	key, err := keyring.ParseMasterKey(text)
	if err != nil {
		return key, withHint(err, "the text that is not one is from %s; openssl rand -hex 32 makes a new key", from)
	}
	return key, nil
}

// warnIfShared warns of a secret file that others than its owner can read.
func warnIfShared(t *terminal, path string) {
	// Windows has no such permissions.
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.say("warning: %s can be read by others than its owner: chmod 600", path)
	}
}

const (
	keyCommandTimeout = 30 * time.Second
	// maxKeyOutput bounds what is read of a command's output, bytes.
	maxKeyOutput = 4 << 10
)

// runKeyCommand returns the master key that a shell command prints. What the command writes to standard error is passed
// on; what it prints is in no error.
func runKeyCommand(ctx context.Context, command string, timeout time.Duration, stderr io.Writer) (keyring.MasterKey, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.WaitDelay = time.Second // for what the shell has started, and would hold the pipe open
	output := &limitedBuffer{left: maxKeyOutput}
	defer func() { clear(output.Bytes()) }()
	cmd.Stdout, cmd.Stderr = output, stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // the shell has ended well, and left something running
	}
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		return keyring.MasterKey{}, fmt.Errorf("--master-key-command did not end within %s", timeout)
	case ctx.Err() != nil:
		return keyring.MasterKey{}, ctx.Err()
	case err != nil:
		return keyring.MasterKey{}, withHint(fmt.Errorf("--master-key-command: %w", err), "what it had to say is above, on standard error")
	}
	return parseMasterKey(output.String(), "--master-key-command")
}

// limitedBuffer keeps the first bytes that are written to it.
type limitedBuffer struct {
	bytes.Buffer
	left int
}

// Write keeps what there is room for, and takes the rest without keeping it.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	kept := p[:min(len(p), b.left)]
	b.left -= len(kept)
	_, _ = b.Buffer.Write(kept)
	return len(p), nil
}
