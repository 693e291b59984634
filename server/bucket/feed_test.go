package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kith-project/kith/server/directory"
	"github.com/redis/go-redis/v9"
)

// wantAsStore polls, reads what is missing, and compares memory with Redis.
func wantAsStore(t *testing.T, v *View) {
	t.Helper()
	ctx := context.Background()
	if _, err := v.poll(ctx); err != nil {
		t.Errorf("poll: %v", err)
	}
	if err := v.readMissing(ctx); err != nil {
		t.Errorf("readMissing: %v", err)
	}
	if got, err := fromMemory(v); err != nil || !bytes.Equal(got, fromStore(t, v)) {
		t.Errorf("memory is not as Redis, %v", err)
	}
}

// key returns the key of partition 0 of layout.
func key(name string) string { return fmt.Sprintf("kith:{e%d.p0}:%s", layout.Epoch, name) }

// inPartition0 returns registrations of buckets 0 and 1.
func inPartition0(n int) []directory.Write {
	writes := randomWrites(rand.New(rand.NewPCG(5, uint64(n))), n)
	for i := range writes {
		writes[i].Tag[0] &= 0x07
	}
	return writes
}

// TestLostChangesAreReadAgain loses changes in several ways: memory is behind as soon as it sees so, and then as Redis.
func TestLostChangesAreReadAgain(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, s testStore){
		"trimmed": func(t *testing.T, s testStore) {
			s.rdb.XTrimMaxLen(context.Background(), key("changes"), 1)
		},
		"stream lost": func(t *testing.T, s testStore) { s.rdb.Del(context.Background(), key("changes")) },
		"rolled back": func(t *testing.T, s testStore) {
			s.rdb.Del(context.Background(), key("changes"), key("b0"), key("b1"))
			s.rdb.HSet(context.Background(), key("meta"), "changes", "5")
		},
		"malformed": func(t *testing.T, s testStore) {
			s.rdb.Del(context.Background(), key("changes"))
			s.rdb.XAdd(context.Background(), &redis.XAddArgs{Stream: key("changes"), ID: "11-0", Values: []string{"o", "?"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, s testStore) {
				writes := inPartition0(20)
				s.apply(t, writes[:10]...)
				v, _ := warmView(t, s, 32, Config{})
				s.apply(t, writes[10:]...)
				lose(t, s)
				if _, err := v.poll(context.Background()); err != nil {
					t.Fatal(err)
				}
				if _, err := v.Append(nil, 0); !errors.Is(err, ErrBehind) {
					t.Errorf("after the loss: got %v, want ErrBehind", err)
				}
				if _, err := v.Append(nil, 63); err != nil {
					t.Errorf("another partition: got %v", err)
				}
				wantAsStore(t, v)
			})
		})
	}
}

// TestRescanHealsUnseenRollback changes a bucket behind the feed, as a failover does whose new master has counted up to the
// position again before anyone looked.
func TestRescanHealsUnseenRollback(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		writes := inPartition0(20)
		s.apply(t, writes...)
		v := newTestView(t, s, 32, Config{PollEvery: time.Millisecond, MaxAge: time.Hour, RescanEvery: 20 * time.Millisecond})
		run(t, v)
		eventually(t, "all is read", func() bool { return v.Status().Warm == 4 })
		s.rdb.Del(context.Background(), key("b0"))
		want := fromStore(t, v)
		eventually(t, "the rescan heals", func() bool {
			got, err := fromMemory(v)
			return err == nil && bytes.Equal(got, want)
		})
	})
}

