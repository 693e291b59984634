package chaos

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/redistest"
	"github.com/kith-project/kith/server/registry"
)

// specimen is a store as a history could leave it, with two epochs that are written to and five numbers: n0 is visible, n1
// hidden, n2 deleted, n3 visible, and of n4 nothing is known, as its registration failed.
type specimen struct {
	t        *testing.T
	rdb      *redis.Client
	master   keyring.MasterKey
	keys     *keyring.Keyring
	store    *directory.Store
	model    *model
	earlier  map[uint32]string // the record of n2 before it was deleted, by epoch
	damaging context.Context
}

const specimenNumbers = 5

func newSpecimen(t *testing.T) *specimen {
	t.Helper()
	ctx := context.Background()
	s := &specimen{t: t, rdb: redistest.Start(t, redistest.AppendFsync("no")).Client(), earlier: make(map[uint32]string), damaging: ctx}
	s.store = directory.New(s.rdb, directory.Config{})
	var err error
	s.master, err = keyring.NewMasterKey(rand.Reader)
	s.must(err)
	plan := keyring.Plan{Layout: directory.Layout{PartitionBits: 2, BucketBits: 3}, Slots: 96}
	s.must(keyring.Create(ctx, s.rdb, keyring.CreateOptions{Masters: []keyring.MasterKey{s.master}, Rand: rand.Reader, Plan: plan}, s.store))
	s.keys, err = keyring.Open(ctx, s.rdb, s.master)
	s.must(err)
	plan.Layout = directory.Layout{PartitionBits: 1, BucketBits: 2}
	_, _, err = s.keys.Stage(ctx, keyring.StageOptions{Plan: plan}, s.store)
	s.must(err)

	var calls []*done
	for i, c := range []call{
		{verb: register, number: 0, label: "zero", version: 1},
		{verb: hide, number: 1, version: 1},
		{verb: register, number: 2, label: "two", version: 1},
		{verb: remove, number: 2, version: 2},
		{verb: register, number: 3, label: "three", version: 7},
	} {
		if c.verb == remove {
			for _, e := range s.epochs() {
				_, s.earlier[e] = s.raw(e, c.number)
			}
		}
		s.write(c)
		calls = append(calls, at(10*i, 10*i+5, c, acknowledged))
	}
	calls = append(calls, at(100, 105, call{verb: register, number: 4, label: "four", version: 3}, failed))
	s.model = newModel(true, calls)
	return s
}

func (s *specimen) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// write makes a write in both epochs.
func (s *specimen) write(c call) {
	s.t.Helper()
	r := registry.New(s.keys, s.store)
	var applied bool
	var err error
	if c.verb == remove {
		applied, err = r.Delete(s.damaging, registry.Deletion{Number: number(c.number), Version: c.version})
	} else {
		applied, err = r.Put(s.damaging, registry.Registration{Number: number(c.number), Label: c.label, Hidden: c.verb == hide, Version: c.version})
	}
	s.must(err)
	if !applied {
		s.t.Fatalf("%v was not applied", &c)
	}
}

// epochs returns the epochs that are written to.
func (s *specimen) epochs() []uint32 { return []uint32{1, 2} }

// epoch returns an epoch of the keyring.
func (s *specimen) epoch(id uint32) *keyring.Epoch {
	s.t.Helper()
	snapshot, err := s.keys.Current()
	s.must(err)
	return snapshot.Epoch(id)
}

// place returns where the record of a number is in an epoch.
func (s *specimen) place(epoch uint32, n int) (bucket, tag string) {
	s.t.Helper()
	e := s.epoch(epoch)
	known, err := namesIn(e, n+1)
	s.must(err)
	t := known.tags[n]
	return fmt.Sprintf("kith:{e%d.p%d}:b%d", epoch, e.Layout.Partition(t), e.Layout.Bucket(t)), string(t[:])
}

