package keyring_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/keylog"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
)

// stage is what the tests rotate with.
var stage = keyring.StageOptions{Plan: plan, Auto: true, Window: time.Hour, Drain: 2 * time.Hour}

// rig is a keyring over a real directory.
type rig struct {
	*keyring.Keyring
	rdb    *redis.Client
	master keyring.MasterKey
	store  *directory.Store
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{rdb: start(t), master: newMaster(t)}
	r.store = directory.New(r.rdb, directory.Config{})
	create(t, r.rdb, r.master)
	r.Keyring = r.open(t)
	return r
}

// open opens the keyring as another server does.
func (r *rig) open(t testing.TB) *keyring.Keyring {
	t.Helper()
	k, err := keyring.Open(context.Background(), r.rdb, r.master)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// snapshot returns what the store holds.
func (r *rig) snapshot(t testing.TB) *keyring.Snapshot {
	t.Helper()
	return current(t, r.rdb, r.master)
}

// stage begins a rotation.
func (r *rig) stage(t testing.TB) *keyring.Epoch {
	t.Helper()
	e, joined, err := r.Stage(context.Background(), stage, r.store)
	if err != nil || joined {
		t.Fatalf("Stage: joined %t, %v", joined, err)
	}
	return e
}

// step fails the test if a step of a rotation does.
func step(t testing.TB, name string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// view verifies the key log as a device does.
func view(t testing.TB, s *keyring.Snapshot, last *keylog.Checkpoint) *keylog.View {
	t.Helper()
	verifier, err := keylog.ParseVerifierKey(s.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	v, err := keylog.Verify(s.Log, verifier, keylog.Options{Last: last})
	if err != nil {
		t.Fatalf("the key log: %v", err)
	}
	return v
}

func TestRotation(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	first := r.snapshot(t)
	before := view(t, first, nil)
	start := time.Now()

	e := r.stage(t)
	if e.ID != 2 || e.State != keyring.StateStaged || !e.Prepared || !e.Written() || e.Served() || e.Warm() || e.From != 1 ||
		e.Layout.Parity != 1 || !e.Auto || e.Window != time.Hour || e.Drain != 2*time.Hour || e.Created.Before(start.Add(-time.Minute)) {
		t.Errorf("staged: got %+v", e)
	}
	if e.PublicKey.Equal(first.Active().PublicKey) || e.Storage.Value.Equal(first.Active().Storage.Value) {
		t.Error("the new epoch has a key of the old one")
	}
	if _, err := r.store.Match(ctx, e.Layout, make([]crypto.Tag, 1)); err != nil {
		t.Errorf("the partitions are not there: %v", err)
	}
	s := r.snapshot(t)
	if s.Active().ID != 1 || s.Staged().ID != 2 {
		t.Errorf("got %+v, want epoch 1 active and 2 staged", s)
	}
	logged := view(t, s, &before.Checkpoint)
	if key, ok := logged.Key(2); !ok || string(key[:]) != string(e.PublicKey.Bytes()) {
		t.Error("the staged epoch's key is not in the log")
	}

	step(t, "MarkCopied", r.MarkCopied(ctx, 2))
	if e := r.snapshot(t).Epoch(2); !e.Warm() || e.Copied.IsZero() {
		t.Errorf("copied: got %+v, want it warm", e)
	}
	step(t, "MarkVerified", r.MarkVerified(ctx, 2))
	step(t, "Activate", r.Activate(ctx, 2))
	s = r.snapshot(t)
	old, active := s.Epoch(1), s.Active()
	if active.ID != 2 || old.State != keyring.StateDraining || !old.Served() || old.RetireAt.Sub(active.Activated) != 2*time.Hour {
		t.Errorf("activated: got %+v and %+v", old, active)
	}
	step(t, "MarkSettled", r.MarkSettled(ctx, 2))
	step(t, "Retire", r.Retire(ctx, 1))
	old = r.snapshot(t).Epoch(1)
	if old.State != keyring.StateRetired || old.Key != nil || old.Storage != (crypto.StorageKey{}) || old.Written() || old.Served() ||
		old.Ended.IsZero() || !old.PublicKey.Equal(first.Active().PublicKey) {
		t.Errorf("retired: got %+v, want it without keys", old)
	}
	if stored := string(field(t, r.rdb, "epoch:1")); strings.Contains(stored, "private_key") || strings.Contains(stored, "storage_key") {
		t.Error("the keys of a retired epoch are stored")
	}
	for swept := range 2 {
		step(t, "MarkSwept", r.MarkSwept(ctx, 1, swept))
		step(t, "MarkSwept again", r.MarkSwept(ctx, 1, swept))
	}
	if e := r.snapshot(t).Epoch(1); e.Swept != 2 || e.LastSwept.IsZero() {
		t.Errorf("swept: got %+v, want 2 sweeps", e)
	}
	// A second rotation: the other parity again, and an id that was not used.
	if e := r.stage(t); e.ID != 3 || e.From != 2 || e.Layout.Parity != 0 {
		t.Errorf("second rotation: got %+v", e)
	}
}

// TestStepsAreRepeated repeats each step, as a server does that did not hear whether it was made.
func TestStepsAreRepeated(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	r.stage(t)
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"MarkCopied", func() error { return r.MarkCopied(ctx, 2) }},
		{"MarkVerified", func() error { return r.MarkVerified(ctx, 2) }},
		{"AcceptLoss", func() error { return r.AcceptLoss(ctx, 2, 3) }},
		{"Activate", func() error { return r.Activate(ctx, 2) }},
		{"MarkSettled", func() error { return r.MarkSettled(ctx, 2) }},
		{"Retire", func() error { return r.Retire(ctx, 1) }},
	} {
		step(t, s.name, s.do())
		generation := r.snapshot(t).Generation
		step(t, s.name+" again", s.do())
		if got := r.snapshot(t).Generation; got != generation {
			t.Errorf("%s again changed the keyring", s.name)
		}
	}
	if e := r.snapshot(t).Epoch(2); e.Accepted != 3 {
		t.Errorf("accepted %d, want 3", e.Accepted)
	}
}

// TestStepsOutOfOrder tries steps where they do not lead on.
func TestStepsOutOfOrder(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	check := func(when string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", when, err, want)
		}
	}
	check("aborting the only epoch", r.Abort(ctx, 1), keyring.ErrState)
	check("retiring the active epoch", r.Retire(ctx, 1), keyring.ErrState)
	check("sweeping the active epoch", r.MarkSwept(ctx, 1, 0), keyring.ErrState)
	check("activating an unknown epoch", r.Activate(ctx, 2), keyring.ErrUnknownEpoch)
	check("aborting an unknown epoch", r.Abort(ctx, 2), keyring.ErrUnknownEpoch)
	check("retiring an unknown epoch", r.Retire(ctx, 2), keyring.ErrUnknownEpoch)
	check("marking an unknown epoch", r.MarkCopied(ctx, 2), keyring.ErrUnknownEpoch)
	r.stage(t)
	check("activating what is not verified", r.Activate(ctx, 2), keyring.ErrNotVerified)
	check("settling what is not active", r.MarkSettled(ctx, 2), keyring.ErrState)
	check("retiring what is staged", r.Retire(ctx, 2), keyring.ErrState)
	step(t, "MarkVerified", r.MarkVerified(ctx, 2))
	step(t, "Activate", r.Activate(ctx, 2))
	check("aborting the active epoch", r.Abort(ctx, 2), keyring.ErrState)
	check("retiring before it is settled", r.Retire(ctx, 1), keyring.ErrNotSettled)
	_, _, err := r.Stage(ctx, stage, r.store)
	check("the next rotation before this is settled", err, keyring.ErrNotSettled)
	step(t, "AcceptLoss before it is settled", r.AcceptLoss(ctx, 2, 1))
	step(t, "MarkSettled", r.MarkSettled(ctx, 2))
	check("accepting losses afterwards", r.AcceptLoss(ctx, 2, 2), keyring.ErrState)
	e := r.stage(t)
	step(t, "Abort", r.Abort(ctx, e.ID))
	for name, err := range map[string]error{
		"activating": r.Activate(ctx, e.ID), "marking": r.MarkCopied(ctx, e.ID), "retiring": r.Retire(ctx, e.ID),
	} {
		check(name+" an aborted epoch", err, keyring.ErrState)
	}
	for name, o := range map[string]keyring.StageOptions{
		"a window longer than the drain": {Plan: plan, Window: time.Hour}, "a negative window": {Plan: plan, Window: -1e6},
		"a drain of centuries": {Plan: plan, Drain: 1 << 62},
	} {
		_, _, err := r.Stage(ctx, o, r.store)
		check(name, err, keyring.ErrWindow)
	}
}

