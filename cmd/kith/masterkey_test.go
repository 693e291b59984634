package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kith-project/kith/server/keyring"
)

const someKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func TestMasterKeyCommand(t *testing.T) {
	tests := []struct {
		name, command string
		err           string // "" for none
		stderr        string
	}{
		{name: "prints it", command: "echo " + someKey},
		{name: "prints it without a line break, in two steps", command: "printf 00112233445566778899aabbccddeeff; printf 00112233445566778899aabbccddeeff"},
		{name: "has something to say", command: "echo unsealing >&2; echo " + someKey, stderr: "unsealing\n"},
		{name: "fails", command: "echo hunter2; echo denied >&2; exit 3", err: "--master-key-command: exit status 3", stderr: "denied\n"},
		{name: "prints something else", command: "echo hunter2", err: keyring.ErrMasterKeyFormat.Error()},
		{name: "prints nothing", command: "true", err: keyring.ErrMasterKeyFormat.Error()},
		{name: "prints two", command: "echo " + someKey + "; echo " + someKey, err: keyring.ErrMasterKeyFormat.Error()},
		{name: "prints for ever", command: "while echo " + someKey + "; do :; done", err: "--master-key-command did not end within 300ms"},
		{name: "does not end", command: "echo " + someKey + "; sleep 5", err: "--master-key-command did not end within 300ms"},
		{name: "leaves something behind", command: "echo " + someKey + "; sleep 5 &"},
		{name: "is none", command: "hunter2-is-not-a-command", err: "--master-key-command: exit status 127"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			timeout := time.Minute
			if strings.Contains(test.err, "300ms") {
				timeout = 300 * time.Millisecond
			}
			var stderr lockedBuffer
			key, err := runKeyCommand(context.Background(), test.command, timeout, &stderr)
			if test.err == "" {
				if err != nil || key.Text() != someKey {
					t.Errorf("got another key, or error %v", err)
				}
			} else {
				var out strings.Builder
				if err == nil {
					t.Fatal("got a key")
				}
				report(&out, err)
				if err.Error() != test.err || key != (keyring.MasterKey{}) || strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), someKey[:8]) {
					t.Errorf("got %s, want %s and nothing of what was printed", &out, test.err)
				}
			}
			if test.stderr != "" && stderr.String() != test.stderr {
				t.Errorf("got %q on standard error, want %q", stderr.String(), test.stderr)
			}
		})
	}
}

// TestMasterKeySources shows which of the sources is taken, and that a file which others can read is warned of.
func TestMasterKeySources(t *testing.T) {
	dir := t.TempDir()
	key := func(first byte) string { return fmt.Sprintf("%02x%s", first, someKey[2:]) }
	file := func(name string, first byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(key(first)+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, shared := file("private", 1, 0o600), file("shared", 2, 0o644)
	tests := []struct {
		name     string
		flags    masterKeyFlags
		env, old string
		want     []byte // the first bytes of the keys, in order
		warning  bool
	}{
		{"file", masterKeyFlags{MasterKeyFile: private}, "", "", []byte{1}, false},
		{"file that others can read", masterKeyFlags{MasterKeyFile: shared}, "", "", []byte{2}, true},
		{"environment", masterKeyFlags{}, key(3), "", []byte{3}, false},
		{"file before environment", masterKeyFlags{MasterKeyFile: private}, key(3), "", []byte{1}, false},
		{"command before environment", masterKeyFlags{MasterKeyCommand: "echo " + key(4)}, key(3), "", []byte{4}, false},
		{"old file", masterKeyFlags{MasterKeyFile: private, OldMasterKeyFile: shared}, "", "", []byte{1, 2}, true},
		{"old from the environment", masterKeyFlags{MasterKeyFile: private}, "", key(5), []byte{1, 5}, false},
		{"old file before environment", masterKeyFlags{MasterKeyFile: private, OldMasterKeyFile: private}, "", key(5), []byte{1, 1}, false},
		{"none", masterKeyFlags{}, "", "", nil, false},
		{"an old one alone", masterKeyFlags{OldMasterKeyFile: private}, "", "", nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(masterKeyVariable, test.env)
			t.Setenv(oldMasterKeyVariable, test.old)
			var stderr bytes.Buffer
			masters, err := test.flags.masters(t.Context(), &terminal{stderr: &stderr})
			if (err == nil) != (test.want != nil) {
				t.Fatalf("got error %v", err)
			}
			if _, ok := errors.AsType[*hinted](err); err != nil && !ok {
				t.Errorf("%v has no hint", err)
			}
			var got []byte
			for _, m := range masters {
				got = append(got, m.Value[0])
			}
			if !bytes.Equal(got, test.want) {
				t.Errorf("got keys that begin with %v, want %v", got, test.want)
			}
			if warned := strings.Contains(stderr.String(), "shared can be read by others"); warned != test.warning {
				t.Errorf("got %q on standard error", &stderr)
			}
		})
	}
}
