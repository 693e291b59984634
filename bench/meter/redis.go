package meter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrInfo means that a store's INFO has no processor time, as that of the embedded store has not.
var ErrInfo = errors.New("meter: no used_cpu_user in INFO")

// Redis is what the masters of a Redis have used since they were started, summed.
type Redis struct {
	CPU      time.Duration // of all threads, in user and system mode
	Memory   int64         // bytes that are allocated now (used_memory)
	RSS      int64         // their memory as the system sees it, bytes
	Commands int64         // processed
	Masters  int           // how many were read
}

// ReadRedis reads INFO of a server, or of every master of a cluster. It returns ErrInfo and network errors.
func ReadRedis(ctx context.Context, rdb redis.UniversalClient) (Redis, error) {
	cluster, ok := rdb.(*redis.ClusterClient)
	if !ok {
		return readInfo(ctx, rdb)
	}
	var mu sync.Mutex
	var sum Redis
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		one, err := readInfo(ctx, master)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		sum.add(one)
		return nil
	})
	return sum, err
}

func (r *Redis) add(one Redis) {
	r.CPU += one.CPU
	r.Memory += one.Memory
	r.RSS += one.RSS
	r.Commands += one.Commands
	r.Masters += one.Masters
}

func readInfo(ctx context.Context, rdb redis.Cmdable) (Redis, error) {
	var text strings.Builder
	// One section a call: servers before 7.0 take no more, and not all of INFO is wanted.
	for _, section := range []string{"cpu", "memory", "stats"} {
		part, err := rdb.Info(ctx, section).Result()
		if err != nil {
			return Redis{}, fmt.Errorf("meter: INFO: %w", err)
		}
		text.WriteString(part)
	}
	return ParseInfo(text.String())
}

// ParseInfo reads the answer to INFO of one server. It returns ErrInfo if it has no processor time.
func ParseInfo(text string) (Redis, error) {
	r := Redis{Masters: 1}
	found := false
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "used_cpu_user", "used_cpu_sys":
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return Redis{}, ErrInfo
			}
			r.CPU, found = r.CPU+time.Duration(seconds*float64(time.Second)), true
		case "used_memory":
			r.Memory = integer(value)
		case "used_memory_rss":
			r.RSS = integer(value)
		case "total_commands_processed":
			r.Commands = integer(value)
		}
	}
	if !found {
		return Redis{}, ErrInfo
	}
	return r, nil
}

// integer returns the number that text is, or 0.
func integer(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