// TestMissingPartitionIsAnError loses one partition, whose users must not look unregistered, and prepares it again.
func TestMissingPartitionIsAnError(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		s.apply(t, inPartition0(20)...)
		v, _ := warmView(t, s, 32, Config{})
		if err := s.Sweep(ctx, layout, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := v.poll(ctx); err != nil {
			t.Fatal(err)
		}
		if err := v.readMissing(ctx); !errors.Is(err, directory.ErrIncomplete) {
			t.Errorf("readMissing: got %v, want ErrIncomplete", err)
		}
		if _, err := v.Append(nil, 0); !errors.Is(err, ErrBehind) {
			t.Errorf("memory: got %v, want ErrBehind", err)
		}
		lookup := NewLookup(v)
		if tags, _, err := lookup.Tags(ctx, []uint32{20, 0}); !errors.Is(err, directory.ErrIncomplete) || tags != nil {
			t.Errorf("Tags: got %d bytes, %v, want ErrIncomplete", len(tags), err)
		}
		if _, _, err := lookup.Tags(ctx, []uint32{20}); err != nil {
			t.Errorf("another partition: got %v", err)
		}
		if err := s.Prepare(ctx, layout, generation); err != nil {
			t.Fatal(err)
		}
		s.apply(t, inPartition0(5)...)
		wantAsStore(t, v)
	})
}

// TestMissingPartitionIsReadOnceItIsBack has nothing else happen that could wake a running view.
func TestMissingPartitionIsReadOnceItIsBack(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		failed := make(chan error, 1)
		v := newTestView(t, s, 32, Config{PollEvery: time.Millisecond, MaxAge: time.Hour, OnError: func(err error) {
			select {
			case failed <- err:
			default:
			}
		}})
		if err := s.Sweep(ctx, layout, 0); err != nil {
			t.Fatal(err)
		}
		run(t, v)
		if err := <-failed; !errors.Is(err, directory.ErrIncomplete) {
			t.Errorf("OnError: got %v, want ErrIncomplete", err)
		}
		eventually(t, "the others are read", func() bool { return v.Status().Warm == 3 })
		if err := s.Prepare(ctx, layout, generation); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all are read", func() bool { return v.Status().Warm == 4 })
	})
}

// TestHalfReadFeedIsNotCurrent has more changes than one poll reads: until the last is read, the partition ages.
func TestHalfReadFeedIsNotCurrent(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		v, c := warmView(t, s, 32, Config{})
		user := inPartition0(1)[0]
		var writes []directory.Write
		for version := range uint64(513) {
			writes = append(writes, as(user, directory.Format(1+version%2), version+1))
		}
		s.apply(t, writes...)
		c.move(DefaultMaxAge + 1)
		for _, last := range []bool{false, true} {
			again, err := v.poll(ctx)
			if err != nil || again == last {
				t.Fatalf("poll: got again %v, %v, want %v", again, err, !last)
			}
			shown, err := shows(v, user.Tag)
			if last && (err != nil || !shown) || !last && !errors.Is(err, ErrBehind) {
				t.Errorf("last poll %v: got shown %v, %v", last, shown, err)
			}
		}
	})
}

// TestTakeLeavesOtherTables gets an answer that was asked for before the partition was read anew.
func TestTakeLeavesOtherTables(t *testing.T) {
	v := newTestView(t, nil, 32, Config{})
	fresh := newTable(v.Format(), directory.Position{Change: 7}, 0, 16)
	v.partitions[0].table = fresh
	for name, result := range map[string]directory.Changes{
		"changes": {Position: directory.Position{Change: 6}, Entries: []directory.Change{{Visible: true}}},
		"gap":     {Gap: true},
		"missing": {Err: directory.ErrIncomplete},
	} {
		v.take(directory.Position{Change: 5}, result, time.Unix(10, 0))
		p := &v.partitions[0]
		if p.table != fresh || fresh.known.Change != 7 || fresh.fullest != 0 || !p.current.IsZero() {
			t.Errorf("%s: the table was changed", name)
		}
	}
}

// TestMalformedRecordIsItsBucketsAlone damages one bucket: memory leaves it to Redis, which says what is wrong.
func TestMalformedRecordIsItsBucketsAlone(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		writes := inPartition0(20)
		s.apply(t, writes...)
		s.rdb.HSet(ctx, key("b0"), "short", "x")
		v, _ := warmView(t, s, 32, Config{})
		if _, err := v.Append(nil, 0); !errors.Is(err, ErrBehind) {
			t.Errorf("the bucket: got %v, want ErrBehind", err)
		}
		if _, err := v.Append(nil, 1); err != nil {
			t.Errorf("its neighbour: got %v", err)
		}
		if tags, _, err := NewLookup(v).Tags(ctx, []uint32{1, 0}); !errors.Is(err, directory.ErrRecord) || tags != nil {
			t.Errorf("Tags: got %d bytes, %v, want ErrRecord", len(tags), err)
		}
		s.rdb.HDel(ctx, key("b0"), "short")
		if err := v.rescan(ctx, 0); err != nil {
			t.Fatal(err)
		}
		wantAsStore(t, v)
	})
}