func TestAbort(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	first := view(t, r.snapshot(t), nil)
	r.stage(t)
	step(t, "MarkVerified", r.MarkVerified(ctx, 2))
	step(t, "Abort", r.Abort(ctx, 2))
	step(t, "Abort again", r.Abort(ctx, 2))
	s := r.snapshot(t)
	e := s.Epoch(2)
	if s.Active().ID != 1 || s.Staged() != nil || e.State != keyring.StateAborted || e.Key != nil || e.Written() || e.Ended.IsZero() {
		t.Errorf("got %+v, want epoch 1 active and 2 aborted", e)
	}
	v := view(t, s, &first.Checkpoint)
	if _, logged := v.Key(2); logged || len(v.Entries) != 3 {
		t.Errorf("the log has the key of an aborted epoch, or not 3 entries: %d", len(v.Entries))
	}
	if e := r.stage(t); e.ID != 3 || e.From != 1 || e.Layout.Parity != 1 {
		t.Errorf("after an abort: got %+v, want epoch 3 from 1", e)
	}
}

// TestTwoOperatorsRotate has many servers begin a rotation at once: one begins it, and the others join.
func TestTwoOperatorsRotate(t *testing.T) {
	r := newRig(t)
	const servers = 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	began := 0
	for range servers {
		k := r.open(t)
		wg.Go(func() {
			e, joined, err := k.Stage(context.Background(), stage, r.store)
			if err != nil || e.ID != 2 || !e.Prepared {
				t.Errorf("Stage: got %+v, %v, want epoch 2", e, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !joined {
				began++
			}
		})
	}
	wg.Wait()
	s := r.snapshot(t)
	if began != 1 || len(s.Epochs) != 2 || len(view(t, s, nil).Entries) != 2 {
		t.Errorf("%d began a rotation, %d epochs, want 1 and 2", began, len(s.Epochs))
	}
}

// TestStageGoesOnWhereItStopped kills a server between the steps of Stage.
func TestStageGoesOnWhereItStopped(t *testing.T) {
	ctx := context.Background()
	errKilled := errors.New("killed")
	for name, work := range map[string]func(r *rig, l directory.Layout, generation uint64) error{
		"before preparing": func(*rig, directory.Layout, uint64) error { return nil },
		"after preparing":  func(r *rig, l directory.Layout, generation uint64) error { return r.store.Prepare(ctx, l, generation) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			killed := prepareFunc(func(_ context.Context, l directory.Layout, generation uint64) error {
				return errors.Join(work(r, l, generation), errKilled)
			})
			if _, _, err := r.Stage(ctx, stage, killed); !errors.Is(err, errKilled) {
				t.Fatalf("Stage: got %v, want the error of the partitions", err)
			}
			e := r.snapshot(t).Staged()
			if e == nil || e.Prepared || e.Written() {
				t.Fatalf("got %+v, want a staged epoch that is not written to", e)
			}
			other := r.open(t)
			step(t, "FinishStage", other.FinishStage(ctx, 2, r.store))
			if e := r.snapshot(t).Staged(); !e.Prepared || !e.Written() {
				t.Errorf("got %+v, want it prepared", e)
			}
			// A late FinishStage comes after the first registrations, which raised the fence.
			write := directory.Write{Format: directory.Visible, Version: 1}
			if _, err := r.store.Apply(ctx, e.Layout, r.snapshot(t).Generation, []directory.Write{write}); err != nil {
				t.Fatal(err)
			}
			step(t, "late FinishStage", r.FinishStage(ctx, 2, r.store))
			if _, joined, err := r.Stage(ctx, stage, r.store); err != nil || !joined {
				t.Errorf("Stage: joined %t, %v, want true", joined, err)
			}
		})
	}
}

// TestServersFollow changes the keyring on one server and waits until another has heard of it.
func TestServersFollow(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := newRig(t)
	other := r.open(t)
	var following sync.WaitGroup
	following.Go(func() { other.Follow(ctx) })
	defer following.Wait()
	defer cancel()
	r.stage(t)
	for range 1000 {
		s, err := other.Current()
		if err == nil && s.Staged() != nil && s.Staged().Prepared {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("another server has not heard of the staged epoch in 10 s")
}

// TestBeginLog opens a keyring that was made before there was a key log.
func TestBeginLog(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	r.rdb.HDel(ctx, redisKey, "log-key", "log-origin", "log-checkpoint", "log:0")
	old := r.snapshot(t)
	if old.VerifierKey() != "" || old.Log.Checkpoint != "" {
		t.Fatalf("got a log, want none")
	}
	if _, _, err := r.open(t).Stage(ctx, stage, r.store); !errors.Is(err, keyring.ErrNoLog) {
		t.Errorf("Stage: got %v, want ErrNoLog", err)
	}
	create(t, r.rdb, r.master)
	s := r.snapshot(t)
	v := view(t, s, nil)
	if key, logged := v.Key(1); !logged || string(key[:]) != string(s.Active().PublicKey.Bytes()) {
		t.Error("the active epoch is not in the log")
	}
}

func TestAlteredLog(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	r.stage(t)
	whole := r.rdb.HGetAll(ctx, redisKey).Val()
	for name, alter := range map[string]func(){
		"an entry gone":      func() { r.rdb.HDel(ctx, redisKey, "log:1") },
		"an entry twice":     func() { set(t, r.rdb, "log:2", whole["log:1"]) },
		"entries exchanged":  func() { set(t, r.rdb, "log:0", whole["log:1"]); set(t, r.rdb, "log:1", whole["log:0"]) },
		"no checkpoint":      func() { r.rdb.HDel(ctx, redisKey, "log-checkpoint") },
		"another name":       func() { set(t, r.rdb, "log-origin", "other") },
		"an epoch not in it": func() { r.rdb.HSet(ctx, redisKey, logOfOne(t, r)) },
	} {
		alter()
		if _, err := keyring.Open(ctx, r.rdb, r.master); !errors.Is(err, keyring.ErrRecord) {
			t.Errorf("%s: got %v, want ErrRecord", name, err)
		}
		r.rdb.Del(ctx, redisKey)
		r.rdb.HSet(ctx, redisKey, whole)
	}
	if _, err := keyring.Open(ctx, r.rdb, r.master); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// logOfOne returns the log of another rig, which has one entry, sealed under the master key of r.
func logOfOne(t testing.TB, r *rig) map[string]any {
	t.Helper()
	ctx := context.Background()
	other := start(t)
	create(t, other, r.master)
	fields := map[string]any{}
	for _, name := range []string{"log-key", "log-origin", "log-checkpoint", "log:0"} {
		fields[name] = other.HGet(ctx, redisKey, name).Val()
	}
	r.rdb.HDel(ctx, redisKey, "log:1")
	return fields
}

func TestCosignatures(t *testing.T) {
	ctx := context.Background()
	r := newRig(t)
	cosigner, err := keylog.NewCosigner("witness.example", [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	witness, err := keylog.ParseWitnessKey(cosigner.WitnessKey())
	if err != nil {
		t.Fatal(err)
	}
	line, err := cosigner.Cosign(r.snapshot(t).Log.Checkpoint, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	step(t, "AddCosignature", r.AddCosignature(ctx, witness, line))
	verifier, err := keylog.ParseVerifierKey(r.snapshot(t).VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	quorum := keylog.Options{Witnesses: []*keylog.Witness{witness}, Quorum: 1}
	if _, err := keylog.Verify(r.snapshot(t).Log, verifier, quorum); err != nil {
		t.Errorf("cosigned: %v", err)
	}
	r.stage(t) // a new checkpoint, which the witness has not seen
	if _, err := keylog.Verify(r.snapshot(t).Log, verifier, quorum); !errors.Is(err, keylog.ErrQuorum) {
		t.Errorf("a later checkpoint: got %v, want ErrQuorum", err)
	}
	if err := r.AddCosignature(ctx, witness, line); err == nil {
		t.Error("the cosignature of an earlier checkpoint was taken")
	}
}

// TestAFailoverThatLosesChanges puts an older state of the keyring into the store, as a replica has it that was behind.
// A server that knows more writes it back.
func TestAFailoverThatLosesChanges(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := newRig(t)
	r.stage(t)
	step(t, "MarkVerified", r.MarkVerified(ctx, 2))
	older := r.rdb.HGetAll(ctx, redisKey).Val()
	step(t, "Activate", r.Activate(ctx, 2))
	newer := r.rdb.HGetAll(ctx, redisKey).Val()

	r.rdb.Del(ctx, redisKey)
	r.rdb.HSet(ctx, redisKey, older)
	step(t, "Reload", r.Reload(ctx))
	if s, err := r.Current(); err != nil || s.Active().ID != 2 {
		t.Errorf("after the failover: got %+v, %v, want epoch 2 active", s, err)
	}
	var following sync.WaitGroup
	following.Go(func() { r.Follow(ctx) })
	defer following.Wait()
	defer cancel()
	for range 1000 {
		if maps.Equal(r.rdb.HGetAll(ctx, redisKey).Val(), newer) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the store holds generation %d after 10 s, want %s", r.snapshot(t).Generation, newer["generation"])
}
