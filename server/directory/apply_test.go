package directory_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// TestApplyAgainstStored goes through every pair of formats and every order of versions.
func TestApplyAgainstStored(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		formats := []directory.Format{directory.Visible, directory.Hidden, directory.Deleted}
		n := uint16(0)
		for _, first := range formats {
			for _, second := range formats {
				for _, version := range []uint64{6, 7, 8} {
					tag := tagNumber(n)
					n += 523
					older, newer := write(tag, first, 7), write(tag, second, version)
					newer.Wrapped[0] ^= 0xFF // tells a repetition that was rewritten from one that was not
					got := apply(t, s, layout, older, newer)[1]

					wins := version > 7 || version == 7 && second > first
					repeated := version == 7 && second == first
					want, holds := directory.Outcome{Result: directory.Lost, Version: 7}, stored(older)
					if wins {
						want, holds = directory.Outcome{Result: directory.Applied, Version: version}, stored(newer)
					}
					if repeated {
						want.Result = directory.Applied
					}
					if got != want {
						t.Errorf("%d at 7, then %d at %d: got %v, want %v", first, second, version, got, want)
					}
					if record, _ := get(t, s, layout, tag); record != holds {
						t.Errorf("%d at 7, then %d at %d: got %+v, want %+v", first, second, version, record, holds)
					}
				}
			}
		}
	})
}

func TestTombstoneOfUnknownTagBeatsLateRegistration(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		for _, format := range []directory.Format{directory.Hidden, directory.Deleted} {
			tag := tagNumber(uint16(format))
			outcomes := apply(t, s, layout, write(tag, format, 9), write(tag, directory.Visible, 8))
			want := []directory.Outcome{{Result: directory.Applied, Version: 9}, {Result: directory.Lost, Version: 9}}
			if !slices.Equal(outcomes, want) {
				t.Errorf("format %d: got %v, want %v", format, outcomes, want)
			}
		}
	})
}

// TestTombstoneTimeIsTheServers needs no clock of the test: the tombstone's time lies between two readings of TIME.
func TestTombstoneTimeIsTheServers(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		w := write(tagNumber(1), directory.Deleted, 1)
		w.Since = 0
		before := rdb.Time(ctx).Val().UnixMilli()
		apply(t, s, layout, w)
		after := rdb.Time(ctx).Val().UnixMilli()
		if r, _ := get(t, s, layout, w.Tag); r.Since < uint64(before) || r.Since > uint64(after) {
			t.Errorf("got %d, want %d to %d", r.Since, before, after)
		}
	})
}

func TestAssignedVersions(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		tag := tagNumber(1)

		before := uint64(rdb.Time(ctx).Val().UnixMilli())
		first := apply(t, s, layout, write(tag, directory.Deleted, 0))[0]
		if first.Result != directory.Applied || first.Version < before {
			t.Errorf("first: got %v, want applied at %d or later", first, before)
		}
		// In the same call, so that the clock cannot have moved between them.
		outcomes, err := s.Apply(ctx, layout, generation, []directory.Write{
			write(tag, directory.Visible, 0), write(tag, directory.Visible, 0),
		})
		wantError(t, "Apply", err, nil)
		if outcomes[0].Version <= first.Version || outcomes[1].Version <= outcomes[0].Version {
			t.Errorf("versions do not rise: %v, then %v", first, outcomes)
		}

		for parity, want := range [][]directory.Outcome{
			{
				{Result: directory.Applied, Version: directory.VersionEnd - 4},
				{Result: directory.Applied, Version: directory.VersionEnd - 2},
				{Result: directory.Lost, Version: directory.VersionEnd - 2}, // the last even version there is
				{Result: directory.Lost, Version: directory.VersionEnd - 2},
			},
			{
				{Result: directory.Applied, Version: directory.VersionEnd - 4},
				{Result: directory.Applied, Version: directory.VersionEnd - 3},
				{Result: directory.Applied, Version: directory.VersionEnd - 1},
				{Result: directory.Lost, Version: directory.VersionEnd - 1},
			},
		} {
			layout.Parity, tag = uint8(parity), tagNumber(uint16(2+parity))
			outcomes = apply(t, s, layout, write(tag, directory.Visible, directory.VersionEnd-4), write(tag, directory.Deleted, 0),
				write(tag, directory.Visible, 0), write(tag, directory.Deleted, 0))
			if !slices.Equal(outcomes, want) {
				t.Errorf("near the end with parity %d: got %v, want %v", parity, outcomes, want)
			}
		}
	})
}

// TestAssignedVersionsHaveTheParityOfTheLayout has one record written by servers that take different epochs for the
// active one: no two of them assign the same version. Versions that callers give are as they are.
func TestAssignedVersionsHaveTheParityOfTheLayout(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		last := uint64(0)
		for i := range 40 {
			layout.Parity = uint8(i / 2 % 2)
			w := write(tagNumber(1), directory.Visible, 0)
			if i%5 == 4 {
				w.Version = last + uint64(1+i%2)
			}
			o := apply(t, s, layout, w)[0]
			if o.Result != directory.Applied || o.Version <= last {
				t.Fatalf("write %d: got %v after version %d", i, o, last)
			}
			if w.Version == 0 && o.Version%2 != uint64(layout.Parity) {
				t.Errorf("write %d: got version %d with parity %d", i, o.Version, layout.Parity)
			}
			if w.Version != 0 && o.Version != w.Version {
				t.Errorf("write %d: got version %d, want the given %d", i, o.Version, w.Version)
			}
			last = o.Version
		}
	})
}

