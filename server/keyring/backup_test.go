package keyring_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// backUp returns a backup of the rig's keyring.
func (r *rig) backUp(t testing.TB) []byte {
	t.Helper()
	data, err := keyring.Backup(context.Background(), r.rdb, []keyring.MasterKey{r.master}, rand.Reader)
	if err != nil {
		t.Fatalf("Backup: %v", err)
	}
	return data
}

// restore restores a backup, expecting registrations to be there.
func (r *rig) restore(data []byte) (keyring.Restored, error) {
	return keyring.Restore(context.Background(), r.rdb, data, keyring.RestoreOptions{
		Masters: []keyring.MasterKey{r.master}, Directory: r.store, Rand: rand.Reader,
	})
}

func TestBackupAndRestore(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	r.stage(t)
	before := r.snapshot(t)
	data := r.backUp(t)
	for name, key := range map[string][]byte{
		"private key": before.Active().Key.Bytes(), "account key": before.AccountKey.Bytes(), "public key": before.Active().PublicKey.Bytes(),
	} {
		if encoded, _ := json.Marshal(key); bytes.Contains(data, key) || bytes.Contains(data, bytes.Trim(encoded, `"`)) {
			t.Errorf("the backup shows the %s", name)
		}
	}
	if _, err := r.restore(data); !errors.Is(err, keyring.ErrExists) {
		t.Errorf("over a keyring: got %v, want ErrExists", err)
	}

	// The partitions have seen more than the backup, and there is an epoch that it does not know.
	layout := before.Active().Layout
	if err := r.store.Prepare(ctx, layout, 40); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Prepare(ctx, directory.Layout{Epoch: 5, PartitionBits: 1, BucketBits: 2}, 50); err != nil {
		t.Fatal(err)
	}
	r.rdb.Del(ctx, redisKey)
	restored, err := r.restore(data)
	if err != nil {
		t.Fatalf("Restore: %v", err)
	}
	if restored.Generation != 51 || !slices.Equal(restored.Orphans, []uint32{5}) {
		t.Errorf("got %+v, want generation 51 and epoch 5 orphaned", restored)
	}
	after := r.snapshot(t)
	wantSame(t, before, after)
	if after.Generation != 51 || after.Staged() == nil || after.Log.Checkpoint != before.Log.Checkpoint {
		t.Errorf("got %+v, want what was backed up", after)
	}
	write := directory.Write{Format: directory.Visible, Version: 1}
	if _, err := r.store.Apply(ctx, layout, after.Generation, []directory.Write{write}); err != nil {
		t.Errorf("writing after the restore: %v", err)
	}
	k := r.open(t)
	step(t, "Abort", k.Abort(ctx, 2))
	e, _, err := k.Stage(ctx, stage, r.store)
	if err != nil || e.ID <= 5 {
		t.Errorf("the next epoch: got %+v, %v, want an id that none had", e, err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	data := r.backUp(t)
	r.rdb.Del(ctx, redisKey)
	if _, err := keyring.Restore(ctx, r.rdb, data, keyring.RestoreOptions{Masters: []keyring.MasterKey{newMaster(t)}, Directory: r.store, Rand: rand.Reader}); !errors.Is(err, keyring.ErrMasterKey) {
		t.Errorf("another master key: got %v, want ErrMasterKey", err)
	}
	sealed := strings.Index(string(data), `"sealed":"`) + len(`"sealed":"`)
	altered := bytes.Clone(data)
	altered[sealed+40] ^= 1
	for name, bad := range map[string][]byte{
		"altered": altered, "empty": nil, "cut": data[:len(data)-3], "not JSON": []byte("kith"),
		"another format": bytes.Replace(data, []byte("backup/1"), []byte("backup/2"), 1),
		"nothing sealed": append(bytes.Clone(data[:sealed]), `"}`...),
	} {
		if _, err := r.restore(bad); !errors.Is(err, keyring.ErrBackup) {
			t.Errorf("%s: got %v, want ErrBackup", name, err)
		}
	}
	if exists, err := keyring.Exists(ctx, r.rdb); err != nil || exists {
		t.Errorf("a keyring was made all the same: %t, %v", exists, err)
	}
}

func FuzzRestore(f *testing.F) {
	r := newRig(f)
	data := r.backUp(f)
	f.Add(data)
	f.Add([]byte(`{"format":"kith-keyring-backup/1"}`))
	f.Fuzz(func(t *testing.T, bad []byte) {
		// The store has a keyring, so that no backup is ever written.
		_, err := r.restore(bad)
		if !errors.Is(err, keyring.ErrBackup) && !errors.Is(err, keyring.ErrMasterKey) && !errors.Is(err, keyring.ErrExists) {
			t.Errorf("got %v, want ErrBackup, ErrMasterKey or ErrExists", err)
		}
	})
}

// TestReseal changes the master key under a server that knows both.
func TestReseal(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	r.stage(t)
	step(t, "Abort", r.Abort(ctx, 2))
	r.stage(t)
	before := r.snapshot(t)
	next := newMaster(t)
	both, err := keyring.Open(ctx, r.rdb, next, r.master)
	if err != nil {
		t.Fatalf("with both keys, before: %v", err)
	}
	masters := []keyring.MasterKey{r.master}
	if err := keyring.Reseal(ctx, r.rdb, []keyring.MasterKey{newMaster(t)}, next, rand.Reader); !errors.Is(err, keyring.ErrMasterKey) {
		t.Errorf("without the old key: got %v, want ErrMasterKey", err)
	}
	for range 2 { // the second does nothing
		step(t, "Reseal", keyring.Reseal(ctx, r.rdb, masters, next, rand.Reader))
	}
	after := current(t, r.rdb, next)
	wantSame(t, before, after)
	if after.Generation != before.Generation+1 || after.VerifierKey() != before.VerifierKey() {
		t.Errorf("got generation %d and another log, want %d", after.Generation, before.Generation+1)
	}
	if _, err := keyring.Open(ctx, r.rdb, r.master); !errors.Is(err, keyring.ErrMasterKey) {
		t.Errorf("with the old key alone: got %v, want ErrMasterKey", err)
	}
	step(t, "Reload with both keys", both.Reload(ctx))
	// What a server with both keys writes is sealed under the key that the keyring is sealed under.
	step(t, "MarkCopied", both.MarkCopied(ctx, 3))
	if s := current(t, r.rdb, next); s.Staged().Copied.IsZero() {
		t.Error("a step of a server with both keys is lost")
	}
	if err := r.MarkCopied(ctx, 3); !errors.Is(err, keyring.ErrMasterKey) {
		t.Errorf("a server with the old key: got %v, want ErrMasterKey", err)
	}
}
