package directory_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// TestMalformedStoredValues finds each malformed value reported by every operation, left by Apply, and replaced by who
// has seen it.
func TestMalformedStoredValues(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		for name, value := range malformedValues() {
			t.Run(name, func(t *testing.T) {
				malformed := 0
				s := directory.New(rdb, directory.Config{OnCorrupt: func(n int) { malformed += n }})
				layout := prepared(t, s)
				tag, other := tagNumber(0x1000), tagNumber(0x1001)
				apply(t, s, layout, write(other, directory.Visible, 1))
				key := fmt.Sprintf("kith:{e%d.p0}:b1", layout.Epoch)
				rdb.HSet(ctx, key, string(tag[:]), value)

				_, err := s.Match(ctx, layout, []crypto.Tag{tag, other})
				wantError(t, "Match", err, directory.ErrRecord)
				_, raw, err := s.Get(ctx, layout, tag)
				wantError(t, "Get", err, directory.ErrRecord)
				if string(raw) != value {
					t.Errorf("Get: got %x, want %x", raw, value)
				}
				var scanned []crypto.Tag
				for entry, err := range s.Scan(ctx, layout, 0) {
					scanned = append(scanned, entry.Tag)
					if (err != nil) != (entry.Tag == tag) {
						t.Errorf("Scan: got error %v for tag %x", err, entry.Tag)
					}
				}
				if !slices.Equal(scanned, []crypto.Tag{tag, other}) {
					t.Errorf("Scan: got %d entries, want both", len(scanned))
				}
				outcomes, err := s.Apply(ctx, layout, generation, []directory.Write{
					write(other, directory.Visible, 2), write(tag, directory.Visible, 2),
				})
				wantError(t, "Apply", err, directory.ErrRecord)
				if outcomes[0].Result != directory.Applied || outcomes[1].Result != directory.Corrupt {
					t.Errorf("Apply: got %v, want applied, corrupt", outcomes)
				}
				if malformed != 4 {
					t.Errorf("got %d malformed values reported, want 4, one each operation", malformed)
				}

				if value == "" {
					return // nothing to expect
				}
				repair := write(tag, directory.Visible, 2)
				repair.Expect = raw
				if got := apply(t, s, layout, repair)[0].Result; got != directory.Applied {
					t.Errorf("repair: got %v, want applied", got)
				}
				if matches, err := s.Match(ctx, layout, []crypto.Tag{tag, other}); err != nil || len(matches) != 2 {
					t.Errorf("after repair: got %d matches, %v, want 2", len(matches), err)
				}
			})
		}
	})
}
