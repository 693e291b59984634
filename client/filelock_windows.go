package client

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes an exclusive lock that closing the file, or the end of the process, releases. It returns ErrStateInUse
// if another open file has it, in this process too.
func lockFile(file *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrStateInUse
	}
	if err != nil {
		return fmt.Errorf("client: locking the state: %w", err)
	}
	return nil
}

// syncFolder does nothing: Windows has no handle of a folder to flush, and NTFS journals the rename.
func syncFolder(string) error { return nil }
