package redistest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/kith-project/kith/server/redistest"
)

// TestMoveOfASlot stops in the middle of a move, where a key is at either master, and sees each of the answers that there are.
func TestMoveOfASlot(t *testing.T) {
	ctx := context.Background()
	c := redistest.StartCluster(t, 3, 0, redistest.AppendFsync("no"))
	client := c.Client()
	for i := range 10 {
		if err := client.Set(ctx, fmt.Sprintf("{x}%d", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	slot := c.Slot("{x}")
	from := c.Master(slot)
	to := c.Masters[0]
	if to == from {
		to = c.Masters[1]
	}
	m := c.BeginMove(slot, to)
	if !m.Step(5) {
		t.Fatal("no key was moved")
	}
	kinds := map[string]int{}
	for i := range 10 {
		key := fmt.Sprintf("{x}%d", i)
		if got, err := client.Get(ctx, key).Int(); err != nil || got != i {
			t.Errorf("in the middle: got %d, %v, want %d", got, err, i)
		}
		kind, _, _ := strings.Cut(fmt.Sprint(from.Client().Get(ctx, key).Err()), " ")
		kinds[kind]++
	}
	if kinds["<nil>"] != 5 || kinds["ASK"] != 5 {
		t.Errorf("the old master answered %v, want 5 values and 5 times ASK", kinds)
	}
	all := make([]string, 10)
	for i := range all {
		all[i] = fmt.Sprintf("{x}%d", i)
	}
	if err := from.Client().MGet(ctx, all...).Err(); err == nil || !strings.HasPrefix(err.Error(), "TRYAGAIN") {
		t.Errorf("keys at both: got %v, want TRYAGAIN", err)
	}
	m.End()
	if c.Master(slot) != to {
		t.Error("the slot has not moved")
	}
	if err := from.Client().Get(ctx, "{x}0").Err(); err == nil || !strings.HasPrefix(err.Error(), "MOVED") {
		t.Errorf("afterwards: got %v, want MOVED", err)
	}
	if got, err := client.Get(ctx, "{x}7").Int(); err != nil || got != 7 {
		t.Errorf("afterwards: got %d, %v, want 7", got, err)
	}
}

// TestPromotion kills a master. Its replica takes its place, and it comes back as a replica.
func TestPromotion(t *testing.T) {
	ctx := context.Background()
	c := redistest.StartCluster(t, 3, 1, redistest.AppendFsync("no"), redistest.Config("cluster-node-timeout", "1000"))
	client := c.Client()
	if err := client.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	c.WaitForReplicas()
	slot := c.Slot("k")
	dead := c.Master(slot)
	dead.Kill()
	for i, master := range c.Masters {
		if master == dead {
			c.WaitForMaster(c.Replicas[i])
			if c.Master(slot) != c.Replicas[i] {
				t.Error("another node serves the slot")
			}
		}
	}
	// A client from before would look for the dead one until it asks again who serves what.
	if got, err := c.Client().Get(ctx, "k").Result(); err != nil || got != "v" {
		t.Errorf("got %q, %v, want v", got, err)
	}
	dead.Restart()
	c.WaitForReplicas()
	if info, err := dead.Client().Info(ctx, "replication").Result(); err != nil || !strings.Contains(info, "role:slave") {
		t.Errorf("the old master is none any more: got %v, %s", err, info)
	}
}
