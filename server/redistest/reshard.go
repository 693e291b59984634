package redistest

import (
	"context"
	"net"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Move is a slot on its way from one master to another, as redis-cli --cluster reshard moves it. While it is on its way, its keys
// are at either, and commands for them are answered with ASK and TRYAGAIN; afterwards with MOVED by the old master.
type Move struct {
	cluster  *Cluster
	slot     int
	from, to *Server
}

// Slot returns the hash slot of a key.
func (c *Cluster) Slot(key string) int {
	c.tb.Helper()
	slot, err := c.alive()[0].control().ClusterKeySlot(context.Background(), key).Result()
	c.must(err)
	return int(slot)
}

// Master returns the server that serves a slot now.
func (c *Cluster) Master(slot int) *Server {
	c.tb.Helper()
	shards, err := c.alive()[0].control().ClusterShards(context.Background()).Result()
	c.must(err)
	for _, shard := range shards {
		if !slices.ContainsFunc(shard.Slots, func(r redis.SlotRange) bool { return int(r.Start) <= slot && slot <= int(r.End) }) {
			continue
		}
		for _, node := range shard.Nodes {
			if node.Role == "master" && node.Health == "online" {
				return c.node(net.JoinHostPort(node.IP, strconv.Itoa(int(node.Port))))
			}
		}
	}
	c.tb.Fatalf("redistest: nobody serves slot %d", slot)
	return nil
}

// BeginMove tells a slot's master and the other one that the slot is to move. No key has moved yet.
func (c *Cluster) BeginMove(slot int, to *Server) *Move {
	c.tb.Helper()
	m := &Move{cluster: c, slot: slot, from: c.Master(slot), to: to}
	m.set(to, "IMPORTING", m.from)
	m.set(m.from, "MIGRATING", to)
	return m
}

// Step moves up to n keys of the slot, and reports whether it has moved any.
func (m *Move) Step(n int) bool {
	m.cluster.tb.Helper()
	ctx := context.Background()
	client := m.from.control()
	keys, err := client.ClusterGetKeysInSlot(ctx, m.slot, n).Result()
	m.cluster.must(err)
	if len(keys) == 0 {
		return false
	}
	host, port, err := net.SplitHostPort(m.to.Addr())
	m.cluster.must(err)
	args := []any{"MIGRATE", host, port, "", 0, 10_000, "AUTH", m.to.Password(), "KEYS"}
	for _, key := range keys {
		args = append(args, key)
	}
	m.cluster.must(client.Do(ctx, args...).Err())
	return true
}

// End moves what is left, and tells every master who serves the slot now, the new one first.
func (m *Move) End() {
	m.cluster.tb.Helper()
	for m.Step(100) {
	}
	m.set(m.to, "NODE", m.to)
	m.set(m.from, "NODE", m.to)
	for _, node := range m.cluster.alive() {
		if node != m.from && node != m.to && node.isMaster() {
			m.set(node, "NODE", m.to)
		}
	}
}

// set sends CLUSTER SETSLOT for the slot.
func (m *Move) set(node *Server, what string, other *Server) {
	m.cluster.tb.Helper()
	ctx := context.Background()
	id, err := other.control().ClusterMyID(ctx).Result()
	m.cluster.must(err)
	m.cluster.must(node.control().Do(ctx, "CLUSTER", "SETSLOT", strconv.Itoa(m.slot), what, id).Err())
}
