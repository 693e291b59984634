package directory_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kith-project/kith/crypto"
	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
	"github.com/redis/go-redis/v9"
)

// TestStoredForm compares keys and values in Redis with ones put together by hand.
func TestStoredForm(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := directory.Layout{Epoch: 1 << 31, PartitionBits: 8, BucketBits: 12}
		if err := s.Prepare(ctx, layout, generation); err != nil {
			t.Fatal(err)
		}
		tag := crypto.Tag{0xC1, 0x2F, 0, 10, 13, 255}
		for _, c := range goldenRecords {
			r := c.record
			outcomes := apply(t, s, layout, directory.Write{
				Tag: tag, Format: r.Format, Version: r.Version, Wrapped: r.Wrapped, Label: r.Label, Since: r.Since,
			})
			if c.name == "hidden" { // its version is lower than the one before
				if outcomes[0].Result != directory.Lost {
					t.Errorf("%s: got %v, want lost", c.name, outcomes[0].Result)
				}
				continue
			}
			value, err := rdb.HGet(ctx, "kith:{e2147483648.p193}:b3090", string(tag[1:])).Result()
			if err != nil || value != c.stored {
				t.Errorf("%s: got %x, %v, want %x", c.name, value, err, c.stored)
			}
		}

		meta, err := rdb.HGetAll(ctx, "kith:{e2147483648.p193}:meta").Result()
		want := map[string]string{"fence": "5", "visible": "0", "hidden": "0", "deleted": "1", "changes": "2"}
		if err != nil || fmt.Sprint(meta) != fmt.Sprint(want) {
			t.Errorf("meta: got %v, %v, want %v", meta, err, want)
		}
		entries, err := rdb.XRange(ctx, "kith:{e2147483648.p193}:changes", "-", "+").Result()
		if err != nil || len(entries) != 2 {
			t.Fatalf("changes: got %d, %v, want 2", len(entries), err)
		}
		for i, want := range []map[string]any{
			{"c": "\x20\x01\x02\x03\x04\x05\x06" + string(tag[:])},
			{"c": "\x7F\xFF\xFF\xFF\xFF\xFF\xFF" + string(tag[:])},
		} {
			if id := fmt.Sprintf("%d-0", i+1); entries[i].ID != id {
				t.Errorf("change %d: got id %s, want %s", i, entries[i].ID, id)
			}
			if fmt.Sprint(entries[i].Values) != fmt.Sprint(want) {
				t.Errorf("change %d: got %q, want %q", i, entries[i].Values, want)
			}
		}
	})
}

// TestChangesAreOfVisibility goes from each format to each: a new label, or hidden turned into deleted, is no change that
// a reader of the stream has to learn.
func TestChangesAreOfVisibility(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		s := directory.New(rdb, directory.Config{})
		layout := prepared(t, s)
		for i, c := range []struct {
			format directory.Format
			want   string // how the entry that the write adds begins, if any
		}{
			{directory.Hidden, ""}, {directory.Visible, "\x20"}, {directory.Visible, ""}, {directory.Deleted, "\x60"},
			{directory.Deleted, ""}, {directory.Hidden, ""}, {directory.Deleted, ""}, {directory.Visible, "\x20"},
			{directory.Hidden, "\x40"},
		} {
			key := fmt.Sprintf("kith:{e%d.p0}:changes", layout.Epoch)
			before := len(rdb.XRange(ctx, key, "-", "+").Val())
			apply(t, s, layout, write(tagNumber(1), c.format, uint64(i+1)))
			added := ""
			for _, entry := range rdb.XRange(ctx, key, "-", "+").Val()[before:] {
				added += entry.Values["c"].(string)[:1]
			}
			if added != c.want {
				t.Errorf("write %d: got entries %q, want %q", i, added, c.want)
			}
		}
	})
}

func TestChangesAreTrimmed(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		s := directory.New(rdb, directory.Config{ChangesLength: 100})
		layout := prepared(t, s)
		var writes []directory.Write
		for v := range uint64(1000) {
			writes = append(writes, write(tagNumber(1), directory.Format(1+v%2), v+1))
		}
		_, err := s.Apply(context.Background(), layout, generation, writes)
		wantError(t, "Apply", err, nil)
		n := rdb.XLen(context.Background(), fmt.Sprintf("kith:{e%d.p0}:changes", layout.Epoch)).Val()
		// Redis trims whole nodes of 100 entries.
		if n < 100 || n > 200 {
			t.Errorf("got %d changes, want 100 to 200", n)
		}
	})
}

// TestBucketsAreCompact holds for the configuration that is shipped: 50 records stay in the encoding that takes 131
// bytes each, which Redis's own default leaves at the first.
func TestBucketsAreCompact(t *testing.T) {
	for _, c := range []struct {
		name, value, want string
	}{
		{"shipped", "", "listpack"},
		{"Redis's default", "64", "hashtable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			var opts []redistest.Option
			if c.value != "" {
				opts = append(opts, redistest.Config("hash-max-listpack-value", c.value))
			}
			rdb := redistest.Start(t, opts...).Client()
			s := directory.New(rdb, directory.Config{})
			layout := prepared(t, s)
			var writes []directory.Write
			for i := range uint16(50) {
				writes = append(writes, write(tagNumber(i), directory.Visible, 1))
			}
			apply(t, s, layout, writes...)
			key := fmt.Sprintf("kith:{e%d.p0}:b0", layout.Epoch)
			if got := rdb.ObjectEncoding(ctx, key).Val(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