// raw returns the bucket of a number's record in an epoch, and the record as stored.
func (s *specimen) raw(epoch uint32, n int) (bucket, value string) {
	s.t.Helper()
	bucket, tag := s.place(epoch, n)
	value, err := s.rdb.HGet(s.damaging, bucket, tag).Result()
	s.must(err)
	return bucket, value
}

// set stores a record for a number in an epoch, past all rules.
func (s *specimen) set(epoch uint32, n int, value string) {
	s.t.Helper()
	bucket, tag := s.place(epoch, n)
	s.must(s.rdb.HSet(s.damaging, bucket, tag, value).Err())
}

// meta names the meta key of the partition of a number in an epoch.
func (s *specimen) meta(epoch uint32, n int) string {
	bucket, _ := s.place(epoch, n)
	return bucket[:strings.Index(bucket, "}:")+2] + "meta"
}

// apply makes a write in one epoch alone.
func (s *specimen) apply(epoch uint32, c call) {
	s.t.Helper()
	e := s.epoch(epoch)
	known, err := namesIn(e, c.number+1)
	s.must(err)
	snapshot, err := s.keys.Current()
	s.must(err)
	n, err := e.Key.Evaluate([][]byte{[]byte("tel:" + number(c.number))})
	s.must(err)
	w := directory.Write{Tag: known.tags[c.number], Format: c.state().format, Version: c.version, Wrapped: e.Storage.Wrap(known.tags[c.number], n[0])}
	if w.Format == directory.Visible {
		w.Label, err = known.labels[c.number].Seal(rand.Reader, w.Tag, c.label)
		s.must(err)
	}
	_, err = s.store.Apply(s.damaging, e.Layout, snapshot.Generation, []directory.Write{w})
	s.must(err)
}

// judge returns what the checks say is wrong.
func (s *specimen) judge() []string {
	s.t.Helper()
	found, err := readStored(s.damaging, s.rdb, s.master, specimenNumbers)
	if err != nil {
		return []string{err.Error()}
	}
	return slices.Concat(found.wrong, compare(s.model, found, specimenNumbers), checkLog(found.snapshot))
}

