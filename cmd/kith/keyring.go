package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// keyringCommand looks after the keys in the store.
type keyringCommand struct {
	Reseal  keyringResealCommand  `cmd:"" help:"Seal the keys under another master key."`
	Backup  keyringBackupCommand  `cmd:"" help:"Write a sealed copy of the keys to a file."`
	Restore keyringRestoreCommand `cmd:"" help:"Put a copy into a store that has no keys."`
}

// keyringFlags are the flags of the commands that work on the store itself.
type keyringFlags struct {
	Redis   string `env:"KITH_REDIS" required:"" placeholder:"URL" help:"Redis, such as redis://:password@127.0.0.1:6379/0. A password is better given by the environment than on the command line."`
	Cluster bool   `help:"The Redis URL is of a cluster; further nodes as ?addr=host:port."`
	masterKeyFlags
}

// open connects to the store and returns the master keys to try.
func (f *keyringFlags) open(ctx context.Context, t *terminal) (redis.UniversalClient, []keyring.MasterKey, error) {
	masters, err := f.masters(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	rdb, err := connectRedis(f.Redis, f.Cluster)
	return rdb, masters, err
}

// keyringResealCommand is kith keyring reseal.
type keyringResealCommand struct {
	keyringFlags
	NewMasterKeyFile    string `placeholder:"FILE" xor:"new" required:"" help:"The master key to seal under, 64 hexadecimal digits: openssl rand -hex 32 makes one. Servers have to know both before: kith serve --master-key-file NEW --old-master-key-file OLD."`
	NewMasterKeyCommand string `placeholder:"CMD" xor:"new" required:"" help:"Shell command that prints it."`
}

// Run seals everything anew.
func (cmd *keyringResealCommand) Run(ctx context.Context, t *terminal) error {
	to := masterKeyFlags{MasterKeyFile: cmd.NewMasterKeyFile, MasterKeyCommand: cmd.NewMasterKeyCommand}
	master, err := to.master(ctx, t)
	if err != nil {
		return err
	}
	rdb, masters, err := cmd.open(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	if err := keyring.Reseal(ctx, rdb, masters, master, rand.Reader); err != nil {
		return keyringError(err)
	}
	fmt.Fprintln(t.stdout, "sealed under the new master key")
	t.say("servers that know only the old one refuse to answer from now on; copies of the store and backups from before open with the old one")
	return nil
}

// keyringBackupCommand is kith keyring backup.
type keyringBackupCommand struct {
	keyringFlags
	Out string `required:"" placeholder:"FILE" help:"Where to write the copy (mode 0600), sealed under the master key. The file must not exist."`
}

// Run writes the copy.
func (cmd *keyringBackupCommand) Run(ctx context.Context, t *terminal) error {
	rdb, masters, err := cmd.open(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	data, err := keyring.Backup(ctx, rdb, masters, rand.Reader)
	if err != nil {
		return keyringError(err)
	}
	if err := writeNewFile("backup", cmd.Out, data); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "backed up to %s\n", cmd.Out)
	t.say("it has the keys alone, not the registrations; make another after each rotation, and keep the master key elsewhere")
	return nil
}

// keyringRestoreCommand is kith keyring restore.
type keyringRestoreCommand struct {
	keyringFlags
	File           string `arg:"" help:"The copy that kith keyring backup wrote."`
	EmptyDirectory bool   `help:"Registrations are lost, and will be made again: make the partitions that are missing, empty. Without it a copy is refused whose registrations are not all there."`
}

// Run restores the keyring.
func (cmd *keyringRestoreCommand) Run(ctx context.Context, t *terminal) error {
	data, err := os.ReadFile(cmd.File)
	if err != nil {
		return fileError("backup", err)
	}
	rdb, masters, err := cmd.open(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	store := directory.New(rdb, directory.Config{})
	restored, err := keyring.Restore(ctx, rdb, data, keyring.RestoreOptions{
		Masters: masters, Directory: store, Rand: rand.Reader, Empty: cmd.EmptyDirectory,
	})
	if err != nil {
		return restoreError(err)
	}
	if cmd.EmptyDirectory {
		if err := prepareAll(ctx, rdb, masters, store); err != nil {
			return err
		}
	}
	fmt.Fprintf(t.stdout, "restored, at generation %d\n", restored.Generation)
	for _, id := range restored.Orphans {
		t.say("warning: the store has registrations of epoch %d, which the copy does not know: they can not be read any more", id)
	}
	for _, id := range restored.Retired {
		t.say("epoch %d, which drains in the copy, is retired: it was removed from the store since", id)
	}
	for _, id := range restored.Aborted {
		t.say("epoch %d, which is staged in the copy, is aborted: it was removed from the store since", id)
	}
	t.say("the key log is that of the copy: devices that have seen a longer one refuse it as rolled back")
	return nil
}

// prepareAll makes the partitions of all epochs that are written to.
func prepareAll(ctx context.Context, rdb redis.UniversalClient, masters []keyring.MasterKey, store *directory.Store) error {
	keys, err := keyring.Open(ctx, rdb, masters...)
	if err != nil {
		return keyringError(err)
	}
	snapshot, err := keys.Current()
	if err != nil {
		return keyringError(err)
	}
	for _, e := range snapshot.Epochs {
		if !e.Written() {
			continue
		}
		if err := store.Prepare(ctx, e.Layout, snapshot.Generation); err != nil {
			return keyringError(err)
		}
	}
	return nil
}

// restoreError adds hints to the errors of restoring.
func restoreError(err error) error {
	missing, incomplete := errors.AsType[*keyring.MissingError](err)
	switch {
	case incomplete && len(missing.Orphans) > 0:
		newest := missing.Orphans[len(missing.Orphans)-1]
		return withHint(err, "epoch %d was removed after the copy was made, and epoch %d is in its place: restore a copy from since then; if there is none, "+
			"--empty-directory begins without registrations, which all have to be made again", missing.Epoch, newest)
	case incomplete:
		return withHint(err, "restore the data of Redis first, then the keyring; if registrations are lost for good, --empty-directory makes the missing partitions, "+
			"and what was registered there has to be registered again")
	case errors.Is(err, keyring.ErrFence):
		return withHint(err, "a field fence of a key kith:{e<epoch>.p<partition>}:meta has a number that no keyring ever had: set it to 1")
	case errors.Is(err, keyring.ErrExists):
		return withHint(err, "restoring never replaces one: is this the right Redis?")
	case errors.Is(err, keyring.ErrBackup):
		return withHint(err, "give the file that kith keyring backup wrote")
	default:
		return keyringError(err)
	}
}
