package snapshot

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/directory"
	"github.com/kith-project/kith/server/redistest"
)

// TestScriptsRefuse calls every script for a builder without the lease, and for one with it that expects another state
// than there is: both leave everything as it was.
func TestScriptsRefuse(t *testing.T) {
	const other = "another"
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		r.turn(b)
		for n := range 3 {
			r.write(directory.Visible, n)
			r.turn(b)
		}
		l, err := acquire(ctx, rdb, b.keys.lease, b.config.Lease)
		if err != nil {
			t.Fatal(err)
		}
		f, err := b.openFeed(ctx, l)
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.start(ctx, l, f)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Trigger(ctx); err != nil {
			t.Fatal(err)
		}

		k := b.keys
		generation, head := decimal(f.position.Generation), decimal(f.position.Segment)
		next, fields := decimal(f.position.next().Segment), len(p.fields())/2
		for _, c := range []struct {
			name   string
			script *redis.Script
			keys   []string
			args   []any // behind the owner: such as would be accepted
			// changed are other arguments in their place, by index, of which each alone makes the script refuse.
			changed map[int]any
		}{
			{"start", startScript, []string{k.lease, k.build, k.wanted}, []any{fieldName, other}, nil},
			{"record", recordScript, []string{k.lease, k.build}, []any{p.name, "s0", other}, map[int]any{0: other}},
			{"publish", publishScript, []string{k.lease, k.build, k.feed, k.manifest},
				[]any{p.name, fields, generation, "{}", 1000}, map[int]any{0: other, 1: fields + 1, 2: other}},
			{"generation", generationScript, []string{k.lease, k.feed, k.changes}, []any{generation, other}, map[int]any{0: "1"}},
			{"append", appendScript, []string{k.lease, k.feed, k.changes},
				[]any{generation, head, next, "entries", 1, fieldBytes, 2}, map[int]any{0: other, 1: next}},
			{"trim", trimScript, []string{k.lease, k.feed, k.changes}, []any{generation, 0, 1, 8}, map[int]any{0: other}},
		} {
			before := r.dump()
			refuse := func(what, owner string, args []any, want error) {
				t.Helper()
				err := run(ctx, rdb, c.script, c.keys, append([]any{owner}, args...)...)
				wantError(t, c.name+" "+what, err, want)
				if after := r.dump(); after != before {
					t.Errorf("%s %s: got %s, want %s", c.name, what, after, before)
				}
			}
			refuse("without the lease", other, c.args, ErrLease)
			for i, arg := range c.changed {
				args := append([]any{}, c.args...)
				args[i] = arg
				refuse(fmt.Sprintf("with argument %d changed", i), l.owner, args, errChanged)
			}
		}
		for _, take := range []string{"0", "1"} {
			before := r.dump()
			err := (&lease{rdb: rdb, key: k.lease, owner: other}).call(ctx, 0, take)
			wantError(t, "lease of another", err, ErrLease)
			if after := r.dump(); after != before {
				t.Errorf("lease: got %s, want %s", after, before)
			}
		}
	})
}

// dump returns all that the epoch has in Redis besides shards.
func (r *rig) dump() string {
	r.t.Helper()
	ctx, k := context.Background(), newKeys(r.layout.Epoch)
	return fmt.Sprintf("lease %q, manifest %q, build %q, wanted %q, feed %q, changes %+q",
		r.rdb.Get(ctx, k.lease).Val(), r.rdb.Get(ctx, k.manifest).Val(), r.rdb.HGetAll(ctx, k.build).Val(),
		r.rdb.Get(ctx, k.wanted).Val(), r.rdb.HGetAll(ctx, k.feed).Val(), fmt.Sprint(r.rdb.XRange(ctx, k.changes, "-", "+").Val()))
}

// TestScriptsCanBeRepeated calls those whose answer may be lost again, as go-redis does by itself.
func TestScriptsCanBeRepeated(t *testing.T) {
	redistest.OnEachStore(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		r := newRig(t, rdb)
		b := r.builder(nil, nil, Config{})
		l, err := acquire(ctx, rdb, b.keys.lease, b.config.Lease)
		if err != nil {
			t.Fatal(err)
		}
		twice := func(name string, script *redis.Script, keys []string, args ...any) {
			t.Helper()
			for range 2 {
				wantError(t, name, run(ctx, rdb, script, keys, args...), nil)
			}
		}
		k := b.keys
		twice("generation", generationScript, []string{k.lease, k.feed, k.changes}, l.owner, "", "9", fieldHead, 0)
		twice("start", startScript, []string{k.lease, k.build, k.wanted}, l.owner, fieldName, "N")
		twice("record", recordScript, []string{k.lease, k.build}, l.owner, "N", "s0", "shard")
		twice("publish", publishScript, []string{k.lease, k.build, k.feed, k.manifest}, l.owner, "N", 2, "9", "{}", 10_000)
		twice("lease", leaseScript, []string{k.lease}, l.owner, 10_000, "0")
	})
}
