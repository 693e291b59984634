package keyring_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
)

var plan = keyring.Plan{Layout: directory.Layout{PartitionBits: 2, BucketBits: 4}, Slots: 96}

// start returns a client of an empty Redis.
func start(t testing.TB) *redis.Client {
	t.Helper()
	return redistest.Start(t, redistest.AppendFsync("no")).Client()
}

func newMaster(t testing.TB) keyring.MasterKey {
	t.Helper()
	master, err := keyring.NewMasterKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return master
}

// with returns the options of Create for one master key.
func with(master keyring.MasterKey) keyring.CreateOptions {
	return keyring.CreateOptions{Masters: []keyring.MasterKey{master}, Rand: rand.Reader, Plan: plan}
}

// create makes a keyring over a real directory.
func create(t testing.TB, rdb *redis.Client, master keyring.MasterKey) {
	t.Helper()
	store := directory.New(rdb, directory.Config{})
	if err := keyring.Create(context.Background(), rdb, with(master), store); err != nil {
		t.Fatalf("Create: %v", err)
	}
}

// current opens the keyring anew and returns what it holds.
func current(t testing.TB, rdb *redis.Client, master keyring.MasterKey) *keyring.Snapshot {
	t.Helper()
	k, err := keyring.Open(context.Background(), rdb, master)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	s, err := k.Current()
	if err != nil {
		t.Fatalf("Current: %v", err)
	}
	return s
}

// wantSame checks that two snapshots hold the same keys.
func wantSame(t testing.TB, a, b *keyring.Snapshot) {
	t.Helper()
	x, y := a.Epochs[0], b.Epochs[0]
	if !x.Key.Value.Equal(y.Key.Value) || !x.Storage.Value.Equal(y.Storage.Value) || !a.AccountKey.Equal(b.AccountKey) {
		t.Error("the keys are not the same")
	}
}

func TestCreateAndOpen(t *testing.T) {
	ctx := context.Background()
	rdb, master := start(t), newMaster(t)
	if exists, err := keyring.Exists(ctx, rdb); err != nil || exists {
		t.Errorf("before: Exists %t, %v, want false", exists, err)
	}
	if _, err := keyring.Open(ctx, rdb, master); err != keyring.ErrNone {
		t.Errorf("before: Open: got %v, want ErrNone", err)
	}
	create(t, rdb, master)
	if exists, err := keyring.Exists(ctx, rdb); err != nil || !exists {
		t.Errorf("Exists %t, %v, want true", exists, err)
	}
	s := current(t, rdb, master)
	e := s.Active()
	if len(s.Epochs) != 1 || s.Generation != 4 || e == nil || e != s.Epoch(1) || s.Epoch(2) != nil {
		t.Fatalf("got %+v, want epoch 1 alone, active, at generation 4", s)
	}
	if want := (directory.Layout{Epoch: 1, PartitionBits: 2, BucketBits: 4}); e.Layout != want || e.Slots != 96 {
		t.Errorf("got layout %+v, want %+v", e.Layout, want)
	}
	if !e.Written() || !e.Served() || e.Created.IsZero() {
		t.Errorf("got %+v, want an epoch in use", e)
	}
	create(t, rdb, master) // does nothing
	again := current(t, rdb, master)
	wantSame(t, s, again)
	if again.Generation != 4 {
		t.Errorf("a second Create made generation %d", again.Generation)
	}
	store := directory.New(rdb, directory.Config{})
	if _, err := store.Match(ctx, e.Layout, make([]crypto.Tag, 1)); err != nil {
		t.Errorf("the partitions are not there: %v", err)
	}
}