// TestReadingMeetsWrites reads a partition at a position from before many writes, all of which then come again as changes.
func TestReadingMeetsWrites(t *testing.T) {
	onEachStore(t, func(t *testing.T, s testStore) {
		ctx := context.Background()
		writes := inPartition0(30)
		before, err := s.Position(ctx, layout, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.apply(t, writes...)
		for i := range writes[:20] {
			s.apply(t, as(writes[i], directory.Hidden, 2))
			if i%2 == 0 {
				s.apply(t, as(writes[i], directory.Visible, 3))
			}
		}
		v, c := warmView(t, s, 32, Config{})
		old, err := v.read(ctx, before)
		if err != nil {
			t.Fatal(err)
		}
		v.partitions[0].table, v.partitions[0].current = old, c.now()
		wantAsStore(t, v)
	})
}

// TestInstall goes through what may have become of the table in use while a fresh one caught up.
func TestInstall(t *testing.T) {
	at := func(change uint64) *table { return &table{known: directory.Position{Change: change}} }
	for _, c := range []struct {
		name          string
		used          *table
		before, fresh uint64
		want          bool
	}{
		{"none", nil, 0, 5, true},
		{"dropped since", nil, 9, 5, true},
		{"unmoved, same", at(5), 5, 5, true},
		{"unmoved, behind", at(4), 4, 5, true},
		{"moved, behind", at(5), 4, 6, true},
		{"moved, same", at(6), 4, 6, true},
		{"moved further", at(7), 6, 6, false},
		{"put in since, further", at(7), 0, 6, false},
		{"unmoved and further: rolled back", at(9), 9, 5, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			later := time.Unix(20, 0)
			p := &partition{table: c.used, current: time.Unix(10, 0)}
			fresh := at(c.fresh)
			if got := p.install(fresh, directory.Position{Change: c.before}, later); got != c.want || (p.table == fresh) != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if p.current.Equal(later) != c.want {
				t.Errorf("current as of %v", p.current)
			}
		})
	}
	p := &partition{table: at(5), current: time.Unix(30, 0)}
	if !p.install(at(6), directory.Position{Change: 5}, time.Unix(20, 0)) || !p.current.Equal(time.Unix(30, 0)) {
		t.Error("a table put in made the partition older")
	}
}

// TestTableApply makes changes again and in vain.
func TestTableApply(t *testing.T) {
	f, _ := NewFormat(6, 16)
	p := newPadder(FillKey{})
	changed, want := newTable(f, directory.Position{}, 16, 32), newTable(f, directory.Position{}, 16, 32)
	for bucket := range uint32(16) {
		want.set(p, 16+bucket, nil)
		changed.set(p, 16+bucket, nil)
	}
	want.set(p, 17, []uint64{1, 3, 5, 7, 9, 11})
	for _, change := range []struct {
		key     uint64
		visible bool
	}{
		{7, true}, {3, true}, {3, true}, {4, false}, {11, true}, {1, true}, {5, true}, {6, true}, {9, true}, {6, false}, {6, false},
	} {
		changed.apply(p, 17, change.key, change.visible)
	}
	if got := fmt.Sprint(changed.keys); got != fmt.Sprint(want.keys) {
		t.Errorf("got keys %s, want %v", got, want.keys)
	}
	if !bytes.Equal(changed.padded, want.padded) {
		t.Error("the answers differ")
	}
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: 3, 1: 6, 2: 12, 3: 20, 4: 20, 1000: 20} {
		if got := backoff(3, failures, 20); got != want {
			t.Errorf("after %d failures: got %v, want %v", failures, got, want)
		}
	}
}
