package snapshot

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// keys are the names of what one epoch has in Redis. All but those of the shards share one slot of a cluster, so that
// scripts change them together; shards spread over the cluster.
type keys struct {
	epoch                                         string
	manifest, changes, feed, build, wanted, lease string
}

func newKeys(epoch uint32) keys {
	number := strconv.FormatUint(uint64(epoch), 10)
	prefix := "kith:{e" + number + ".snapshot}:"
	return keys{
		epoch:    number,
		manifest: prefix + "manifest",
		changes:  prefix + "changes",
		feed:     prefix + "feed",
		build:    prefix + "build",
		wanted:   prefix + "wanted",
		lease:    prefix + "lease",
	}
}

// shard returns the key of a shard.
func (k keys) shard(id ID) string {
	return "kith:{e" + k.epoch + ".s" + id.String() + "}"
}

// Sweep removes what an epoch has in Redis, for one that is retired or aborted, after its builders have ended. Shards
// expire by themselves. It returns ErrUnavailable, and can be repeated.
func Sweep(ctx context.Context, rdb redis.UniversalClient, epoch uint32) error {
	k := newKeys(epoch)
	if err := rdb.Unlink(ctx, k.manifest, k.changes, k.feed, k.build, k.wanted, k.lease).Err(); err != nil {
		return unavailable(err)
	}
	return nil
}
