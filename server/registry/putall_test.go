package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/crypto/voprf"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/keyring"
	"github.com/kith-project/kith/server/registry"
)

// many returns n different numbers.
func many(n int) []string {
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1415555%04d", i)
	}
	return numbers
}

// TestPutAllEqualsPut registers the same numbers one by one and together: the directory is the same, and so is what is said of
// each.
func TestPutAllEqualsPut(t *testing.T) {
	ctx := context.Background()
	numbers := many(6)
	rounds := [][]registry.Registration{
		{{Number: numbers[0], Label: "a", Version: 5}, {Number: numbers[1], Label: "b", Version: 5}, {Number: numbers[2], Hidden: true, Version: 5}},
		{{Number: numbers[0], Label: "older", Version: 4}, {Number: numbers[1], Hidden: true, Version: 5}, {Number: numbers[2], Label: "c", Version: 6}},
		{{Number: numbers[0], Label: "again", Version: 5}, {Number: numbers[3], Label: "", Version: 1}, {Number: numbers[3], Label: "later", Version: 2}},
		{{Number: numbers[4], Label: "first", Version: 3}, {Number: numbers[4], Label: "second", Version: 3}, {Number: numbers[4], Label: "older", Version: 2}},
		{{Number: numbers[5], Label: "last", Version: directory.VersionEnd - 1}},
	}
	one, all := newWorld(t), newWorld(t)
	all.keys.snapshot = one.keys.snapshot // the same keys, over another store
	for i, round := range rounds {
		var want []bool
		for _, reg := range round {
			applied, err := one.Put(ctx, reg)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, applied)
		}
		got, err := all.PutAll(ctx, round)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("round %d: got %v, %v, want %v", i, got, err, want)
		}
		for _, number := range numbers {
			if got, want := all.everywhere(t, number), one.everywhere(t, number); got != want {
				t.Errorf("round %d: got %+v, want %+v", i, got, want)
			}
		}
	}
	if got, err := all.PutAll(ctx, nil); got != nil || err != nil {
		t.Errorf("none: got %v, %v", got, err)
	}
}

func TestPutAllAssignsVersions(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	numbers := many(3)
	full := registry.Registration{Number: numbers[2], Label: "full", Version: directory.VersionEnd - 1}
	if _, err := w.Put(ctx, full); err != nil {
		t.Fatal(err)
	}
	before := uint64(time.Now().Add(-time.Minute).UnixMilli())
	applied, err := w.PutAll(ctx, []registry.Registration{
		{Number: numbers[0], Label: "a"}, {Number: numbers[0], Label: "b"}, {Number: numbers[1], Hidden: true}, {Number: numbers[2], Label: "no room"},
	})
	if err != nil || fmt.Sprint(applied) != "[true true true false]" {
		t.Errorf("got %v, %v, want all but the last applied", applied, err)
	}
	if got := w.everywhere(t, numbers[0]); got.label != "b" || got.version <= before {
		t.Errorf("got %+v, want b after %d", got, before)
	}
	if got := w.everywhere(t, numbers[1]); got.format != directory.Hidden || got.version <= before {
		t.Errorf("got %+v, want it hidden after %d", got, before)
	}
	if got := w.everywhere(t, numbers[2]); got.label != "full" {
		t.Errorf("got %+v, want what was there", got)
	}
}

func TestPutAllRefusesBeforeWriting(t *testing.T) {
	w := newWorld(t)
	good := registry.Registration{Number: number, Label: "a", Version: 1}
	for _, test := range []struct {
		name string
		reg  registry.Registration
		want error
	}{
		{"label too long", registry.Registration{Number: number, Label: strings.Repeat("x", 48)}, crypto.ErrLabel},
		{"label not UTF-8", registry.Registration{Number: number, Label: "\xff"}, crypto.ErrLabel},
		{"version 2^53", registry.Registration{Number: number, Version: 1 << 53}, directory.ErrRecord},
		{"number too long to hash", registry.Registration{Number: strings.Repeat("1", voprf.MaxInput)}, voprf.ErrInput},
	} {
		if applied, err := w.PutAll(context.Background(), []registry.Registration{good, test.reg}); applied != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, %v, want %v", test.name, applied, err, test.want)
		}
	}
	if got := w.wantEverywhere(t); got != (found{}) {
		t.Errorf("got %+v, want nothing", got)
	}
}

// TestPutAllFollowsTheKeyring has the keyring move on between two partitions of one call: what was written under the old one is
// written again under the new one, with the versions that were assigned.
func TestPutAllFollowsTheKeyring(t *testing.T) {
	for _, fenced := range []uint32{2, 3, 4} {
		t.Run(fmt.Sprint("epoch ", fenced), func(t *testing.T) {
			ctx := context.Background()
			w := newWorld(t)
			next := w.with(map[uint32]keyring.State{3: keyring.StateDraining, 4: keyring.StateActive})
			w.keys.next = []*keyring.Snapshot{next}
			w.fence(t, fenced, generation+1) // one of two partitions
			var told sync.Map
			w.OnWrite = func(e *keyring.Epoch, tag crypto.Tag) { told.Store([2]any{e.ID, tag}, true) }
			numbers := many(20)
			var regs []registry.Registration
			for _, number := range numbers {
				regs = append(regs, registry.Registration{Number: number, Label: number[8:]})
			}
			applied, err := w.PutAll(ctx, regs)
			if err != nil || w.keys.reloads != 1 || len(applied) != len(regs) {
				t.Fatalf("got %v, %v after %d reloads", applied, err, w.keys.reloads)
			}
			for i, number := range numbers {
				if got := w.everywhere(t, number); !applied[i] || got.label != number[8:] {
					t.Errorf("number %d: got %t and %+v", i, applied[i], got)
				}
				_, tag, _ := tagOf(t, w.epoch(4), number)
				if _, ok := told.Load([2]any{uint32(4), tag}); !ok {
					t.Errorf("number %d: the write was not told", i)
				}
			}
		})
	}
}

func TestPutAllErrors(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	regs := []registry.Registration{{Number: number, Label: "a", Version: 1}}
	w.fence(t, 3, generation+1)
	if applied, err := w.PutAll(ctx, regs); applied != nil || err != registry.ErrContended {
		t.Errorf("fence ahead of the keyring: got %v, %v, want ErrContended", applied, err)
	}
	w.redis.Kill()
	if applied, err := w.PutAll(ctx, regs); applied != nil || !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("away: got %v, %v, want ErrUnavailable", applied, err)
	}
	w.keys.err = keyring.ErrNone
	if applied, err := w.PutAll(ctx, regs); applied != nil || err != keyring.ErrNone {
		t.Errorf("no keyring: got %v, %v, want ErrNone", applied, err)
	}
	w.keys.err = nil
	w.keys.snapshot = &keyring.Snapshot{Generation: 1, Epochs: []*keyring.Epoch{newEpoch(t, 1, keyring.StateStaged)}}
	if applied, err := w.PutAll(ctx, regs); applied != nil || err != registry.ErrNoEpoch {
		t.Errorf("no active epoch: got %v, %v, want ErrNoEpoch", applied, err)
	}
}