func TestExpect(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		tag := tagNumber(1)

		expecting := func(w directory.Write, raw []byte) directory.Write {
			w.Expect = raw
			return w
		}
		outcome := apply(t, s, layout, expecting(write(tag, directory.Deleted, 5), []byte("something")))[0]
		if want := (directory.Outcome{Result: directory.Conflict}); outcome != want {
			t.Errorf("nothing stored: got %v, want %v", outcome, want)
		}
		apply(t, s, layout, write(tag, directory.Visible, 6))
		_, first := get(t, s, layout, tag)
		apply(t, s, layout, write(tag, directory.Visible, 7))
		record, second := get(t, s, layout, tag)

		for _, c := range []struct {
			name  string
			write directory.Write
			want  directory.Outcome
		}{
			{"another value", expecting(write(tag, directory.Deleted, 8), first), directory.Outcome{Result: directory.Conflict, Version: 7}},
			{"another value, no version", expecting(write(tag, directory.Deleted, 0), first), directory.Outcome{Result: directory.Conflict, Version: 7}},
			{"the value, lower version", expecting(write(tag, directory.Deleted, 6), second), directory.Outcome{Result: directory.Lost, Version: 7}},
		} {
			if got := apply(t, s, layout, c.write)[0]; got != c.want {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
			if got, _ := get(t, s, layout, tag); got != record {
				t.Errorf("%s: the record was changed", c.name)
			}
		}
		// A repetition after a lost answer finds its own write instead of what it expected.
		for _, attempt := range []string{"the value", "the same again"} {
			got := apply(t, s, layout, expecting(write(tag, directory.Deleted, 8), second))[0]
			if want := (directory.Outcome{Result: directory.Applied, Version: 8}); got != want {
				t.Errorf("%s: got %v, want %v", attempt, got, want)
			}
		}
	})
}

func TestExpectNone(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		absent := func(w directory.Write) directory.Write {
			w.ExpectNone = true
			return w
		}
		for _, c := range []struct {
			name  string
			write directory.Write
			want  directory.Outcome
		}{
			{"nothing stored", absent(write(tagNumber(1), directory.Deleted, 5)), directory.Outcome{Result: directory.Applied, Version: 5}},
			{"the same again", absent(write(tagNumber(1), directory.Deleted, 5)), directory.Outcome{Result: directory.Applied, Version: 5}},
			{"a tombstone", absent(write(tagNumber(1), directory.Deleted, 6)), directory.Outcome{Result: directory.Conflict, Version: 5}},
			{"visible", write(tagNumber(2), directory.Visible, 5), directory.Outcome{Result: directory.Applied, Version: 5}},
			{"no longer absent", absent(write(tagNumber(2), directory.Deleted, 0)), directory.Outcome{Result: directory.Conflict, Version: 5}},
		} {
			if got := apply(t, s, layout, c.write)[0]; got != c.want {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
		}
	})
}

func TestApplyManyWritesOfOnePartition(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		// More than two calls, and one tag in all of them, whose writes have to stay in order.
		var writes []directory.Write
		for i := range uint16(1100) {
			writes = append(writes, write(tagNumber(i), directory.Visible, 1))
			if i%100 == 0 {
				writes = append(writes, write(tagNumber(0xFFF), directory.Visible, 0))
			}
		}
		outcomes, err := s.Apply(context.Background(), layout, generation, writes)
		wantError(t, "Apply", err, nil)
		last := uint64(0)
		for i, o := range outcomes {
			if o.Result != directory.Applied {
				t.Fatalf("write %d: got %v", i, o)
			}
			if writes[i].Version == 0 && o.Version <= last {
				t.Errorf("write %d: version %d after %d", i, o.Version, last)
			} else if writes[i].Version == 0 {
				last = o.Version
			}
		}
		counts, err := s.Count(context.Background(), layout)
		if want := (directory.Counts{Visible: 1101}); err != nil || counts != want {
			t.Errorf("counts: got %v, %v, want %v", counts, err, want)
		}
	})
}

func TestApplyNothing(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		outcomes, err := s.Apply(context.Background(), prepared(t, s), generation, nil)
		if err != nil || len(outcomes) != 0 {
			t.Errorf("got %v, %v, want nothing", outcomes, err)
		}
	})
}

// TestApplyRefusesBeforeWriting puts an invalid write behind a valid one, and looks for the valid one.
func TestApplyRefusesBeforeWriting(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		good := write(tagNumber(1), directory.Visible, 1)
		for _, c := range []struct {
			name       string
			layout     directory.Layout
			generation uint64
			bad        directory.Write
			want       error
		}{
			{"layout", directory.Layout{}, generation, good, directory.ErrLayout},
			{"generation", layout, directory.VersionEnd, good, directory.ErrRecord},
			{"format 0", layout, generation, directory.Write{Version: 1}, directory.ErrRecord},
			{"format 4", layout, generation, directory.Write{Format: 4, Version: 1}, directory.ErrRecord},
			{"version", layout, generation, write(tagNumber(2), directory.Visible, directory.VersionEnd), directory.ErrRecord},
			{"time", layout, generation, directory.Write{Format: directory.Hidden, Since: directory.VersionEnd}, directory.ErrRecord},
		} {
			outcomes, err := s.Apply(context.Background(), c.layout, c.generation, []directory.Write{good, c.bad})
			wantError(t, c.name, err, c.want)
			if outcomes != nil {
				t.Errorf("%s: got outcomes %v", c.name, outcomes)
			}
		}
		if got := scan(t, s, layout); len(got) != 0 {
			t.Errorf("%d records were written", len(got))
		}
	})
}

func TestResultNames(t *testing.T) {
	var names []string
	for r := directory.Unknown; r <= directory.Stale+1; r++ {
		names = append(names, r.String())
	}
	if got, want := strings.Join(names, " "), "unknown applied lost conflict corrupt missing stale invalid"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