// TestChecksNameTheDamage damages a store in each way that a history must not leave it in, and wants the checks to name it.
func TestChecksNameTheDamage(t *testing.T) {
	tests := map[string]struct {
		damage func(s *specimen)
		want   string // a part of what is said, or "" for nothing
	}{
		"none": {func(*specimen) {}, ""},
		"a failed write in the active epoch alone": {func(s *specimen) {
			s.apply(1, call{verb: register, number: 4, label: "four", version: 3})
		}, ""},
		"a failed write in both": {func(s *specimen) {
			s.write(call{verb: register, number: 4, label: "four", version: 3})
		}, ""},
		"a failed write in the other epoch alone": {func(s *specimen) {
			s.apply(2, call{verb: register, number: 4, label: "four", version: 3})
		}, "the epochs differ in n4: nothing in epoch 1, visible \"four\" v3 in epoch 2"},
		"an acknowledged registration lost": {func(s *specimen) {
			for _, e := range s.epochs() {
				bucket, tag := s.place(e, 3)
				s.must(s.rdb.HDel(s.damaging, bucket, tag).Err())
			}
		}, "epoch 1 has of n3 nothing, want visible \"three\" v7"},
		"an acknowledged registration lost in one epoch": {func(s *specimen) {
			bucket, tag := s.place(2, 3)
			s.must(s.rdb.HDel(s.damaging, bucket, tag).Err())
		}, "the epochs differ in n3"},
		"a deletion undone": {func(s *specimen) {
			for _, e := range s.epochs() {
				s.set(e, 2, s.earlier[e])
			}
		}, "epoch 2 has of n2 visible \"two\" v1, want deleted v2"},
		"a hidden user deleted in one epoch": {func(s *specimen) {
			s.apply(2, call{verb: remove, number: 1, version: 5})
		}, "epoch 2 has of n1 deleted v5, want hidden v1"},
		"another label": {func(s *specimen) {
			s.apply(1, call{verb: remove, number: 0, version: 2})
			s.apply(1, call{verb: register, number: 0, label: "other", version: 3})
		}, "epoch 1 has of n0 visible \"other\" v3"},
		"a record twice": {func(s *specimen) {
			bucket, value := s.raw(1, 0)
			_, tag := s.place(1, 0)
			for b := range 1 << s.epoch(1).Layout.BucketBits {
				other := fmt.Sprintf("kith:{e1.p%d}:b%d", b>>1, b)
				if other != bucket {
					s.must(s.rdb.HSet(s.damaging, other, tag, value).Err())
					return
				}
			}
		}, "n0 is in kith:{e1.p"},
		"a record of nobody": {func(s *specimen) {
			bucket, value := s.raw(1, 0)
			s.must(s.rdb.HSet(s.damaging, bucket, strings.Repeat("x", 16), value).Err())
		}, "a record is of no number"},
		"a malformed record": {func(s *specimen) { s.set(1, 0, "x") }, "a record is malformed"},
		"an element that does not unwrap": {func(s *specimen) {
			_, value := s.raw(1, 0)
			s.set(1, 0, value[:10]+flipped(value[10:11])+value[11:])
		}, "n0: the element does not unwrap"},
		"a label that does not open": {func(s *specimen) {
			_, value := s.raw(2, 0)
			s.set(2, 0, value[:100]+flipped(value[100:101])+value[101:])
		}, "n0: the label does not open"},
		"a wrong counter": {func(s *specimen) {
			s.must(s.rdb.HIncrBy(s.damaging, s.meta(1, 0), "visible", 1).Err())
		}, "counts"},
		"a change lost": {func(s *specimen) {
			stream := strings.TrimSuffix(s.meta(1, 2), "meta") + "changes"
			last, err := s.rdb.XRevRangeN(s.damaging, stream, "+", "-", 1).Result()
			s.must(err)
			s.must(s.rdb.XDel(s.damaging, stream, last[0].ID).Err())
		}, "changes, and has"},
		"a partition lost": {func(s *specimen) {
			s.must(s.rdb.Del(s.damaging, s.meta(2, 0)).Err())
		}, "is missing"},
		"a fence that no keyring had": {func(s *specimen) {
			s.must(s.rdb.HSet(s.damaging, s.meta(1, 0), "fence", "99").Err())
		}, "has the fence \"99\""},
		"an epoch that is over and not removed": {func(s *specimen) {
			s.must(s.keys.Abort(s.damaging, 2))
		}, "is left of epoch 2, which is aborted"},
		"a shard that does not expire": {func(s *specimen) {
			s.must(s.keys.Abort(s.damaging, 2))
			s.must(s.rdb.Set(s.damaging, "kith:{e2.s"+strings.Repeat("A", 43)+"}", "x", 0).Err())
		}, "does not expire"},
		"something of an epoch that there is none of": {func(s *specimen) {
			s.must(s.rdb.Set(s.damaging, "kith:{e9.p0}:meta", "x", time.Minute).Err())
		}, "is of an epoch that is not in the keyring"},
		"an entry of the key log lost": {func(s *specimen) {
			s.must(s.rdb.HDel(s.damaging, "kith:keyring", "log:1").Err())
		}, "keyring"},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		tt := tests[name]
		t.Run(name, func(t *testing.T) {
			s := newSpecimen(t)
			tt.damage(s)
			wrong := s.judge()
			if tt.want == "" && len(wrong) > 0 || tt.want != "" && !slices.ContainsFunc(wrong, func(text string) bool { return strings.Contains(text, tt.want) }) {
				t.Errorf("got %q, want %q", wrong, tt.want)
			}
		})
	}
}

// flipped returns one byte with a bit changed.
func flipped(b string) string { return string([]byte{b[0] ^ 1}) }
