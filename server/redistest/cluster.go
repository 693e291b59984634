package redistest

import (
	"context"
	"crypto/rand"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// slots is the number of hash slots of any Redis cluster.
const slots = 16384

// Cluster is a Redis cluster that belongs to one test.
type Cluster struct {
	tb testing.TB
	// Masters and Replicas are the processes by the role they started with; the replicas of Masters[i] are those at
	// i*n to i*n+n-1 of Replicas, n being the number of replicas a master.
	Masters, Replicas []*Server
}

// StartCluster starts masters servers that share the slots evenly, each with replicas servers that follow it, and returns
// when every node sees the whole cluster as healthy. Options go to every server. At least three masters are needed for
// the cluster to elect replacements by itself.
func StartCluster(tb testing.TB, masters, replicas int, opts ...Option) *Cluster {
	tb.Helper()
	c := &Cluster{tb: tb}
	// One password for all: replicas log in to their masters, and one client to every node.
	password := rand.Text()
	for range masters {
		c.Masters = append(c.Masters, startNode(tb, password, opts))
	}
	for range masters * replicas {
		c.Replicas = append(c.Replicas, startNode(tb, password, opts))
	}
	c.assignSlots()
	c.meet()
	c.wait("known to every node", (*redis.Client).ClusterNodes, func(list string) bool {
		// A node in handshake is listed under a name that it does not keep.
		return strings.Count(list, "\n") == len(c.nodes()) && !strings.Contains(list, "handshake")
	})
	c.follow(replicas)
	c.wait("aware of its replicas", (*redis.Client).ClusterNodes, func(list string) bool {
		return strings.Count(list, "slave ") == len(c.Replicas)
	})
	c.wait("healthy", (*redis.Client).ClusterInfo, healthy)
	return c
}

func healthy(info string) bool { return strings.Contains(info, "cluster_state:ok") }

// Client returns a new client of the cluster, closed when the test ends.
func (c *Cluster) Client() *redis.ClusterClient {
	var addrs []string
	for _, node := range c.nodes() {
		addrs = append(addrs, node.Addr())
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:    addrs,
		Password: c.Masters[0].Password(),

		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	c.tb.Cleanup(func() { client.Close() })
	return client
}

func (c *Cluster) nodes() []*Server {
	return append(append([]*Server{}, c.Masters...), c.Replicas...)
}

// alive returns the nodes whose process runs.
func (c *Cluster) alive() []*Server {
	return slices.DeleteFunc(c.nodes(), func(s *Server) bool { return s.process == nil })
}

// node returns the node of an address.
func (c *Cluster) node(addr string) *Server {
	c.tb.Helper()
	for _, node := range c.nodes() {
		if node.Addr() == addr {
			return node
		}
	}
	c.tb.Fatal("redistest: no node of this cluster has that address")
	return nil
}

// startNode starts a server in cluster mode. Its bus gets a free port of its own, since the default, port + 10000, may
// not exist.
func startNode(tb testing.TB, password string, opts []Option) *Server {
	tb.Helper()
	node := append([]Option{
		Config("cluster-enabled", "yes"),
		Config("cluster-port", strconv.Itoa(freePort(tb))),
		Config("cluster-node-timeout", "5000"),
		Config("repl-diskless-sync-delay", "0"), // by default a replica waits 5 s for others to join it
		func(c *config) { c.password = password },
	}, opts...)
	return Start(tb, node...)
}

// assignSlots divides the slots among the masters, and gives each node a config epoch of its own, so that they need not
// agree on one first.
func (c *Cluster) assignSlots() {
	c.tb.Helper()
	n := len(c.Masters)
	for i, node := range c.Masters {
		c.must(node.Client().ClusterAddSlotsRange(context.Background(), slots*i/n, slots*(i+1)/n-1).Err())
	}
	for i, node := range c.nodes() {
		c.must(node.Client().Do(context.Background(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
	}
}

// meet introduces every node to every other, which is quicker than gossip.
func (c *Cluster) meet() {
	c.tb.Helper()
	for _, node := range c.nodes() {
		client := node.Client()
		for _, other := range c.nodes() {
			if other == node {
				continue
			}
			host, port, err := net.SplitHostPort(other.Addr())
			c.must(err)
			c.must(client.Do(context.Background(), "CLUSTER", "MEET", host, port, other.busPort()).Err())
		}
	}
}

// follow makes each replica follow its master.
func (c *Cluster) follow(replicas int) {
	c.tb.Helper()
	for i, node := range c.Replicas {
		id, err := c.Masters[i/replicas].Client().ClusterMyID(context.Background()).Result()
		c.must(err)
		c.must(node.Client().ClusterReplicate(context.Background(), id).Err())
	}
}

// view asks a node how it sees the cluster.
type view func(*redis.Client, context.Context) *redis.StringCmd

// wait polls the view of every node that runs until the condition holds for it.
func (c *Cluster) wait(what string, ask view, holds func(answer string) bool) {
	c.tb.Helper()
	deadline := time.Now().Add(startTimeout)
	for _, node := range c.alive() {
		client := node.Client()
		for {
			answer, err := ask(client, context.Background()).Result()
			c.must(err)
			if holds(answer) {
				break
			}
			if time.Now().After(deadline) {
				c.tb.Fatalf("redistest: cluster not %s within %v:\n%s", what, startTimeout, answer)
			}
			time.Sleep(pollInterval)
		}
	}
}

func (c *Cluster) must(err error) {
	c.tb.Helper()
	if err != nil {
		c.tb.Fatalf("redistest: cluster: %v", err)
	}
}

// busPort returns the port of the node's cluster bus.
func (s *Server) busPort() string {
	for _, d := range s.config.directives {
		if d.name == "cluster-port" {
			return d.value
		}
	}
	return ""
}
