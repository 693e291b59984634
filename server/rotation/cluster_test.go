package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/redistest"
)

// TestRotationOnACluster goes through a rotation on six nodes. A script or pipeline whose keys lay in several slots would
// be refused there, which Redis without a cluster never does.
func TestRotationOnACluster(t *testing.T) {
	ctx := context.Background()
	cluster := redistest.StartCluster(t, 3, 1, redistest.AppendFsync("no"))
	client := cluster.Client()
	r := newRigOn(t, client)
	s := r.server(func(c *Config) { c.Workers = 2 })
	s.put(0, 12, 5)
	s.delete(3, 6)
	id := s.stage(true, time.Millisecond)
	s.drive(id, PhaseSettled)
	snapshot := s.reload()
	all := r.wantSame(snapshot.Epoch(1), snapshot.Epoch(id), 13)
	if all[0] != visible(0, 5) || all[12] != (stored{}) {
		t.Errorf("got %+v", all)
	}
	if report := r.audit(snapshot); !report.OK() || report.Records != 12 {
		t.Errorf("audit: got %+v, want 12 records in order", report)
	}
	s.drive(1, PhaseDone)
	err := client.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		for _, pattern := range []string{"kith:{e1.*", "kith:{rotation.e1.*"} {
			keys, err := node.Keys(ctx, pattern).Result()
			if err != nil {
				return err
			}
			for _, key := range keys {
				t.Errorf("%s is left of the old epoch", key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