func TestCreateOnSeveralServersAtOnce(t *testing.T) {
	rdb, master := start(t), newMaster(t)
	var wg sync.WaitGroup
	snapshots := make([]*keyring.Snapshot, 8)
	for i := range snapshots {
		wg.Go(func() {
			store := directory.New(rdb, directory.Config{})
			if err := keyring.Create(context.Background(), rdb, with(master), store); err != nil {
				t.Errorf("Create: %v", err)
				return
			}
			k, err := keyring.Open(context.Background(), rdb, master)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			snapshots[i], _ = k.Current()
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, s := range snapshots {
		wantSame(t, snapshots[0], s)
		if len(s.Epochs) != 1 || s.Active() == nil || s.Generation != 4 {
			t.Errorf("got %+v, want epoch 1 alone, active, at generation 4", s)
		}
	}
}

// prepareFunc is Partitions of one function.
type prepareFunc func(ctx context.Context, layout directory.Layout, generation uint64) error

func (f prepareFunc) Prepare(ctx context.Context, layout directory.Layout, generation uint64) error {
	return f(ctx, layout, generation)
}

func TestCreateGoesOnWhereItStopped(t *testing.T) {
	errKilled := errors.New("killed")
	for name, killed := range map[string]func(ctx context.Context, store *directory.Store, l directory.Layout, generation uint64) error{
		"after staging": func(context.Context, *directory.Store, directory.Layout, uint64) error { return errKilled },
		"after preparing": func(ctx context.Context, store *directory.Store, l directory.Layout, generation uint64) error {
			return errors.Join(store.Prepare(ctx, l, generation), errKilled)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			rdb, master := start(t), newMaster(t)
			store := directory.New(rdb, directory.Config{})
			partitions := prepareFunc(func(ctx context.Context, l directory.Layout, generation uint64) error {
				return killed(ctx, store, l, generation)
			})
			if err := keyring.Create(ctx, rdb, with(master), partitions); !errors.Is(err, errKilled) {
				t.Fatalf("Create: got %v, want the error of the partitions", err)
			}
			staged := current(t, rdb, master)
			if staged.Active() != nil || staged.Epochs[0].State != keyring.StateStaged || staged.Epochs[0].Served() {
				t.Fatalf("got %+v, want a staged epoch", staged)
			}
			create(t, rdb, master)
			active := current(t, rdb, master)
			wantSame(t, staged, active)
			if active.Active() == nil || active.Generation != 4 {
				t.Errorf("got %+v, want it active at generation 4", active)
			}
		})
	}
}

// TestCreateIsOvertaken has another server make the epoch active, and write to it, before this one prepares the
// partitions, whose fence is higher then.
func TestCreateIsOvertaken(t *testing.T) {
	rdb, master := start(t), newMaster(t)
	store := directory.New(rdb, directory.Config{})
	late := prepareFunc(func(ctx context.Context, l directory.Layout, generation uint64) error {
		create(t, rdb, master)
		write := directory.Write{Format: directory.Visible, Version: 1}
		if _, err := store.Apply(ctx, l, generation+1, []directory.Write{write}); err != nil {
			return err
		}
		return store.Prepare(ctx, l, generation)
	})
	if err := keyring.Create(context.Background(), rdb, with(master), late); err != nil {
		t.Errorf("Create: got %v, want nil", err)
	}
	if s := current(t, rdb, master); s.Active() == nil || s.Generation != 4 {
		t.Errorf("got %+v, want one epoch at generation 4", s)
	}
}

// TestCreateOverALostKeyring has partitions of a keyring that is gone, whose records no key opens any more: Create ends
// with an error, and not in a loop.
func TestCreateOverALostKeyring(t *testing.T) {
	ctx := context.Background()
	rdb, master := start(t), newMaster(t)
	store := directory.New(rdb, directory.Config{})
	lost := plan.Layout
	lost.Epoch = 1
	if err := store.Prepare(ctx, lost, 7); err != nil {
		t.Fatal(err)
	}
	if err := keyring.Create(ctx, rdb, with(master), store); !errors.Is(err, directory.ErrStale) {
		t.Errorf("Create: got %v, want ErrStale", err)
	}
}

func TestCreateRefusesALayout(t *testing.T) {
	rdb := start(t)
	bad := keyring.Plan{Layout: directory.Layout{PartitionBits: 5, BucketBits: 4}, Slots: 96}
	err := keyring.Create(context.Background(), rdb, keyring.CreateOptions{Masters: []keyring.MasterKey{newMaster(t)}, Rand: rand.Reader, Plan: bad}, prepareFunc(nil))
	if !errors.Is(err, directory.ErrLayout) {
		t.Errorf("got %v, want ErrLayout", err)
	}
	if exists, err := keyring.Exists(context.Background(), rdb); err != nil || exists {
		t.Errorf("a keyring was made all the same: %t, %v", exists, err)
	}
}

func TestStoreAwayIsAnError(t *testing.T) {
	ctx := context.Background()
	s := redistest.Start(t)
	options := s.Options()
	options.MaxRetries, options.DialerRetries = -1, 1
	rdb, master := redis.NewClient(options), newMaster(t)
	defer rdb.Close()
	s.Kill()
	if _, err := keyring.Open(ctx, rdb, master); err != keyring.ErrUnavailable {
		t.Errorf("Open: got %v, want ErrUnavailable", err)
	}
	if _, err := keyring.Exists(ctx, rdb); err != keyring.ErrUnavailable {
		t.Errorf("Exists: got %v, want ErrUnavailable", err)
	}
	if err := keyring.Create(ctx, rdb, with(master), prepareFunc(nil)); err != keyring.ErrUnavailable {
		t.Errorf("Create: got %v, want ErrUnavailable", err)
	}
}
