package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// FuzzOpenKeyring puts one field into a keyring that is good otherwise, and opens it as a server does. No field makes it panic or
// have keys that were not sealed for their place, and what opens can be made an epoch of, whose id none had.
func FuzzOpenKeyring(f *testing.F) {
	ctx := context.Background()
	master, err := NewMasterKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	rdb := redistest.Start(f, redistest.AppendFsync("no")).Client()
	options := CreateOptions{Masters: []MasterKey{master}, Rand: rand.Reader, Plan: Plan{Layout: directory.Layout{PartitionBits: 1, BucketBits: 2}, Slots: 96}}
	if err := Create(ctx, rdb, options, directory.New(rdb, directory.Config{})); err != nil {
		f.Fatal(err)
	}
	good, err := readFields(ctx, rdb)
	if err != nil {
		f.Fatal(err)
	}
	for field, value := range good {
		f.Add(field, value)
		f.Add(field, "")
		f.Add(field, value+"0")
		f.Add(field, good[fieldAccountKey])
	}
	f.Add("epoch:01", good["epoch:1"])
	f.Add("epoch:2", good["epoch:1"])
	f.Add("epoch:4294967296", "{}")
	f.Add("next-epoch", "4294967295")
	f.Add("log:1", good["log:0"])
	f.Add("generation", "9007199254740991")
	f.Fuzz(func(t *testing.T, field, value string) {
		fields := make(map[string]string, len(good)+1)
		for name, text := range good {
			fields[name] = text
		}
		fields[field] = value
		top, headErr := parseHead([]any{fields[fieldGeneration], fields[fieldAccountKey], fields[fieldChange]})
		if headErr != nil && (headErr != ErrRecord || top != head{}) {
			t.Fatalf("the head is %v, %v", top, headErr)
		}
		s, err := open(fields, []MasterKey{master})
		if err != nil {
			if s != nil || !errors.Is(err, ErrRecord) && !errors.Is(err, ErrSealed) && !errors.Is(err, ErrMasterKey) {
				t.Fatalf("got %v, %v, want ErrRecord, ErrSealed or ErrMasterKey alone", s, err)
			}
			return
		}
		if headErr != nil || top.generation != s.Generation {
			t.Fatalf("the head is %v, %v, of generation %d", top, headErr, s.Generation)
		}
		if len(s.Epochs) > 1 || len(s.Log.Entries) > 1 {
			t.Fatalf("got %d epochs and %d entries", len(s.Epochs), len(s.Log.Entries))
		}
		for _, e := range s.Epochs {
			if id := s.nextID(); id <= e.ID {
				t.Errorf("after epoch %d, the next has the id %d", e.ID, id)
			}
		}
	})
}
