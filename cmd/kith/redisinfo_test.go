package main

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisInfo returns all fields of INFO.
func redisInfo(t testing.TB, rdb *redis.Client) map[string]string {
	t.Helper()
	text, err := rdb.InfoMap(context.Background(), "everything").Result()
	if err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]string)
	for _, section := range text {
		for name, value := range section {
			fields[name] = value
		}
	}
	return fields
}

// redisCPU returns the processor time of a Redis and its children.
func redisCPU(t testing.TB, rdb *redis.Client) time.Duration {
	t.Helper()
	fields, seconds := redisInfo(t, rdb), 0.0
	for _, name := range []string{"used_cpu_sys", "used_cpu_user", "used_cpu_sys_children", "used_cpu_user_children"} {
		n, err := strconv.ParseFloat(fields[name], 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seconds += n
	}
	return time.Duration(seconds * float64(time.Second))
}

// redisCalls returns how often a command was called.
func redisCalls(t testing.TB, rdb *redis.Client, command string) int64 {
	t.Helper()
	return countIn(redisInfo(t, rdb)["cmdstat_"+command], "calls=")
}

// redisErrors returns how often a Redis answered with each kind of error.
func redisErrors(t testing.TB, rdb *redis.Client) map[string]int64 {
	t.Helper()
	errors := make(map[string]int64)
	for name, value := range redisInfo(t, rdb) {
		if kind, ok := strings.CutPrefix(name, "errorstat_"); ok {
			errors[kind] = countIn(value, "count=")
		}
	}
	return errors
}

// countIn reads a number of a field such as "calls=7,usec=12".
func countIn(field, name string) int64 {
	for part := range strings.SplitSeq(field, ",") {
		if value, ok := strings.CutPrefix(part, name); ok {
			n, _ := strconv.ParseInt(value, 10, 64)
			return n
		}
	}
	return 0
}
