package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/token"
)

// Files of a key directory, mode 0600.
const (
	fileMasterKey = "master.key"
	fileTokenKey  = "token.key"
	fileDiscover  = "discover.token"
	fileRegister  = "register.token"
	fileOperate   = "operate.token"
	// fileVerifierKey has the public key of the key log, for devices to pin.
	fileVerifierKey = "keylog.vkey"
)

// trialTokenTTL is how long the tokens of a key directory are valid. Each start of the server makes new ones.
const trialTokenTTL = 30 * 24 * time.Hour

// keyDir is the folder where a server keeps what it makes for itself when nothing else is configured.
type keyDir string

// create makes the folder, readable for its owner only.
func (d keyDir) create() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fileError("key directory", err)
	}
	return nil
}

func (d keyDir) path(name string) string { return filepath.Join(string(d), name) }

// masterKey reads the master key, or makes one if there is none. It must not make one for a store that has a keyring:
// that was sealed under another, which is lost or elsewhere.
func (d keyDir) masterKey(t *terminal, storeHasKeyring bool) (keyring.MasterKey, error) {
	_, err := os.Stat(d.path(fileMasterKey))
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return readMasterKey(t, d.path(fileMasterKey))
	case storeHasKeyring:
		return keyring.MasterKey{}, withHint(fmt.Errorf("the store has a keyring, and %s does not exist", d.path(fileMasterKey)),
			"give the --dir or the master key that the keyring was made with")
	}
	key, err := keyring.NewMasterKey(rand.Reader)
	if err != nil {
		return key, err
	}
	return key, writeNew(d.path(fileMasterKey), []byte(key.Text()+"\n"))
}

// signer reads the token signing key, or makes one if there is none, which save then writes.
func (d keyDir) signer() (*token.Signer, error) {
	text, err := os.ReadFile(d.path(fileTokenKey))
	if err == nil {
		s, err := token.ParseSigner(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.path(fileTokenKey), err)
		}
		return s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fileError("token signing key", err)
	}
	return token.NewSigner()
}

// save writes the signing key, if it is new, and tokens made with it.
func (d keyDir) save(s *token.Signer, audience string) error {
	if _, err := os.Stat(d.path(fileTokenKey)); errors.Is(err, fs.ErrNotExist) {
		text, err := s.MarshalPEM()
		if err != nil {
			return err
		}
		if err := writeNew(d.path(fileTokenKey), text); err != nil {
			return err
		}
	}
	return d.writeTokens(s, audience)
}

// saveVerifierKey writes the public key of the key log.
func (d keyDir) saveVerifierKey(key string) error {
	return replaceFile(d.path(fileVerifierKey), []byte(key+"\n"))
}

// writeTokens makes new tokens for trying things out.
func (d keyDir) writeTokens(s *token.Signer, audience string) error {
	for _, t := range []struct{ file, account, scope string }{
		{fileDiscover, "trial-device", token.ScopeDiscover},
		{fileRegister, "trial-account-service", token.ScopeRegister},
		{fileOperate, "trial-operator", token.ScopeOperate},
	} {
		text, err := s.Mint(t.account, t.scope, audience, time.Now(), trialTokenTTL)
		if err != nil {
			return err
		}
		if err := replaceFile(d.path(t.file), []byte(text+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a key to a file, mode 0600, that must not exist yet: a key is never written over.
func writeNew(path string, data []byte) error { return writeNewFile("new key file", path, data) }

// writeNewFile is writeNew for another thing with keys in it, which errors name.
func writeNewFile(what, path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fileError(what, err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path)
		return fileError(what, err)
	}
	return nil
}

// replaceFile writes a file, mode 0600, in one step: a reader sees the old or the new.
func replaceFile(path string, data []byte) error {
	temporary := path + ".new"
	_ = os.Remove(temporary)
	if err := writeNew(temporary, data); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return fileError("file", err)
	}
	return nil
}

// fileError says which file could not be used, with a hint for the usual reasons.
func fileError(what string, err error) error {
	wrapped := fmt.Errorf("%s: %w", what, err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return withHint(wrapped, "check the path")
	case errors.Is(err, syscall.EISDIR):
		return withHint(wrapped, "that is a folder: name a file in it")
	case errors.Is(err, fs.ErrPermission):
		return withHint(wrapped, "the file or its folder is not readable or writable for this user")
	case errors.Is(err, fs.ErrExist):
		return withHint(wrapped, "keys are never overwritten: choose another path, or move the file away")
	default:
		return wrapped
	}
}
