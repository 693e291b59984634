package redistest

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// WaitForReplicas returns when every replica is connected to its master and has all that the master had when it was asked.
func (c *Cluster) WaitForReplicas() {
	c.tb.Helper()
	c.until("replicas in step", func() bool {
		for _, node := range c.alive() {
			if !node.isMaster() && !c.inStep(node) {
				return false
			}
		}
		return true
	})
}

// WaitForMaster returns when the server is a master and every node that runs sees the whole cluster as healthy.
func (c *Cluster) WaitForMaster(s *Server) {
	c.tb.Helper()
	c.until("replica promoted", s.isMaster)
	c.wait("healthy after a promotion", (*redis.Client).ClusterInfo, healthy)
}

// until polls a condition, and fails the test if it does not come to hold.
func (c *Cluster) until(what string, holds func() bool) {
	c.tb.Helper()
	for deadline := time.Now().Add(startTimeout); !holds(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			c.tb.Fatalf("redistest: cluster: no %s within %v", what, startTimeout)
		}
	}
}

// inStep reports whether a replica has what its master has.
func (c *Cluster) inStep(replica *Server) bool {
	c.tb.Helper()
	info := replica.replication()
	if info["master_link_status"] != "up" {
		return false
	}
	master := c.node(info["master_host"] + ":" + info["master_port"])
	return master.replication()["master_repl_offset"] == info["slave_repl_offset"]
}

func (s *Server) isMaster() bool { return s.replication()["role"] == "master" }

// replication returns INFO replication by field; nothing if the server does not answer.
func (s *Server) replication() map[string]string {
	fields := make(map[string]string)
	text, err := s.control().Info(context.Background(), "replication").Result()
	if err != nil {
		return fields
	}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
