package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// stateFileMode is for the user alone: the file holds the numbers of the address book.
const stateFileMode = 0o600

// FileState returns a store in the file at path, whose folder must exist. The file is readable by the user alone, and
// is replaced as a whole: after a crash or a power cut it holds the old or the new state.
//
// It is a StateLocker, by a lock on path+".lock" that ends with the process. On platforms without flock and LockFileEx,
// js among them, there is no lock: there see to it that only one process syncs.
func FileState(path string) StateStore { return &fileState{path: path} }

type fileState struct{ path string }

func (f *fileState) Load(context.Context) ([]byte, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (f *fileState) Save(_ context.Context, data []byte) error {
	temporary := f.path + ".tmp"
	if err := writeSynced(temporary, data); err != nil {
		return errors.Join(err, removeIfThere(temporary))
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return errors.Join(err, removeIfThere(temporary))
	}
	// Without this the rename itself can be lost in a power cut, and with it the blinds of a request already sent.
	return syncFolder(filepath.Dir(f.path))
}

// writeSynced makes a new file with data in it that survives a power cut.
func writeSynced(path string, data []byte) (err error) {
	// What a killed process left is removed, not truncated: it may have another mode, or be a link.
	if err := removeIfThere(path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, stateFileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Sync()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *fileState) Lock(context.Context) (unlock func() error, err error) {
	file, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, stateFileMode)
	if err != nil {
		return nil, fmt.Errorf("client: locking the state: %w", err)
	}
	if err := lockFile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	// The file stays: removing it would let a third process lock a new one beside a second that waits on the old.
	return file.Close, nil
}
