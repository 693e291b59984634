//go:build large

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kith-project/kith/server/redistest"
)

const (
	// importUsers may name another number of users for TestImportAMillion.
	importUsers = "KITH_IMPORT_USERS"
	// importFsync may name another appendfsync than the shipped one.
	importFsync = "KITH_IMPORT_APPENDFSYNC"
)

// TestImportAMillion imports a million users into a Redis of its own, twice, and says what that took and what bounds it:
//
//	make import-1m
func TestImportAMillion(t *testing.T) {
	users := 1_000_000
	if text := os.Getenv(importUsers); text != "" {
		var err error
		if users, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", importUsers, err)
		}
	}
	options := []redistest.Option{redistest.Config("maxmemory", "16gb")}
	if policy := os.Getenv(importFsync); policy != "" {
		options = append(options, redistest.AppendFsync(policy))
	}
	store := redistest.Start(t, options...)
	rdb := store.Client()
	s := serve(t, t.TempDir(), "--redis", store.URL(), "--expected-users", strconv.Itoa(users))
	s.kill() // it has made the directory, and would take processor time for its memory
	path := writeImport(t, users)
	empty := infoNumber(t, rdb, "used_memory")
	for _, what := range []string{"first import", "the same again"} {
		before := redisCPU(t, rdb)
		cmd := kith(t, importArgs(path, s.dir, store.URL(), "--json")...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		began := time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		took := time.Since(began)
		var got importJSON
		if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || got.Registered != int64(users) {
			t.Fatalf("got %s, %v", stdout.String(), err)
		}
		t.Logf("%s: %s", what, importCost(users, took, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), redisCPU(t, rdb)-before))
	}
	stored := infoNumber(t, rdb, "used_memory") - empty
	changes := int64(0)
	keys, err := rdb.Keys(context.Background(), "kith:{e*}:changes").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		changes += rdb.MemoryUsage(context.Background(), key, 0).Val()
	}
	t.Logf("Redis holds %d bytes a user, %d of them changes that are kept for devices", stored/int64(users), changes/int64(users))
	newReader(t, rdb, s.dir).wantImported(t, users)
}

// importCost says what an import took and which part of the machine was the busiest.
func importCost(users int, took, kith, redis time.Duration) string {
	micros := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(users) }
	cores := runtime.NumCPU()
	all, one := float64(kith+redis)/float64(took)/float64(cores), float64(redis)/float64(took)
	bound := "bound by what else the machine did, or by the disk"
	switch {
	case one > 0.9:
		bound = "bound by Redis, which computes on one core"
	case all > 0.9:
		bound = "bound by the cores of the machine"
	}
	alone := min(float64(cores)/(micros(kith)+micros(redis)), 1/micros(redis)) * 1e6
	return fmt.Sprintf("%d users in %.1f s: %.0f a second; processor time a user: kith %.1f µs, Redis %.1f µs; %.0f %% of %d cores, Redis %.0f %% of one: %s; with all of the cores at most %.0f a second",
		users, took.Seconds(), float64(users)/took.Seconds(), micros(kith), micros(redis), 100*all, cores, 100*one, bound, alone)
}

// infoNumber returns a whole number of INFO.
func infoNumber(t testing.TB, rdb *redis.Client, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(redisInfo(t, rdb)[name], 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
